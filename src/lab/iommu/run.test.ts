/** Loads on domains: what the kernel answers, what is held, and that nothing is left when all is freed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ArgumentError, GIB, KIB, MIB, UnknownNameError } from '../../base/index.js';
import { IO_PGTABLE_QUIRK } from '../../iommu/index.js';
import type { MachineOptions } from '../../slab/index.js';
import { STRATEGIES } from '../compare/strategies.js';
import { generateIommuLoad } from './generated.js';
import type { IommuResult } from './result.js';
import { type IommuOptions, openIommu, runIommu } from './run.js';
import { type IommuLoad, parseIommuScript } from './script.js';
import { iommuWorkload } from './workload.js';

/** Small, so that making and validating one costs little. */
const SMALL: MachineOptions = {
  machine: 'mt8173',
  memory: 16 * MIB,
  cpus: 1,
  standing: false,
  ledger: { slabs: 2048, linkPages: 64, caches: 8 },
};

const script = (text: string): IommuLoad => parseIommuScript(text, 'test.iommu');

function ran(text: string, options: IommuOptions = {}): IommuResult {
  return runIommu(script(text), { machine: SMALL, ...options });
}

/** What both levels hold, without addresses of tables. */
function mapped({ firstLevel, tables }: IommuResult): unknown {
  return [firstLevel!.entries, firstLevel!.mappedBytes, tables.map(({ iova, used }) => [iova, used])];
}

test('a script is done as it is written, and all of it is given back', () => {
  const result = ran(`
    map 0x100000 0x40000000 64K
    map 0x200000 0x50000000 3M
    map 0x10000000 0x80000000 32K chunk=4K stride=8K
    phys 0x101234
    phys 0x10001010
    phys 0x600000
    unmap 0x100000 64K
  `);
  const { load, firstLevel, secondLevel, tables, lookups, freed } = result;
  assert.deepEqual(
    [load.operations, load.done, load.maps, load.unmaps, load.failed, load.bugs, load.warnings],
    [7, 7, 3, 1, 0, 0, 0],
  );
  assert.deepEqual(lookups, [
    { line: 5, iova: 0x101234, paddr: 0x40001234 },
    { line: 6, iova: 0x10001010, paddr: 0x80002010 },
    { line: 7, iova: 0x600000, paddr: 0 },
  ]);
  assert.equal(firstLevel!.entries.length, 4096);
  assert.deepEqual(
    [...firstLevel!.entries].flatMap((letter, i) => (letter === '.' ? [] : [[i, letter]])),
    [
      [1, 't'],
      [2, 's'],
      [3, 's'],
      [4, 's'],
      [256, 't'],
    ],
  );
  assert.equal(firstLevel!.mappedBytes, 3 * MIB + 32 * KIB);
  assert.deepEqual(
    tables.map(({ iova, used }) => [iova, used]),
    [
      [0x100000, 0],
      [0x10000000, 8],
    ],
  );
  assert.deepEqual([secondLevel.live, secondLevel.empty, secondLevel.allocated], [2, 1, 2]);
  const { slabs, order } = secondLevel.cache!;
  assert.equal(secondLevel.endBytes, slabs * 2 ** order * 4 * KIB);
  assert.deepEqual(freed, { tables: 2, leftBytes: 0 });
  assert.match(result.words[0]!, /^1 of 2 live tables map nothing/);
});

