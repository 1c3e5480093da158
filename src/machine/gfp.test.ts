import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { UnknownNameError } from '../base/index.js';
import { __GFP, formatGfp, GFP, GFP_KNOWN_BITS, parseGfp } from './gfp.js';

/**
 * The names in the order of Linux 6.1's trace format, `print fmt` of kmem:kmalloc as a running kernel
 * describes it. The kernel goes down this list and prints each name all of whose bits are still there.
 */
const RECORDED: readonly (readonly [name: string, bits: number])[] = [
  ['GFP_TRANSHUGE', 0x1c24ca],
  ['GFP_TRANSHUGE_LIGHT', 0x1c20ca],
  ['GFP_HIGHUSER_MOVABLE', 0x100cca],
  ['GFP_HIGHUSER', 0x100cc2],
  ['GFP_USER', 0x100cc0],
  ['GFP_KERNEL_ACCOUNT', 0x400cc0],
  ['GFP_KERNEL', 0xcc0],
  ['GFP_NOFS', 0xc40],
  ['GFP_ATOMIC', 0xa20],
  ['GFP_NOIO', 0xc00],
  ['GFP_NOWAIT', 0x800],
  ['GFP_DMA', 0x01],
  ['__GFP_HIGHMEM', 0x02],
  ['GFP_DMA32', 0x04],
  ['__GFP_HIGH', 0x20],
  ['__GFP_ATOMIC', 0x200],
  ['__GFP_IO', 0x40],
  ['__GFP_FS', 0x80],
  ['__GFP_NOWARN', 0x2000],
  ['__GFP_RETRY_MAYFAIL', 0x4000],
  ['__GFP_NOFAIL', 0x8000],
  ['__GFP_NORETRY', 0x10000],
  ['__GFP_COMP', 0x40000],
  ['__GFP_ZERO', 0x100],
  ['__GFP_NOMEMALLOC', 0x80000],
  ['__GFP_MEMALLOC', 0x20000],
  ['__GFP_HARDWALL', 0x100000],
  ['__GFP_THISNODE', 0x200000],
  ['__GFP_RECLAIMABLE', 0x10],
  ['__GFP_MOVABLE', 0x08],
  ['__GFP_ACCOUNT', 0x400000],
  ['__GFP_WRITE', 0x1000],
  ['__GFP_RECLAIM', 0xc00],
  ['__GFP_DIRECT_RECLAIM', 0x400],
  ['__GFP_KSWAPD_RECLAIM', 0x800],
  ['__GFP_ZEROTAGS', 0x800000],
];

/** What stood behind `gfp_flags=` in the recorded traces, the rarer half of it. */
const IN_TRACES = [
  'GFP_HIGHUSER_MOVABLE|__GFP_COMP|__GFP_ZERO',
  'GFP_NOFS|__GFP_HIGHMEM|__GFP_NOWARN|__GFP_NORETRY|__GFP_COMP|__GFP_HARDWALL|__GFP_MOVABLE',
  'GFP_ATOMIC|__GFP_NOWARN|__GFP_NOMEMALLOC',
  'GFP_KERNEL_ACCOUNT|__GFP_NOWARN|__GFP_COMP|__GFP_NOMEMALLOC',
  'GFP_HIGHUSER|__GFP_ACCOUNT',
  'GFP_NOWAIT|__GFP_IO|__GFP_FS|__GFP_NOWARN|__GFP_COMP|__GFP_ACCOUNT',
  'GFP_KERNEL|__GFP_COMP|__GFP_RECLAIMABLE',
  '__GFP_IO|__GFP_FS|__GFP_NOWARN|__GFP_NORETRY|__GFP_COMP|__GFP_NOMEMALLOC|__GFP_RECLAIMABLE',
  'GFP_NOWAIT|__GFP_IO|__GFP_FS|__GFP_NOWARN|__GFP_NORETRY|__GFP_NOMEMALLOC',
  'GFP_KERNEL_ACCOUNT|__GFP_RETRY_MAYFAIL|__GFP_ZERO',
  'GFP_ATOMIC|__GFP_NOWARN|__GFP_COMP|__GFP_RECLAIMABLE',
  'GFP_NOIO|__GFP_HIGHMEM|__GFP_NOWARN|__GFP_NORETRY',
  '__GFP_HIGH|__GFP_ATOMIC|__GFP_ZERO',
  '__GFP_NOWARN|__GFP_NORETRY|__GFP_COMP',
  'GFP_USER|__GFP_COMP',
  '__GFP_HIGHMEM',
  'none',
];

