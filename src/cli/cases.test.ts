/**
 * Small inputs that were once answered wrongly (truth/cases/README.md), as somebody types them: what the commands say of them is right.
 * What lies deeper than words is tested beside its code.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { slablab } from './command-line.case.test.js';

const CASES = fileURLToPath(new URL('../../truth/cases/', import.meta.url));
const file = (name: string) => `${CASES}${name}`;

test('arm64-kmalloc: 44 bytes come from kmalloc-128, and there is nothing smaller', async () => {
  const board = '--machine arm64 --kernel 6.1';
  const { code, out } = await slablab(
    `info ${file('arm64-kmalloc/small.slab')} ${board} --no-standing`.split(' '),
  );
  assert.equal(code, 0);
  assert.match(out, /^kmalloc-128 +1024 +128 +131\.0K +31\/0\/1 +32 0 /m);
  assert.doesNotMatch(out, /^kmalloc-64 /m);
  const proc = await slablab(`info ${file('arm64-kmalloc/small.slab')} ${board} --proc`);
  const small = [...proc.out.matchAll(/^kmalloc-(\d+) /gm)].map(([, size]) => Number(size));
  assert.deepEqual(
    small.filter((size) => size <= 256).sort((a, b) => a - b),
    [128, 256],
  );
});

test('debug-names-in-capitals: names behind the comma keep their letters', async () => {
  for (const given of ['FZ,dentry', 'FZ,dent*'])
    assert.ok(
      (await slablab(['layout', '--size', '700', '--debug', given])).out.includes(`\nslub_debug=${given}\n`),
    );
});

test('slabinfo-in-hand: each command says what the file is, and what shows it', async () => {
  const [slabinfo, slabtop, trace] = ['slabinfo.txt', 'slabtop.txt', 'trace.txt'].map((name) =>
    file(`slabinfo-in-hand/${name}`),
  );
  const shows = /it is the text of \/proc\/slabinfo: 'slablab open .*slabinfo\.txt' shows it in the page/;
  for (const words of [`replay ${slabinfo}`, `replay ${trace} --snapshots ${slabinfo}`, `info ${slabinfo}`]) {
    const { code, err } = await slablab(words);
    assert.equal(code, 3, words);
    assert.match(err, shows, words);
  }
  const { code, err } = await slablab(`info ${slabtop}`);
  assert.equal(code, 3);
  assert.match(err, /expected a script, but it is what slabtop prints/);
});

test('no-kmem-event: such a trace is refused, with what is in it and how to record', async () => {
  for (const name of ['sched.txt', 'systrace.html']) {
    const { code, out, err } = await slablab(`replay ${file(`no-kmem-event/${name}`)}`);
    assert.deepEqual([code, out], [3, '']);
    assert.match(err, /no kmem event was recorded in this .*sched_switch 1.*record them with/);
  }
});