test('what the kernel refuses is reported with its answer, changes nothing, and the run goes on', () => {
  const fine = `
    map 0x100000 0x40000000 128K
    map 0x1000000 0x50000000 16M
  `;
  const before = mapped(ran(fine));
  for (const [line, ret, error, message] of [
    ['map 0x110000 0x60000000 4K', -17, 'EEXIST', /^WARNING: .*0x110000/],
    ['map 0x1100000 0x60000000 4K', -17, 'EEXIST', /^WARNING: /],
    ['map 0x110000 0x60000000 pgsize=64K', -17, 'EEXIST', /^WARNING: /],
    ['map 0xff000 0x60000000 8K', -17, 'EEXIST', /^WARNING: /],
    [
      'map 0x200010 0x60000000 4K',
      -22,
      'EINVAL',
      /^iommu: unaligned: iova 0x200010 pa 0x0000000060000000 size 0x1000/,
    ],
    ['map 0x200000 0x60000001 4K', -22, 'EINVAL', /^iommu: unaligned: /],
    ['map 0x200000 0x60000000 5', -22, 'EINVAL', /^iommu: unaligned: .*size 0x5 /],
    ['map 0x200000 0x60000000 4K prot=none', -22, 'EINVAL', undefined],
    ['map 0x200000 0x60000000 4K prot=CACHE', -22, 'EINVAL', undefined],
    ['map 0x200000 0x60000000 pgsize=4K count=0', -22, 'EINVAL', undefined],
    ['map 0x100000000 0x60000000 4K', -34, 'ERANGE', /^WARNING: /],
    ['map 0x200000 0x100000000 4K', -34, 'ERANGE', /^WARNING: /],
    ['unmap 0x200000 4K', 0, null, /^WARNING: /],
    ['unmap 0x100010 4K', 0, null, /^iommu: unaligned: /],
    ['unmap 0x100000000 pgsize=4K', 0, null, /^WARNING: /],
    ['unmap 0x2000000 pgsize=16M', 0, null, /^WARNING: /],
  ] as const) {
    const result = ran(`${fine}\n${line}\nphys 0x100000`);
    assert.equal(result.load.failed, 1, line);
    const [failure] = result.failures;
    assert.deepEqual([failure!.line, failure!.ret, failure!.error], [5, ret, error], line);
    if (message === undefined) assert.deepEqual(failure!.messages, [], line);
    else assert.match(failure!.messages[0]!, message, line);
    // A table that was made for a part that was undone again is all that may be left.
    const after = { ...result, tables: result.tables.filter(({ used }) => used > 0) };
    assert.deepEqual(mapped({ ...after, firstLevel: withoutEmpty(result) }), before, line);
    assert.equal(result.lookups[0]!.paddr, 0x40000000);
    assert.equal(result.freed!.leftBytes, 0);
  }
});

/** The first level as if empty tables were not there. */
function withoutEmpty({ firstLevel, tables }: IommuResult): IommuResult['firstLevel'] {
  const entries = [...firstLevel!.entries];
  for (const { iova, used } of tables) if (used === 0) entries[iova! / MIB] = '.';
  return { ...firstLevel!, entries: entries.join('') };
}

test('an unmap that stops halfway says how far it came', () => {
  const { failures } = ran(
    'map 0x100000 0x40000000 8K\nunmap 0x100000 16K\nmap 0 0x40000000 pgsize=4K count=2\n',
  );
  assert.deepEqual(
    failures.map(({ line, asked, achieved }) => [line, asked, achieved]),
    [[2, 16 * KIB, 8 * KIB]],
  );
  const half = ran('map 0x2000 0x40000000 4K\nmap 0 0x50000000 pgsize=4K count=4');
  assert.deepEqual(
    half.failures.map(({ error, asked, achieved }) => [error, asked, achieved]),
    [['EEXIST', 16 * KIB, 8 * KIB]],
  );
  assert.equal(half.tables[0]!.used, 3, 'what the driver itself mapped stays');
});

test('a scattered buffer that cannot be mapped whole is not mapped at all', () => {
  const { failures, tables } = ran('map 0x8000 0x40000000 4K\nmap 0 0x50000000 64K chunk=4K stride=8K');
  assert.deepEqual([failures.length, failures[0]!.error], [1, 'EEXIST']);
  assert.deepEqual(
    tables.map(({ used }) => used),
    [1],
  );
});

