/** Pictures of tables: each sign says what is there, and nothing is wider than it may be. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GIB, MIB } from '../../base/index.js';
import { parseIommuScript, runIommu } from '../../lab/index.js';
import { rangesMap } from '../../machine/index.js';
import type { MachineOptions } from '../../slab/index.js';
import { drawFirstLevel, drawRam, drawWalk, fillBar } from './iommu-pictures.js';
import { displayWidth } from './text.js';

function ran(text: string, machine: MachineOptions = {}, config = {}) {
  return runIommu(parseIommuScript(text, 'x'), {
    machine: { machine: 'mt8173', cpus: 1, standing: false, ...machine },
    config,
    walks: [0x100010],
  });
}

function picture(text: string, wide: boolean, config = {}): string[] {
  const { firstLevel, tables } = ran(text, {}, config);
  return drawFirstLevel({ firstLevel: firstLevel!, tables }, wide);
}

const SCRIPT = `
  map 0x100000 0x40000000 4K
  map 0x200000 0x40000000 1M
  map 0x300000 0x40000000 512K
  map 0x400000 0x40000000 4K
  unmap 0x400000 4K
  map 0x1000000 0x50000000 16M
  map 0x80000000 0x40000000 pgsize=64K count=16
  map 0xfff00000 0x40000000 1M
`;

test('each sign of the whole picture is an entry', () => {
  const lines = picture(SCRIPT, true);
  assert.deepEqual(lines, [
    `0x00000000 ·▁■▄○${'·'.repeat(11)}${'◆'.repeat(16)}${'·'.repeat(32)}`,
    '0x04000000 · …',
    `0x80000000 █${'·'.repeat(63)}`,
    '0x84000000 · …',
    `0xfc000000 ${'·'.repeat(63)}■`,
  ]);
});

test('a sign of the small picture is what maps most of its four', () => {
  assert.deepEqual(picture(SCRIPT, false), [
    `0x00000000 ■○··◆◆◆◆${'·'.repeat(56)}`,
    '0x10000000 · …',
    `0x80000000 ▂${'·'.repeat(63)}`,
    '0x90000000 · …',
    `0xf0000000 ${'·'.repeat(63)}■`,
  ]);
});

test('a small address space is a short row, a large one has more to a sign', () => {
  assert.deepEqual(picture('map 0x200000 0 1M', false, { ias: 24 }), [`0x00000000 ··■${'·'.repeat(13)}`]);
  const mediatek = { ias: 34, oas: 34, quirks: 10 };
  const [first, second] = picture('map 0x3ff000000 0 16M', false, mediatek);
  assert.equal(first, '0x000000000 · …');
  assert.equal(second, `0x3c0000000 ${'·'.repeat(63)}◆`);
  assert.deepEqual(picture('phys 0', true, mediatek), ['0x000000000 · …']);
});

test('RAM has a line at 4 GiB, and the tables where they lie', () => {
  const [bar, ruler] = drawRam(ran('map 0 0x40000000 4K'), 81);
  assert.equal(bar, `${' '.repeat(16)}█${'░'.repeat(47)}│${'░'.repeat(16)}`);
  assert.match(ruler!, /^0 +4 GiB +5 GiB$/);
  assert.equal(displayWidth(ruler!), 81);
  const [below, scale] = drawRam(ran('map 0 0x40000000 4K', { memory: 64 * MIB }), 40);
  assert.equal(below, `█${'░'.repeat(39)}`);
  assert.match(scale!, /^0x40000000 +0x44000000$/);
  const above = ran('map 0 0x40000000 4K', { machine: 'rk3568' }, { oas: 35, quirks: 26 });
  assert.ok(above.tables[0]!.address >= 4 * GIB);
  assert.match(drawRam(above, 80)[0]!, /│█/);
  const far = drawRam(
    ran('map 0 0x40000000 4K', { machine: rangesMap('8G-9G') }, { oas: 35, quirks: 26 }),
    40,
  );
  assert.equal(far[0], `█${'░'.repeat(39)}`, 'no line where 4 GiB are not in the picture');
  assert.match(far[1]!, /^0x200000000 +0x240000000$/);
  for (const machine of ['x86_64', 'arm64', 'rk3568', 'sun50i', 'mt8173']) {
    for (const width of [40, 80, 100])
      for (const line of drawRam(ran('phys 0', { machine }), width))
        assert.equal(displayWidth(line), width, `${machine}: ${line}`);
  }
});

test('a walk shows each bit once, and leads to the address', () => {
  const { walks } = ran('map 0x100000 0x40000000 64K prot=READ|CACHE');
  const lines = drawWalk(walks[0]!, 80);
  for (const line of lines) assert.ok(displayWidth(line) <= 80, line);
  const words = lines.filter((line) => /^ {2}[01 ]+$/.test(line)).map((line) => line.replaceAll(' ', ''));
  assert.deepEqual(
    words,
    walks[0]!.steps.map(({ descriptor }) => descriptor.toString(2).padStart(32, '0')),
  );
  assert.match(lines[0]!, /^level 1, entry 1 at 0x40000004: 0x[\da-f]{8}, table$/);
  assert.ok(lines.some((line) => line === '→ the table at 0x40004000'));
  assert.equal(lines.at(-1), '→ 0x100010 is physical 0x40000010');
  // Every field has its line, under its highest bit.
  for (const { fields } of walks[0]!.steps)
    for (const { name, meaning } of fields)
      assert.ok(
        lines
          .join(' ')
          .replace(/[│└ ]+/g, ' ')
          .includes(`${name}: ${meaning}`.replace(/ +/g, ' ')),
        `${name}: ${meaning}`,
      );
  const fault = drawWalk(ran('phys 0').walks[0]!, 80);
  assert.equal(fault.at(-1), '→ nothing is mapped at 0x100010: a fault');
});

test('a bar is empty for an empty table only', () => {
  const bar = (used: number) => fillBar({ id: 0, address: 0, iova: 0, used }, 8);
  assert.deepEqual(
    [bar(0), bar(1), bar(128), bar(255), bar(256)],
    ['········', '█·······', '████····', '████████', '████████'],
  );
});
