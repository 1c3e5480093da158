import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { prepareReplay } from '../../lab/index.js';
import {
  createResolver,
  createTextTraceReader,
  createTraceStore,
  type RandomBytes,
  type Spool,
} from '../../trace/index.js';
import type { CallContext } from './call.js';
import { Session } from './session.js';
import { timeHandlers } from './time-calls.js';

const SAMPLE = new URL('../../../truth/traces/sample-ftrace-tgid.txt.gz', import.meta.url);
const context: CallContext = { tell: () => {}, transfer: [] };

function openSample(): Session {
  const noSpool = (): Spool<RandomBytes> => {
    throw new Error('a sample fits into memory');
  };
  const store = createTraceStore(noSpool);
  const resolver = createResolver({ chunk: (chunk) => store.chunk(chunk) });
  const reader = createTextTraceReader('ftrace', 'sample.txt', resolver);
  reader.write(gunzipSync(readFileSync(SAMPLE)));
  const read = reader.end();
  const { trace } = store.finish(resolver.finish(), { file: 'sample.txt', read });
  const session = new Session();
  session.open(trace, prepareReplay({ trace }), () => {});
  return session;
}

test('what is told of a row and of a range is what each row of them held', async () => {
  const session = openSample();
  const { levelsAt, heldAt, span } = timeHandlers(session);
  const { levels, rows } = session.look('', context);
  const all = levels.series.map((_, i) => i);
  const { series } = levels.exact(all, 0, rows, rows);
  const held = series[0]!;
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: rows }), fc.integer({ min: 1, max: rows }), async (a, b) => {
      const row = a;
      assert.deepEqual(
        await levelsAt({ series: all, row }, context),
        series.map(({ last }) => last[row - 1]),
      );
      assert.equal(await heldAt({ row }, context), held.last[row - 1]);
      const [from, to] = [Math.min(a, b) - 1, Math.max(a, b)];
      assert.deepEqual(await span({ from, to }, context), {
        begin: from === 0 ? held.least[0] : held.last[from - 1],
        end: held.last[to - 1],
        least: Math.min(...held.least.subarray(from, to)),
        most: Math.max(...held.most.subarray(from, to)),
      });
    }),
    { seed: 4, numRuns: 40 },
  );
});

test('steps go to the events of a cache, and in front of the first event is what was there before', async () => {
  const session = openSample();
  const { seek, event, heldAt } = timeHandlers(session);
  const { rows, result } = session.look('', context);
  const cache = result.caches[0]!.name;
  let row: number | null = 0;
  let steps = 0;
  for (; row !== null; steps++) {
    const next: number | null = await seek({ row, step: 1, cache }, context);
    if (next === null) break;
    assert.ok(next > row && next < rows);
    assert.equal((await event({ row: next }, context))?.cache, cache);
    assert.ok((await seek({ row: next + 1, step: -1, cache }, context)) === next, 'and back');
    row = next;
  }
  assert.ok(steps > 3, `${steps} events of ${cache}`);
  assert.equal(await event({ row: rows }, context), null);
  assert.equal(
    await heldAt({ row: 0 }, context),
    session.look('', context).levels.exact([0], 0, 1, 1).series[0]!.least[0],
  );
});
