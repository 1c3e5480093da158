/**
 * # Names for call sites that are addresses
 *
 *     reader ─▸ batch.site: 0xffffffff811c107b ─▸ naming sink ─▸ batch.site: getname_flags+0x2b ─▸ resolver
 *
 * Some formats have no names: perf.data, a trace.dat without kallsyms, a text with raw addresses. The table of the recorded kernel, given
 * beside a trace of any format, names what is an address still; what has a name keeps it. A .slt holds no events any more: there the rows'
 * call sites and the classes' functions are named.
 */
import { InputError, printable } from '../../base/index.js';
import {
  type EventBatch,
  type EventSink,
  fromUtf8,
  parseKallsyms,
  type Symbols,
  type TraceChunk,
} from '../batch/index.js';
import { functionName } from '../resolve/index.js';
import type { SavedTrace } from './trace-file.js';

/** A table of symbols that somebody gave. */
export interface GivenSymbols {
  /** What messages call it. */
  readonly file: string;
  readonly bytes: Uint8Array;
  readonly symbols: Symbols;
}

const LINE = /^[0-9a-f]{8,16} [a-z?] \S/i;
const LINES_LOOKED_AT = 100;
const HEAD_BYTES = 1 << 14;
const EXCERPT_LENGTH = 40;
const ADDRESS = /^0x[0-9a-f]{1,16}$/;

/**
 * Reads the text of /proc/kallsyms or of a System.map. Throws InputError for what is neither, and for a table that was read without
 * permission: all of its addresses are zero.
 */
export function readSymbols(bytes: Uint8Array, file: string): GivenSymbols {
  const head = fromUtf8(bytes, 0, Math.min(bytes.length, HEAD_BYTES));
  const lines = head.split('\n').slice(0, LINES_LOOKED_AT);
  // The last may be cut.
  if (lines.length > 1) lines.pop();
  const bad = lines.findIndex((line) => line.trim() !== '' && !LINE.test(line));
  if (bad >= 0 || head.trim() === '') {
    const stands = printable((lines[bad] ?? '').slice(0, EXCERPT_LENGTH));
    throw new InputError(
      file,
      Math.max(bad, 0) + 1,
      `expected a table of symbols as /proc/kallsyms or System.map has them, 'address type name' a line; there stands '${stands}'`,
    );
  }
  const symbols = parseKallsyms(bytes);
  if (symbols.count > 0) return { file, bytes, symbols };
  throw new InputError(
    file,
    1,
    'names no function: all of its addresses are zero, as somebody without permission reads them (kptr_restrict); ' +
      'read /proc/kallsyms as root',
  );
}

/** What a table named. */
class Naming {
  readonly #given: GivenSymbols;
  addresses = 0;
  named = 0;

  constructor(given: GivenSymbols) {
    this.#given = given;
  }

  /** The name of what is an address; undefined for what has one, or gets none. */
  of(site: string): string | undefined {
    if (!ADDRESS.test(site)) return undefined;
    this.addresses++;
    const digits = site.slice(2).padStart(16, '0');
    const low = Number.parseInt(digits.slice(8), 16);
    const high = Number.parseInt(digits.slice(0, 8), 16);
    const name = this.#given.symbols.nameOf(low, high);
    if (name !== undefined) this.named++;
    return name;
  }

  /** What a person should know: sentences. */
  notes(): string[] {
    const { file } = this.#given;
    const { addresses, named } = this;
    if (named === addresses) return [];
    const why = 'it is of another kernel, or of another boot: a kernel is moved at each (KASLR)';
    if (named === 0) return [`${file} names none of the ${addresses} call sites that are addresses: ${why}`];
    const rest = `${addresses - named} of the ${addresses} call sites that are addresses`;
    return [`${file} does not name ${rest}: modules that were loaded later, or ${why}`];
  }
}

/** A sink that names the call sites of events before another takes them. */
export function createNamingSink(
  sink: EventSink,
  given: GivenSymbols,
): { readonly sink: EventSink; notes(): string[] } {
  const naming = new Naming(given);
  const { strings } = sink;
  /** By text: the text to be taken instead, plus one. */
  const instead: number[] = [];
  const nameOf = (site: number): number => {
    const name = naming.of(strings.text(site));
    return name === undefined ? site : strings.internText(name);
  };
  return {
    notes: () => naming.notes(),
    sink: {
      strings,
      take(batch: EventBatch) {
        for (let i = 0; i < batch.length; i++) {
          const site = batch.site[i]!;
          if (site === 0) continue;
          instead[site] ??= nameOf(site) + 1;
          batch.site[i] = instead[site]! - 1;
        }
        sink.take(batch);
      },
    },
  };
}

/** A saved trace with names for the call sites that are addresses in it. */
export function withNames(trace: SavedTrace, given: GivenSymbols): SavedTrace {
  const naming = new Naming(given);
  const { strings, classes, report, source } = trace;
  const count = strings.count;
  const instead = new Uint32Array(count);
  for (let id = 0; id < count; id++) {
    const name = naming.of(strings.text(id));
    instead[id] = name === undefined ? id : strings.internText(name);
  }
  const functions = new Naming(given);
  const functionOf = (site: string): string => {
    const name = functions.of(site);
    return name === undefined ? site : functionName(name);
  };
  const renamed = (list: readonly (readonly [string, number])[]): (readonly [string, number])[] => {
    const counts = new Map<string, number>();
    for (const [site, times] of list) {
      const name = functionOf(site);
      counts.set(name, (counts.get(name) ?? 0) + times);
    }
    return [...counts].sort((a, b) => b[1] - a[1]);
  };
  function* chunks(...asked: Parameters<SavedTrace['chunks']>): Iterable<TraceChunk> {
    for (const chunk of trace.chunks(...asked)) {
      if (asked[0]?.includes('site') ?? true)
        for (let i = 0; i < chunk.rows; i++) chunk.site[i] = instead[chunk.site[i]!]!;
      yield chunk;
    }
  }
  const { objects } = report;
  const { overSites, unseenBy } = objects;
  return {
    ...trace,
    classes: classes.map((each) => ({ ...each, site: functionOf(each.site) })),
    report: {
      ...report,
      objects: { ...objects, overSites: renamed(overSites), unseenBy: renamed(unseenBy) },
    },
    source: {
      ...source,
      read: { ...source.read, notes: [...source.read.notes, ...naming.notes()] },
    },
    chunks,
  };
}
