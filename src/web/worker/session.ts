/** What is open in a worker: a trace, what is known of the machine it was recorded on, and replays of it that can be looked at. */
import { ArgumentError } from '../../base/index.js';
import { createLook, type Look, type Recorded, readWhatIf } from '../../lab/index.js';
import type { SavedTrace } from '../../trace/index.js';
import type { CallContext } from './call.js';

/** Looks hold memory of their own: so many are kept, those asked for last. */
const LOOKS_MAX = 3;

export class Session {
  #recorded: Recorded | undefined;
  #trace: SavedTrace | undefined;
  /** By the text of their settings, the one asked for last at the end. */
  readonly #looks = new Map<string, Look>();

  open(trace: SavedTrace, recorded: Recorded): void {
    this.#trace = trace;
    this.#recorded = recorded;
    this.#looks.clear();
  }

  close(): void {
    this.#trace = undefined;
    this.#recorded = undefined;
    this.#looks.clear();
  }

  get recorded(): Recorded {
    if (this.#recorded === undefined) throw new ArgumentError('no trace is open');
    return this.#recorded;
  }

  get trace(): SavedTrace {
    if (this.#trace === undefined) throw new ArgumentError('no trace is open');
    return this.#trace;
  }

  /** The replay under a what-if, as `--set` takes it; '' is as recorded. Made when it is asked for first. */
  look(set: string, context: CallContext): Look {
    let look = this.#looks.get(set);
    if (look === undefined) {
      const { recorded } = this;
      const begun = performance.now();
      const { rows } = recorded.trace;
      look = createLook(recorded, readWhatIf(set), {
        onProgress: (events) =>
          context.tell({
            what: set === '' ? 'replaying' : `replaying ${set}`,
            events,
            share: events / Math.max(rows, 1),
            elapsed: performance.now() - begun,
          }),
      });
    }
    this.#looks.delete(set);
    this.#looks.set(set, look);
    for (const oldest of this.#looks.keys()) {
      if (this.#looks.size <= LOOKS_MAX) break;
      if (oldest !== '') this.#looks.delete(oldest);
    }
    return look;
  }
}
