import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { InputError } from '../../base/index.js';
import { ByteCursor, memoryBytes } from '../batch/byte-cursor.js';
import { HEADER_EVENT, headerPage, type RingEvent, ringPages } from './build-trace-dat.case.test.js';
import { PC, type Target } from './byte-writer.case.test.js';
import { PageWalker, parseRingBufferFormat, STEP } from './ring-buffer.js';

function formatOf(target: Target, page = headerPage(target), event = HEADER_EVENT) {
  return parseRingBufferFormat(
    page,
    event,
    new ByteCursor(memoryBytes(new Uint8Array(0)), 'x', target.little),
  );
}

interface Found {
  readonly time: bigint;
  readonly bytes: string;
  /** Loss that was told before it. */
  readonly lost: number;
}

/** Everything on the pages, and the damage that was met. */
function walk(pages: readonly Uint8Array[], target: Target): { found: Found[]; damage: string[] } {
  const walker = new PageWalker(formatOf(target));
  const found: Found[] = [];
  const damage: string[] = [];
  for (const page of pages) {
    const view = new DataView(page.buffer, page.byteOffset, page.length);
    if (!walker.open(view, 0, page.length)) damage.push(walker.damage);
    let lost = walker.lost;
    for (let step = walker.next(); step !== STEP.END; step = walker.next()) {
      if (step === STEP.DAMAGE) {
        damage.push(walker.damage);
        break;
      }
      const bytes = page.subarray(walker.recordAt, walker.recordAt + walker.recordBytes);
      const time = (BigInt(walker.timeHigh) << 32n) + BigInt(walker.timeLow);
      found.push({ time, bytes: Buffer.from(bytes).toString('hex'), lost });
      lost = 0;
    }
  }
  return { found, damage };
}

const target = fc.record<Target>({
  little: fc.boolean(),
  longBytes: fc.constantFrom(4, 8),
  pageBytes: fc.constantFrom(512, 4096, 16384, 65536),
});

/** Events whose times mostly grow, by steps of every length that has an entry of its own. */
const ring = fc
  .array(
    fc.record({
      step: fc.oneof(
        fc.bigInt({ min: 0n, max: 1000n }),
        fc.bigInt({ min: (1n << 27n) - 2n, max: (1n << 27n) + 2n }),
        fc.bigInt({ min: 0n, max: 1n << 44n }),
      ),
      record: fc.uint8Array({ minLength: 4, maxLength: 200 }),
      stamped: fc.boolean(),
      discarded: fc.boolean(),
      newPage: fc.boolean(),
      lost: fc.option(fc.constantFrom(-1, 1, 123456), { nil: undefined, freq: 12 }),
    }),
    { maxLength: 60 },
  )
  .map((list) => {
    let time = 0x1234_5678_9abc_def0n >> 4n;
    return list.map(({ step, lost, ...rest }): RingEvent => {
      time += step + (rest.discarded ? 3n : 0n);
      return lost === undefined ? { ...rest, time } : { ...rest, time, lost };
    });
  });

test('whatever a ring buffer holds is found again, on machines of all kinds', () => {
  fc.assert(
    fc.property(target, ring, (on, events) => {
      const { found, damage } = walk(ringPages(events, on), on);
      assert.deepEqual(damage, []);
      const expected = events.map(({ time, record, lost }) => {
        const padded = Buffer.alloc(Math.ceil(record.length / 4) * 4);
        padded.set(record);
        return { time, bytes: padded.toString('hex'), lost: lost ?? 0 };
      });
      assert.deepEqual(found, expected);
    }),
    { seed: 7321, numRuns: 300 },
  );
});

test('a page that is cut off or spoilt gives what it can, says what is wrong and ends', () => {
  fc.assert(
    fc.property(target, ring, fc.infiniteStream(fc.nat()), (on, events, numbers) => {
      const next = (below: number) => numbers.next().value % below;
      const pages = ringPages(events, on).map((page) => {
        const spoilt = page.slice(0, next(4) === 0 ? next(page.length) : page.length);
        for (let flips = next(4); flips > 0 && spoilt.length > 0; flips--)
          spoilt[next(spoilt.length)]! ^= 1 << next(8);
        return spoilt;
      });
      const { found } = walk(pages, on);
      for (const { time } of found) assert.ok(time >= 0n);
    }),
    { seed: 7322, numRuns: 500 },
  );
});

test('pages say what is wrong with them', () => {
  const [page] = ringPages([{ time: 5n, record: new Uint8Array(8) }], PC);
  const spoilt = (change: (view: DataView, bytes: Uint8Array) => void) => {
    const copy = page!.slice();
    change(new DataView(copy.buffer), copy);
    return walk([copy], PC);
  };
  assert.deepEqual(walk([page!.slice(0, 10)], PC).damage, ['a page of 10 bytes is shorter than its head']);
  assert.deepEqual(
    spoilt((view) => view.setUint32(8, 5000, true)).damage[0],
    'the page says it has 5000 bytes of data, 4080 are there',
  );
  assert.match(
    spoilt((view) => view.setUint32(16, 28, true)).damage[0]!,
    /^an event of 112 bytes in a page of which 8 are left$/,
  );
  assert.match(spoilt((view) => view.setUint32(16, 0, true)).damage[0]!, /^an event of -1 bytes/);
  assert.equal(spoilt((view) => view.setUint32(16, 29, true)).found.length, 0);
});

test('the header texts are obeyed', () => {
  const other = formatOf(
    PC,
    headerPage(PC).replace('offset:16', 'offset:24'),
    HEADER_EVENT.replace('5 bits', '6 bits')
      .replace('27 bits', '26 bits')
      .replace('type == 29', 'type == 60'),
  );
  assert.deepEqual(
    [other.dataAt, other.pageBytes, other.typeBits, other.padding, other.timeExtend],
    [24, 24 + 4080, 6, 60, 30],
  );
  const refuses = (page: string, event: string, message: RegExp) =>
    assert.throws(
      () => formatOf(PC, page, event),
      (error) => error instanceof InputError && message.test(error.message),
    );
  refuses('', HEADER_EVENT, /header_page with a field timestamp of 8 bytes, but it has none/);
  refuses(
    headerPage(PC).replace('size:8;\tsigned:1', 'size:6;\tsigned:1'),
    HEADER_EVENT,
    /commit of 4 or 8 bytes, but its size is 6/,
  );
  refuses(headerPage(PC).replace('offset:16', 'offset:12'), HEADER_EVENT, /data behind its other fields/);
  refuses(headerPage(PC), 'type_len : 9 bits', /share 32 bits/);
});
