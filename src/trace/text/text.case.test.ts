/**
 * What every reader of text must do, whichever tool's output it reads. The recorded samples are read again in pieces of 100 bytes and of
 * one byte, held against a small reader by regular expressions, and then cut, spliced, interleaved and spoilt.
 */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { InputError, Random } from '../../base/index.js';
import { parseGfp } from '../../machine/index.js';
import {
  ACCOUNTED,
  DAMAGE_TOLD,
  EVENT_NAMES,
  type EventBatch,
  type EventSink,
  NODE_NONE,
  type ReadReport,
  type StreamReader,
} from '../batch/events.js';
import { Strings } from '../batch/strings.js';

/** An event with its texts spelt out. */
export interface Spelt {
  readonly kind: string;
  readonly cpu: number;
  readonly pid: number;
  readonly time: number;
  /** Hexadecimal, sixteen digits. */
  readonly pointer: string;
  readonly site: string;
  readonly comm: string;
  readonly bytesReq: number;
  readonly bytesAlloc: number;
  readonly gfp: number;
  readonly name: string;
  readonly order: number;
  readonly node: number;
  readonly accounted: number;
}

export type CreateReader = (file: string, sink: EventSink) => StreamReader;

/** What a text holds, all of it. */
export interface Read {
  readonly events: readonly Spelt[];
  readonly report: ReadReport;
}

export function recorded(name: string): Buffer {
  return gunzipSync(readFileSync(new URL(`../../../truth/traces/${name}.gz`, import.meta.url)));
}

function hex(high: number, low: number): string {
  return high.toString(16).padStart(8, '0') + low.toString(16).padStart(8, '0');
}

export function spelt(batch: EventBatch, i: number, strings: Strings): Spelt {
  return {
    kind: EVENT_NAMES[batch.kind[i]!]!,
    cpu: batch.cpu[i]!,
    pid: batch.pid[i]!,
    time: batch.time[i]!,
    pointer: hex(batch.pointerHigh[i]!, batch.pointerLow[i]!),
    site: strings.text(batch.site[i]!),
    comm: strings.text(batch.comm[i]!),
    bytesReq: batch.bytesReq[i]!,
    bytesAlloc: batch.bytesAlloc[i]!,
    gfp: batch.gfp[i]!,
    name: strings.text(batch.name[i]!),
    order: batch.order[i]!,
    node: batch.node[i]!,
    accounted: batch.accounted[i]!,
  };
}

/** Reads a text that arrives in pieces of `pieceBytes`, or at once. */
export function readText(create: CreateReader, text: Uint8Array | string, pieceBytes = Infinity): Read {
  const bytes = typeof text === 'string' ? Buffer.from(text) : text;
  const strings = new Strings();
  const events: Spelt[] = [];
  const reader = create('trace.txt', {
    strings,
    take(batch) {
      for (let i = 0; i < batch.length; i++) events.push(spelt(batch, i, strings));
    },
  });
  if (pieceBytes === Infinity) reader.write(bytes);
  else
    for (let at = 0; at < bytes.length; at += pieceBytes) reader.write(bytes.subarray(at, at + pieceBytes));
  return { events, report: reader.end() };
}

// ---- A reader by regular expressions ---------------------------------------------------------------------------------

const FIELD = /(?<= )(\w+)=(\S*?)(?: \[(\w+)\])?(?= |$)/g;
const NO_FIELDS: Spelt = {
  kind: '',
  cpu: 0,
  pid: 0,
  time: 0,
  pointer: '0'.repeat(16),
  site: '',
  comm: '',
  bytesReq: 0,
  bytesAlloc: 0,
  gfp: 0,
  name: '',
  order: 0,
  node: NODE_NONE,
  accounted: ACCOUNTED.UNSTATED,
};