test('without SLAB_CACHE_DMA32 tables above 4 GiB are refused; on a board without such memory it does no harm', () => {
  const load = script('map 0x100000 0x40000000 4K\nmap 0x200000 0x50000000 1M');
  const board = { machine: 'mt8173', cpus: 1, standing: false };
  for (const machine of [board, { ...board, machine: 'sun50i' }, { ...board, machine: 'rk3568' }]) {
    const bug = runIommu(load, { machine, tables: 'slub' });
    assert.deepEqual([bug.load.failed, bug.failures[0]!.error], [1, 'ENOMEM'], machine.machine);
    assert.match(bug.failures[0]!.messages[0]!, /^Page table does not fit in PTE: 0x00000001[\da-f]{8}$/);
    assert.deepEqual([bug.secondLevel.above4GiB, bug.secondLevel.live], [1, 0]);
    assert.match(bug.words[0]!, /^1 of 1 tables came from above 4 GiB/);
    assert.deepEqual(bug.freed, { tables: 0, leftBytes: 0 });
    assert.equal(runIommu(load, { machine }).load.failed, 0, 'the driver’s own cache');
  }
  const harmless = runIommu(load, { machine: { ...board, memory: 3 * GIB }, tables: 'slub' });
  assert.equal(harmless.load.failed, 0);
  assert.match(harmless.words[0]!, /^No RAM of this machine lies above 4 GiB/);
});

/** More tables than a slab holds, while somebody holds all memory below 4 GiB. */
const OUT_OF_MEMORY = `
  map 0 0x40000000 4K
  exhaust
  map 0x1000000 0x50000000 64M chunk=4K stride=8K gfp=ATOMIC
  release
  map 0x1000000 0x50000000 64M chunk=4K stride=8K
`;

test('memory that runs out is -ENOMEM, and a mapping later succeeds', () => {
  const { failures, load, secondLevel, freed } = ran(OUT_OF_MEMORY);
  assert.deepEqual([load.failed, failures[0]!.line, failures[0]!.error], [1, 4, 'ENOMEM']);
  assert.match(failures[0]!.messages[0]!, /^SLUB: Unable to allocate memory/);
  assert.equal(secondLevel.live, 65);
  // What somebody else held counts for nothing.
  assert.equal(secondLevel.peakBytes, secondLevel.endBytes);
  assert.equal(freed!.leftBytes, 0);
});

test('the driver of v6 does not look, and the run ends where a kernel would', () => {
  const { crash, load, freed, words } = ran(OUT_OF_MEMORY, { era: 'v6' });
  assert.deepEqual([crash!.line, load.done, load.operations, freed], [4, 3, 5, null]);
  assert.match(crash!.outcome, /oops/);
  assert.match(crash!.text, /^map 0x1000000 0x50000000 64M chunk=4K stride=8K gfp=ATOMIC$/);
  assert.ok(words.some((sentence) => sentence.endsWith('so does this. 2 operations were not done.')));
  assert.equal(ran('map 0 0x40000000 4K', { era: 'v6' }).crash, null, 'with memory it is as good as any');
});

test('bugs of the driver are listed with their lines, and mended where that is asked for', () => {
  const text = 'map 0x100000 0x40100000 1M\nunmap 0x110000 4K\nphys 0x120000';
  const kernel = ran(text);
  assert.deepEqual(
    kernel.bugs.map(({ line, text, kind }) => [line, text, kind]),
    [[2, 'unmap 0x110000 4K', 'lost-address']],
  );
  assert.equal(kernel.load.bugs, 1);
  assert.equal(kernel.lookups[0]!.paddr, 0x20000);
  const fixed = ran(text, { faults: 'fixed' });
  assert.deepEqual([fixed.load.bugs, fixed.lookups[0]!.paddr], [0, 0x40120000]);
});

test('giving emptied tables back is run beside the kernel’s way', () => {
  const load = generateIommuLoad({ seed: 2, ops: 800 });
  const { freeEmpty, secondLevel, words } = runIommu(load, { machine: SMALL, freeEmpty: true });
  const { kernel, freeing } = freeEmpty!;
  assert.deepEqual(kernel, secondLevel);
  assert.ok(kernel.empty > 0 && freeing.empty === 0);
  assert.equal(freeing.live, kernel.live - kernel.empty, 'the same is mapped');
  assert.ok(freeing.allocated > kernel.allocated && freeing.meanBytes < kernel.meanBytes);
  assert.match(words.at(-1)!, /^To give tables back .* would save .* more would be allocated/);
  assert.equal(runIommu(load, { machine: SMALL }).freeEmpty, null);
});

