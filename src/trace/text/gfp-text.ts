/**
 * gfp flags as traces write them: `GFP_KERNEL|__GFP_ZERO`, `none`, `GFP_NOWAIT|0x4000000` for what is left over, or a bare number from
 * `trace-cmd report -R` and from kernels whose names a tool could not resolve.
 *
 * Names become the bits as 6.1 numbers them, whatever kernel the trace is from: the numbers have moved, the names' meaning has not. A name
 * for which 6.1 on x86_64 has no bit (it says something of tags, lockdep or profiling) adds none. A number's bits are taken as 6.1's.
 *
 * Sources: include/trace/events/mmflags.h of 4.20 to 6.18 for the names that exist.
 */
import { gfpOfName } from '../../machine/index.js';

/** Names of other kernels and configurations that have no bit in 6.1 on x86_64. */
const WITHOUT_BIT: ReadonlySet<string> = new Set([
  '__GFP_SKIP_ZERO',
  '__GFP_SKIP_KASAN',
  '__GFP_SKIP_KASAN_POISON',
  '__GFP_SKIP_KASAN_UNPOISON',
  '__GFP_NOLOCKDEP',
  '__GFP_NO_OBJ_EXT',
  '__GFP_CMA',
]);

interface GfpText {
  readonly bits: number;
  /** The text is a number. */
  readonly isNumber: boolean;
  /** Names that say nothing to this room. */
  readonly unknown: readonly string[];
}

const NUMBER = /^(?:0x[0-9a-f]{1,16}|\d{1,20})$/i;

export function readGfp(text: string): GfpText {
  if (NUMBER.test(text)) {
    return { bits: Number(BigInt(text) & 0xffffffffn), isNumber: text !== '0', unknown: [] };
  }
  let bits = 0;
  const unknown: string[] = [];
  for (const word of text.split('|')) {
    const known = /^0x[0-9a-f]{1,8}$/i.test(word) ? Number(word) : gfpOfName(word);
    if (known !== undefined) bits |= known;
    else if (!WITHOUT_BIT.has(word)) unknown.push(word);
  }
  return { bits: bits >>> 0, isNumber: false, unknown };
}