/** Reads a line in the plainest way: `head` has groups comm, pid, cpu, time, name. undefined for what is no event of this room. */
export function modelled(line: string, head: RegExp): Spelt | undefined {
  const { comm, pid, cpu, time, name } = head.exec(line)?.groups ?? {};
  if (name === undefined || !EVENT_NAMES.includes(name)) return undefined;
  const [whole = '', fraction = ''] = time!.split('.');
  const fields = new Map<string, string>();
  for (const [, key, value, module] of line.matchAll(FIELD)) {
    fields.set(key!, module === undefined ? value! : `${value!} [${module}]`);
  }
  const pointer = fields.get('ptr') ?? fields.get('pfn')!;
  const gfp = fields.get('gfp_flags') ?? '0x0';
  return {
    ...NO_FIELDS,
    kind: name,
    comm: comm!.trim(),
    pid: Number(pid),
    cpu: Number(cpu),
    time: Number(whole) * 1e9 + Number(fraction.padEnd(9, '0')),
    pointer: (pointer === '(nil)' ? '' : pointer.replace(/^0x/, '')).padStart(16, '0'),
    site: (fields.get('call_site') ?? '').replace(/\/0x[0-9a-f]+/, ''),
    bytesReq: Number(fields.get('bytes_req') ?? 0),
    bytesAlloc: Number(fields.get('bytes_alloc') ?? 0),
    gfp: gfp === '' ? 0 : parseGfp(gfp),
    name: fields.get('name') ?? '',
    order: Number(fields.get('order') ?? 0),
    node: Number(fields.get('node') ?? NODE_NONE),
    accounted:
      { true: ACCOUNTED.YES, 1: ACCOUNTED.YES, false: ACCOUNTED.NO, 0: ACCOUNTED.NO }[
        fields.get('accounted') ?? ''
      ] ?? ACCOUNTED.UNSTATED,
  };
}

// ---- Damage ------------------------------------------------------------------------------------------------------------

/** Lines of a sample, cut, spliced, interleaved, doubled, with bytes flipped and garbage put in: a text of at least `count` lines. */
function* damagedText(sample: Buffer, count: number, seed: number): Generator<Buffer> {
  const random = new Random(seed);
  const starts = [0];
  for (let at = sample.indexOf(10); at >= 0 && at + 1 < sample.length; at = sample.indexOf(10, at + 1)) {
    starts.push(at + 1);
  }
  starts.push(sample.length);
  const lineAt = (number: number) => sample.subarray(starts[number]!, starts[number + 1]!);
  const pick = () => lineAt(random.below(starts.length - 1));
  for (let made = 0; made < count; ) {
    const text = Buffer.alloc(1 << 20);
    let at = 0;
    while (at < text.length - 2000 && made < count) {
      made++;
      const line = pick();
      const start = at;
      at += line.copy(text, at);
      const length = at - start;
      const where = start + random.below(length);
      const other = pick();
      switch (random.below(9)) {
        case 0: // cut off
          text[where] = 10;
          at = where + 1;
          break;
        case 1: // begun late
          text.copy(text, start, where, at);
          at -= where - start;
          break;
        case 2: // spliced with another
          at = where + other.copy(text, where, random.below(other.length));
          break;
        case 3: // interleaved
          for (let i = start, k = 0; i < where && k < other.length; i += 7, k += 7)
            other.copy(text, i, k, k + 3);
          text[at - 1] = 10;
          break;
        case 4: // bytes flipped
          for (let i = random.below(4); i >= 0; i--)
            text[start + random.below(length)]! ^= 1 << random.below(8);
          break;
        case 5: // garbage
          for (let i = where; i < Math.min(where + 8, at - 1); i++) text[i] = random.below(256);
          break;
        case 6: // the newline lost
          at--;
          break;
        case 7: // a piece of it twice
          text.copy(text, where, start, at);
          at += where - start;
          break;
        default:
      }
    }
    yield text.subarray(0, at);
  }
}

function newlines(text: Uint8Array): number {
  let count = 0;
  for (let at = text.indexOf(10); at >= 0; at = text.indexOf(10, at + 1)) count++;
  return count;
}

function sum(counts: Iterable<number>): number {
  let total = 0;
  for (const count of counts) total += count;
  return total;
}

