/**
 * What a domain has to say: the kernel's warnings, and where the kernel's own bugs bit.
 */
import { formatAddress } from '../base/index.js';
import type { KernelLog } from '../machine/index.js';

/** Numbers are those of the rules in armv7s.ts. */
export type DriverBugKind =
  /** 1: a section was split and the rest of it maps physical 0 and up. */
  | 'lost-address'
  /** 2: a part of a supersection behind its first MiB was not unmapped. */
  | 'not-unmapped'
  /** 3: an unaligned 64 KiB unmap in a section reported success and unmapped nothing. */
  | 'no-hole'
  /** 4: an address was no multiple of its block's or slot's size: bits of it became attributes, or were cut off. */
  | 'unaligned'
  /** 5: an unaligned unmap left a part of a contiguous entry. */
  | 'half-block'
  /** 6: a split wrote over slots that were not the entry's: mappings came back, tables were lost. */
  | 'overwritten'
  /** 7: a map that failed with -EEXIST had unhooked tables that were in use. */
  | 'lost-tables'
  /** 8: a call ran over the end of the address space and went on elsewhere. */
  | 'wrapped'
  /** 9: refused here; the kernel would touch memory outside its table. */
  | 'outside-table';

/** One time that one of the kernel's bugs bit. */
export interface DriverBug {
  readonly kind: DriverBugKind;
  /** Of the call, or of the block of it that it happened to. */
  readonly iova: number;
  /** Bytes. */
  readonly size: number;
  /** What happened, as a sentence. */
  readonly words: string;
}

/** A driver in a loop of mistakes must not fill memory: later ones are only counted. */
const BUGS_KEPT = 4096;

export class DriverReports {
  readonly bugs: DriverBug[] = [];
  readonly #log: KernelLog;
  #warnings = 0;
  #bugCount = 0;

  constructor(log: KernelLog) {
    this.#log = log;
  }

  /** WARN_ONs that fired. */
  get warnings(): number {
    return this.#warnings;
  }

  /** Bugs that bit, kept or not. */
  get bugCount(): number {
    return this.#bugCount;
  }

  /** A WARN_ON in a function of the kernel's. The kernel prints where it stands and a call trace; here it says what it found. */
  warn(where: string, words: string): void {
    this.#warnings++;
    this.#log.add(`WARNING: ${where}: ${words}`);
  }

  /** A line that the kernel prints, or that says why it would not go on. */
  say(line: string): void {
    this.#log.add(line);
  }

  bug(kind: DriverBugKind, iova: number, size: number, words: string): void {
    this.#bugCount++;
    if (this.bugs.length < BUGS_KEPT) this.bugs.push({ kind, iova, size, words });
  }

  /** The kernel would go on outside the table; nothing is done instead. */
  outside(where: string, iova: number, size: number, words: string): void {
    this.say(
      `WARNING: ${where}: iova ${formatAddress(iova)}: ${words}: the kernel has no check and would write outside the table`,
    );
    this.bug('outside-table', iova, size, `${words}, and the kernel has no check for it: refused here`);
  }
}