const knownBits = fc.integer({ min: 0, max: GFP_KNOWN_BITS });

/** The kernel's rule, on the recorded list. */
function spelled(flags: number): string {
  const names: string[] = [];
  let rest = flags;
  for (const [name, bits] of RECORDED) {
    if ((rest & bits) !== bits) continue;
    names.push(name);
    rest &= ~bits;
  }
  assert.equal(rest, 0, 'the list names every known bit');
  return names.join('|') || 'none';
}

test('every mask of known bits is spelled as the kernel does, and read back', () => {
  fc.assert(
    fc.property(knownBits, (bits) => {
      assert.equal(formatGfp(bits), spelled(bits));
      assert.equal(parseGfp(formatGfp(bits)), bits);
    }),
    { numRuns: 2000 },
  );
});

test('every recorded name has the recorded value', () => {
  for (const [name, bits] of RECORDED) {
    assert.equal(parseGfp(name), bits, name);
    // `__GFP_RECLAIM` comes behind GFP_NOIO, which has the same value: it is never printed.
    assert.equal(formatGfp(bits), RECORDED.find((other) => other[1] === bits)![0]);
  }
});

test('the engine names its constants as the kernel does', () => {
  const recorded = new Map(RECORDED);
  for (const [name, bits] of Object.entries(GFP)) assert.equal(bits, recorded.get(`GFP_${name}`), name);
  for (const [name, bits] of Object.entries(__GFP)) {
    // The two that have no name of their own print as what they alone are.
    const printed = name === 'DMA' || name === 'DMA32' ? `GFP_${name}` : `__GFP_${name}`;
    assert.equal(bits, recorded.get(printed), name);
  }
});

test('masks from recorded traces go through unchanged', () => {
  for (const text of IN_TRACES) assert.equal(formatGfp(parseGfp(text)), text);
});

test('no bit is none; unknown bits are hexadecimal, at the end', () => {
  assert.equal(formatGfp(0), 'none');
  assert.equal(parseGfp('none'), 0);
  assert.equal(formatGfp(GFP.KERNEL | 0x1000000), 'GFP_KERNEL|0x1000000');
  assert.equal(formatGfp(0x80000000), '0x80000000');
  const unknown = fc.integer({ min: 1, max: 0xff }).map((high) => (high << 24) >>> 0);
  fc.assert(
    fc.property(knownBits, unknown, (known, high) => {
      const names = known === 0 ? '' : `${spelled(known)}|`;
      assert.equal(formatGfp(known + high), `${names}0x${high.toString(16)}`);
      assert.equal(parseGfp(formatGfp(known + high)) >>> 0, known + high);
    }),
  );
});

test('parseGfp takes spaces, numbers, and both names of the zone bits', () => {
  assert.equal(parseGfp('GFP_KERNEL | __GFP_ZERO'), 0xdc0);
  assert.equal(parseGfp('0xcc0|GFP_DMA32'), 0xcc4);
  assert.equal(parseGfp('__GFP_DMA|__GFP_DMA32'), 0x5);
  assert.equal(parseGfp('GFP_KERNEL|GFP_KERNEL'), GFP.KERNEL);
});

test('an unknown word is refused with a suggestion', () => {
  const suggests = (word: string, wanted: string) =>
    assert.throws(
      () => parseGfp(`GFP_KERNEL|${word}`),
      (error) =>
        error instanceof UnknownNameError &&
        error.word === word &&
        error.suggestions.includes(wanted) &&
        error.message.startsWith(`no gfp flag is called '${word}'; did you mean `),
      word,
    );
  suggests('GFP_KERNAL', 'GFP_KERNEL');
  suggests('GFP_ATOMlC', 'GFP_ATOMIC');
  suggests('__GFP_ZER0', '__GFP_ZERO');
  suggests('gfp_dma32', 'GFP_DMA32');
  assert.throws(() => parseGfp(''), UnknownNameError);
  assert.throws(() => parseGfp('GFP_KERNEL|'), UnknownNameError);
});
