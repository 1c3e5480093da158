/**
 * # Reading what tools print of a trace
 *
 * Raw ftrace text, `trace-cmd report` and `perf script` differ in how a line begins and agree in how it goes on:
 *
 *     sock-62      [000] .....     3.337881: kfree: call_site=kvfree+0x24/0x30 ptr=000000006d828a7d
 *     ╰────────────── head ───────────────╯ ╰name╯ ╰───────────────── fields ─────────────────────╯
 *
 * A shape (ftrace.ts, trace-cmd.ts, perf-script.ts) knows the head; fields.ts knows the fields; engine.ts reads lines. Each line
 * is one of
 *
 *  1. an event that this room reads: a row of the batch;
 *  2. another event, counted by its name;
 *  3. a comment: blank, `#…`, a frame of a call chain;
 *  4. damaged: counted, the first few told with line, offset and reason;
 *
 * so that lines = events + others + comments + damaged. A text is refused (InputError) where nothing of it can be read, or where what can
 * be read is of no use: pointers that are all equal, values left out.
 *
 * ## Engines are used again
 * An engine is a set of closures over typed arrays. While there is one engine V8 knows of what its closures hold that it cannot change, and
 * compiles addresses and bytes to compare with into the code; from the second on it has to look them up in every line, which takes 1.6
 * times as long. So an engine that has read its text waits here for the next one. Two texts that are read at once have an engine each.
 */
import { ArgumentError } from '../../base/index.js';
import type { EventSink, StreamReader } from '../batch/index.js';
import { createTextEngine, type TextEngine } from './engine.js';
import type { TextShape } from './shape.js';

const idle: TextEngine[] = [];

/** A reader of a text of this shape. `file` is its name in messages. */
export function createTextReader(shape: TextShape, file: string, sink: EventSink): StreamReader {
  let engine: TextEngine | undefined = idle.pop() ?? createTextEngine();
  engine.begin(shape, file, sink);

  /** Gives the engine back when the text has ended, or could not be read on. */
  function using<T>(act: (engine: TextEngine) => T, isLast: boolean): T {
    if (engine === undefined) throw new ArgumentError(`${file}: the reader has ended`);
    let goesOn = false;
    try {
      const result = act(engine);
      goesOn = !isLast;
      return result;
    } finally {
      if (!goesOn) {
        engine.forget();
        idle.push(engine);
        engine = undefined;
      }
    }
  }

  return {
    write: (chunk) => using((each) => each.write(chunk), false),
    end: () => using((each) => each.end(), true),
  };
}