/** Lines of a script within 64 MiB, right and wrong ones. */
const anyLine = fc
  .record({
    verb: fc.constantFrom('map', 'unmap'),
    unit: fc.constantFrom('4K', '64K', '1M', '16M'),
    slot: fc.integer({ min: 0, max: 64 }),
    off: fc.constantFrom(0, 0, 0, 4, 60, 64, 1020),
    paddr: fc.constantFrom('0x40000000', '0x40010000', '0x41001000'),
    count: fc.integer({ min: 0, max: 20 }),
    core: fc.boolean(),
  })
  .map(({ verb, unit, slot, off, paddr, count, core }) => {
    const bytes = { '4K': 4, '64K': 64, '1M': 1024, '16M': 16384 }[unit]! * KIB;
    const iova = Math.min(((slot * bytes) % (64 * MIB)) + off * KIB, 64 * MIB);
    const what = core ? `0x${(bytes * count).toString(16)}` : `pgsize=${unit} count=${count}`;
    return verb === 'map' ? `map ${iova} ${paddr} ${what}` : `unmap ${iova} ${what}`;
  });

test('no script breaks the machine, and only a bug of the kernel’s can lose a table', () => {
  fc.assert(
    fc.property(
      fc.array(anyLine, { minLength: 1, maxLength: 40 }),
      fc.constantFrom('kernel' as const, 'fixed' as const),
      (lines, faults) => {
        // finish() validates before and after the domain is freed.
        const result = ran(lines.join('\n'), { faults });
        const lost = result.tables.filter(({ iova }) => iova === null).length;
        if (lost > 0) assert.ok(result.bugs.some(({ kind }) => kind === 'overwritten'));
        else assert.equal(result.freed!.leftBytes, 0);
        if (faults === 'fixed') assert.equal(lost + result.load.bugs, 0);
        assert.equal(result.freed!.tables, result.tables.length - lost);
        assert.equal(result.load.done, lines.length);
      },
    ),
    { numRuns: 60, seed: 23 },
  );
});

test('a generated load is mapped without a failure, the same each time', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1 << 20 }), (seed) => {
      const load = generateIommuLoad({ seed, ops: 300 });
      const result = runIommu(load, { machine: SMALL });
      assert.deepEqual(
        [result.load.failed, result.load.bugs, result.load.warnings, result.freed!.leftBytes],
        [0, 0, 0, 0],
      );
      assert.deepEqual(runIommu(load, { machine: SMALL }), result);
      const live = new Map<number, number>();
      for (const step of load.steps) {
        if (step.kind === 'map') live.set(step.iova, step.size);
        else if (step.kind === 'unmap') live.delete(step.iova);
      }
      const size = [...live.values()].reduce((sum, each) => sum + each, 0);
      assert.equal(result.firstLevel!.mappedBytes, size);
    }),
    { numRuns: 5, seed: 11 },
  );
});

test('whatever tables come from, they map the same, and none is left', () => {
  const load = generateIommuLoad({ seed: 4, ops: 200 });
  const machine = { machine: 'mt8173', memory: 64 * MIB, cpus: 1, standing: false };
  const driver = runIommu(load, { machine });
  for (const id of STRATEGIES.keys()) {
    const result = runIommu(load, { machine, tables: id });
    assert.deepEqual(mapped(result), mapped(driver), id);
    assert.deepEqual(result.freed, driver.freed, id);
    assert.equal(result.domain.tablesFrom, id);
    assert.ok(result.secondLevel.peakBytes >= driver.secondLevel.peakLive * KIB, id);
  }
});

