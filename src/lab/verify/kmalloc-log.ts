/**
 * The kernel's log of a misuse, and ours, as lines that can be compared.
 *
 * Left out, because they are the recorded machine's own: stacks, registers, module lists, lines about CPU, PID and taint, rulers, and what
 * other parts of the kernel say (debugfs, rcu). In what stays, addresses become `@` (or NULL), a range of addresses its length, page
 * flags their names without the zone. Any line that is not known to be one of those is compared as it stands.
 *
 * Bytes of a dump are compared one by one. Not compared are: the eight bytes of a free pointer, which are an address; and bytes that
 * nobody wrote since the machine was started, which are whatever the boot had left there.
 */

/** A line that stays. */
interface ReportLine {
  readonly text: string;
  /** A dump's bytes, and the address of the first. */
  readonly bytes?: readonly string[];
  readonly at?: number;
}

const LEFT_OUT: readonly RegExp[] = [
  /^\s*$/,
  /^[=-]+$/,
  /^-+\[ cut here \]-+$/,
  /^---\[ end trace/,
  /^(RIP|RSP|R[A-D]X|R[BSD]P|R[0-9][0-9]|RSI|RDI|FS|CS|CR[0-9]|DR[0-9]|Code|ORIG_RAX): ?/,
  /^CPU: \d/,
  /^Modules linked in:/,
  /^Tainted: /,
  /^Disabling lock debugging/,
  /^note: \S+ exited/,
  /^Kernel Offset:/,
  /^#PF: /,
  /^PGD /,
  /^(Oops: )?Oops: [0-9a-f]{4} \[#/,
  /^rcu: /,
  /^\t\((t=|detected by)/,
  /^Sending NMI from CPU/,
  /^(INFO: NMI handler|NMI backtrace for cpu)/,
  /^ (\? )?(0x[0-9a-f]+|[\w.]+\+0x[0-9a-f]+\/)/,
  /^ <\/?\w+>$/,
  /^debugfs: /,
  // The page allocator explains what a kernel does without a word.
  /names an impossible zone/,
];

/** Warnings that the engine words by itself, and the places where kernels have them. */
const OWN_WARNINGS: readonly (readonly [ours: RegExp, theirs: readonly string[]])[] = [
  [/^WARNING: order \d+/, ['mm/page_alloc.c __alloc_pages']],
  [/^WARNING: usercopy region/, ['mm/slab_common.c kmem_cache_create_usercopy']],
  [/^WARNING: __GFP_ZERO with a constructor/, ['mm/slub.c ___slab_alloc', 'mm/slab.c cache_alloc_refill']],
];

const ADDRESS = /0x(\(____ptrval____\)|[0-9a-f]{16})/g;
const DUMP = /^(Redzone|Object|Padding|Bytes b4)\s+([0-9a-f]{16}): ((?:[0-9a-f]{2} ?){1,16})/;

/** The lines of a log that are compared. */
export function reportLines(log: readonly string[]): ReportLine[] {
  const lines: ReportLine[] = [];
  let inStack = false;
  for (const line of log) {
    if (/^Call Trace:/.test(line)) inStack = true;
    else if (inStack) inStack = !/^ <\/TASK>/.test(line);
    else if (!LEFT_OUT.some((pattern) => pattern.test(line))) lines.push(reportLine(line));
  }
  return lines;
}

function reportLine(line: string): ReportLine {
  const dump = DUMP.exec(line);
  if (dump !== null) {
    // Sixteen digits do not fit a number; the last twelve tell places in a dump apart.
    return { text: dump[1]!, bytes: dump[3]!.trim().split(' '), at: Number.parseInt(dump[2]!.slice(4), 16) };
  }
  const own = OWN_WARNINGS.find(([ours]) => ours.test(line));
  if (own !== undefined) return { text: `WARNING at ${own[1].join(' or ')}` };
  const warning = /^WARNING: CPU: \d+ PID: \d+ at ([^\s:]+)(?::\d+)? ([\w]+)/.exec(line);
  if (warning !== null) {
    const place = `${warning[1]} ${warning[2]!.replace(/_noprof$/, '')}`;
    const same = OWN_WARNINGS.find(([, theirs]) => theirs.includes(place));
    return { text: `WARNING at ${same?.[1].join(' or ') ?? place}` };
  }
  const text = line
    .replace(/^\[[\w ]+ overwritten\] /, '')
    .replace(/ \((Tainted: [^)]*|Not tainted)\)/, '')
    .replace(
      /0x([0-9a-f]{16})-0x([0-9a-f]{16})/g,
      (_, from, to) => `${Number(BigInt(`0x${to}`) - BigInt(`0x${from}`)) + 1} bytes`,
    )
    .replace(ADDRESS, (_, digits) => (/^0+$/.test(digits) ? 'NULL' : '@'))
    .replace(/flags=(@|0x[0-9a-f]+)\(([^)]*?)\|?zone=\d\)/, 'flags=$2')
    .replace(/^(Allocated|Freed) in .*/, '$1 in')
    .replace(/(still has objects when called from) .*/, '$1')
    .replace(/^(Oops: )?divide error: .*/, 'divide error')
    .trimEnd();
  return { text };
}

/** Where free pointers lie inside an object, by cache. */
type FreePointerAt = (cache: string) => number | undefined;

const WORD = 8;

/**
 * Our lines, from two machines whose untouched memory differs: a byte that differs between them is nobody's. Free pointers are marked in
 * the same way. `null` stands for a byte that is not compared.
 */
export function maskedLines(
  ours: readonly ReportLine[],
  twin: readonly ReportLine[],
  freePointerAt: FreePointerAt,
): { text: string; bytes?: (string | null)[] }[] {
  let cache = '';
  let objectAt = Number.NaN;
  return ours.map((line, i) => {
    const headline = /^BUG (\S+): /.exec(line.text);
    if (headline !== null) {
      cache = headline[1]!;
      objectAt = Number.NaN;
    }
    if (line.bytes === undefined) return { text: line.text };
    if (line.text === 'Object' && Number.isNaN(objectAt)) objectAt = line.at!;
    const pointer = freePointerAt(cache);
    const other = twin[i]?.bytes ?? [];
    const bytes = line.bytes.map((byte, k) => {
      const place = line.at! + k - objectAt - (pointer ?? Number.NaN);
      return (place >= 0 && place < WORD) || other[k] !== byte ? null : byte;
    });
    return { text: line.text, bytes };
  });
}

/** The recorded line with the same bytes left out, so that the two can be compared as values. */
export function maskLike(recorded: ReportLine, like: { bytes?: (string | null)[] } | undefined) {
  if (recorded.bytes === undefined) return { text: recorded.text };
  return {
    text: recorded.text,
    bytes: recorded.bytes.map((byte, k) => (like?.bytes?.[k] === null ? null : byte)),
  };
}