/** lines = events of all kinds + others + comments + damaged. */
export function assertAllCounted(report: ReadReport): void {
  const { lines, byKind, others, comments, damaged } = report;
  assert.equal(sum(byKind) + sum(others.values()) + comments + damaged, lines);
}

/** Reads one line with a reader that has seen no other, so that nothing of it is remembered. */
function readAlone(create: CreateReader, line: Buffer): Spelt | undefined {
  try {
    return readText(create, line).events[0];
  } catch (error) {
    if (!(error instanceof InputError)) throw error;
    return undefined;
  }
}

// ---- The suite ---------------------------------------------------------------------------------------------------------

export interface TextUnderTest {
  readonly name: string;
  readonly create: CreateReader;
  /** A recorded sample of this text. */
  readonly sample: string;
  /** Groups comm, pid, cpu, time, name. */
  readonly head: RegExp;
  /** How many damaged lines, and from which seed. */
  readonly damaged: number;
  readonly seed: number;
}

export function testTextReader({ name, create, sample, head, damaged, seed }: TextUnderTest): void {
  const text = recorded(sample);

  test(`${name}: each event is what regular expressions find in its line`, () => {
    const expected = text
      .toString()
      .split('\n')
      .flatMap((line) => modelled(line, head) ?? []);
    const { events, report } = readText(create, text);
    assert.ok(expected.length > 1500);
    assert.deepEqual(
      events.filter(({ kind }) => kind !== 'mark' && kind !== 'lost'),
      expected,
    );
    assert.equal(report.damaged, 0);
    assertAllCounted(report);
  });

  test(`${name}: pieces of 100 bytes and of one byte are read as the whole is`, () => {
    const whole = readText(create, text);
    assert.deepEqual(readText(create, text, 100), whole);
    assert.deepEqual(readText(create, text, 1), whole);
  });

  test(`${name}: Windows lines, a byte order mark and a missing last newline change nothing`, () => {
    const { events, report } = readText(create, text);
    const windows = Buffer.from(`\ufeff${text.toString().replaceAll('\n', '\r\n').replace(/\r\n$/, '')}`);
    const again = readText(create, windows);
    assert.deepEqual(again.events, events);
    assert.deepEqual({ ...again.report, bytes: 0 }, { ...report, bytes: 0 });
  });

  test(`${name}: ${damaged} damaged lines are all counted, and none throws (seed ${seed})`, () => {
    const strings = new Strings();
    let taken = 0;
    let written = 0;
    const reader = create('damaged.txt', {
      strings,
      take(batch) {
        taken += batch.length;
      },
    });
    for (const part of damagedText(text, damaged, seed)) {
      written += newlines(part);
      reader.write(part);
    }
    const report = reader.end();
    assertAllCounted(report);
    // The last line may have lost its newline.
    assert.ok(report.lines === written || report.lines === written + 1);
    assert.equal(taken, sum(report.byKind));
    assert.ok(report.damaged > damaged / 20, `${report.damaged} damaged`);
    assert.ok(taken > damaged / 4, `${taken} read`);
    assert.ok(report.others.size <= 1001 && report.damage.length === DAMAGE_TOLD);
    for (const { line, offset, why } of report.damage)
      assert.ok(line > 0 && offset >= 0 && why.length < 300, why);
  });

  test(`${name}: a line means the same whatever was read before it (seed ${seed})`, () => {
    const [part] = damagedText(text, 3000, seed + 1);
    const alone: Spelt[] = [];
    for (let from = 0; from < part!.length; ) {
      const newline = part!.indexOf(10, from);
      const to = newline < 0 ? part!.length : newline + 1;
      const event = readAlone(create, part!.subarray(from, to));
      if (event !== undefined) alone.push(event);
      from = to;
    }
    // Twice, so that in the second half every head, site and end is remembered.
    const again = readText(create, Buffer.concat([part!, Buffer.from('\n'), part!])).events;
    assert.ok(alone.length > 1000);
    assert.deepEqual(again, [...alone, ...alone]);
  });
}