test('a load that was recorded brings its domain with it; options win', () => {
  const quirks = IO_PGTABLE_QUIRK.NO_PERMS | IO_PGTABLE_QUIRK.ARM_MTK_EXT;
  const load = { ...script('map 0x100000000 0x40000000 4K'), config: { ias: 34, quirks } };
  const { domain, load: summary, firstLevel } = runIommu(load, { machine: SMALL });
  assert.deepEqual([domain.ias, domain.quirks, summary.failed], [34, ['NO_PERMS', 'ARM_MTK_EXT'], 0]);
  assert.equal(firstLevel!.entries.indexOf('t'), 4096);
  assert.equal(runIommu(load, { machine: SMALL, config: { ias: 32 } }).failures[0]!.error, 'ERANGE');
});

test('a domain that the kernel does not make is said to be none', () => {
  const { domain, firstLevel, load, freed, tables } = ran('map 0 0x40000000 4K', { config: { ias: 33 } });
  assert.match(domain.refused!, /^ias 33 is more than the 32 bits/);
  assert.deepEqual([firstLevel, load.done, freed, tables, domain.registers], [null, 0, null, [], null]);
  const strategy = ran('map 0 0x40000000 4K', { config: { quirks: 64 }, tables: 'genalloc' });
  assert.match(strategy.domain.refused!, /quirks 0x40/);
});

test('walks end where the address is mapped', () => {
  const { walks } = ran('map 0x100000 0x40000000 4K\nmap 0x200000 0x50000000 1M', {
    walks: [0x100042, 0x200042, 0x300000],
  });
  assert.deepEqual(
    walks.map(({ iova, steps }) => [iova, steps.map(({ kind }) => kind), steps.at(-1)!.output]),
    [
      [0x100042, ['table', 'small page'], 0x40000042],
      [0x200042, ['section'], 0x50000042],
      [0x300000, ['fault'], undefined],
    ],
  );
});

test('options that cannot be meant are refused', () => {
  assert.throws(() => ran('', { walks: [2 ** 32] }), ArgumentError);
  assert.throws(() => ran('', { tables: 'slob' }), UnknownNameError);
  assert.throws(() => ran('', { machine: { machine: 'mt8137' } }), UnknownNameError);
  assert.equal(ran('').load.operations, 0, 'a script may do nothing');
});

test('the tables of a load are a workload', () => {
  const workload = iommuWorkload(
    script(`
      map 0 0x40000000 4K
      map 0x100000 0x40000000 4K
      exhaust
      map 0x1000000 0x50000000 20M chunk=64K stride=128K
      unmap 0x1000000 20M
      map 0x300000 0x50000000 4K
      unmap 0x300000 4K
    `),
  );
  assert.deepEqual(
    [workload.allocations, workload.frees, workload.endLive, workload.endEmpty],
    [23, 20, 3, 1],
  );
  assert.deepEqual([...workload.opEnds], [1, 2, 2, 22, 42, 43, 43]);
  assert.equal(workload.peakLive, 22);
  assert.equal(workload.drain.length, 3);
  assert.equal(workload.source, 'iommu:test.iommu');
  assert.throws(() => iommuWorkload(script('map 0 0 1M')), /a workload needs at least one event/);
  assert.throws(
    () => iommuWorkload({ ...script('map 0 0 4K'), config: { oas: 36 } }),
    /the kernel makes no such domain: oas 36/,
  );
});

test('a domain that is left open can be looked at until it is closed, and comes to the same', () => {
  const load = generateIommuLoad({ seed: 3, ops: 200 });
  const options = { freeEmpty: true, walks: [0x1000] };
  let steps = 0;
  const open = openIommu(load, options, () => steps++);
  assert.equal(steps, 400, 'the comparison does all of it once more');
  assert.equal(open.result.freed, null);
  const [table] = open.result.tables;
  assert.equal(open.domain!.walk(table!.iova!)[0]!.next, table!.address);
  open.machine.validate();
  const whole = open.close();
  assert.deepEqual(whole, runIommu(load, options));
  assert.deepEqual({ ...whole, freed: null }, open.result);
  assert.throws(() => open.domain!.walk(0), /was freed/);
  open.machine.validate();
});
