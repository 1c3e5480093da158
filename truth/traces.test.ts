/**
 * The recorded traces, in every format that they are there in: what is replayed of them must not depend on which tool wrote them down. Their
 * nearness to the recorded kernels is held in src/lab/replay/nearness.test.ts.
 */
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { AS_RECORDED, prepareReplay, type ReplayResult, readSnapshots, replay } from '#lab';
import { convertTrace, openTrace, prepareOutput, readInput } from '#node';

const FOLDER = fileURLToPath(new URL('../../truth/traces/', import.meta.url));
const temps = mkdtempSync(join(tmpdir(), 'slablab-truth-'));
after(() => rmSync(temps, { recursive: true, force: true }));

/** A replay on the recorded machine, validated. */
async function replayed(path: string, name: string): Promise<ReplayResult> {
  const { trace, close } = await openTrace(path);
  const file = join(FOLDER, `${name}.snapshots.json.gz`);
  const recorded = prepareReplay({ trace, snapshots: readSnapshots(await readInput(file), file) });
  const result = replay(recorded, AS_RECORDED, { onEnd: (machine) => machine.validate('cheap') });
  close();
  return result;
}

/** Without what formats tell more or less exactly: times in texts are whole microseconds, and perf.data has addresses for functions. */
function figures({
  series,
  peak,
  caches,
  pins,
  seconds: _,
  notUnderstood: _1,
  ...rest
}: ReplayResult): unknown {
  const { times: _2, ...points } = series;
  const { time: _3, ...most } = peak;
  return {
    ...rest,
    points,
    most,
    caches: caches.map(({ allocsPerSecond: _4, how: _7, why: _8, ...cache }) => cache),
    pins: pins.map(({ since: _5, site: _6, ...pin }) => pin),
  };
}

for (const [name, ...formats] of [
  ['tar-public', 'txt.gz', 'dat.gz'],
  ['mm-public', 'txt.gz', 'dat.gz'],
  ['gcc-public', 'txt.gz', 'perf.data.gz'],
] as const) {
  test(`${name}: from ${formats.join(', ')} and .slt the same comes out`, async () => {
    const [text, binary] = formats.map((format) => join(FOLDER, `${name}.${format}`));
    const first = await replayed(text!, name);
    assert.ok(first.caches.length > 40 && first.counts.allocs > 60_000);
    assert.deepEqual(figures(await replayed(binary!, name)), figures(first));
    const saved = join(temps, `${name}.slt`);
    await prepareOutput(saved).save((write) => convertTrace(text!, write));
    assert.deepEqual(await replayed(saved, name), first);
  });
}

/** Samples of which nothing can be replayed, with the reason that is told. */
const REFUSED: ReadonlyMap<string, RegExp> = new Map([
  ['sample-ftrace-ptrval-no-entropy.txt.gz', /every pointer is \(____ptrval____\)/],
  ['sample-ftrace-raw.txt.gz', /printed with the trace option raw/],
  ['sample-ftrace-overrun.stats.txt.gz', /expected one of ftrace text, .* there stands 'entries: 260'/],
]);

test('every sample is replayed, or refused with the place and the reason', async () => {
  const samples = readdirSync(FOLDER).filter((name) => name.startsWith('sample-'));
  assert.ok(samples.length >= 20);
  let refused = 0;
  for (const name of samples) {
    const reason = REFUSED.get(name);
    if (reason !== undefined) {
      refused++;
      await assert.rejects(openTrace(join(FOLDER, name)), { name: 'InputError', message: reason });
      continue;
    }
    const { trace, close } = await openTrace(join(FOLDER, name));
    const { counts, peak } = replay(prepareReplay({ trace }), AS_RECORDED, {
      onEnd: (machine) => machine.validate(),
    });
    close();
    assert.equal(trace.source.read.damaged, 0, name);
    assert.equal(counts.allocs, trace.report.objects.allocs, name);
    assert.ok(peak.bytes > 0, name);
  }
  assert.equal(refused, REFUSED.size);
});
