/**
 * Holds PageFragCache against recorded page_frag caches of a real kernel (truth/README.md, "page_frag"). A
 * case is one sequence of operations on a cache of its own, in a machine of its own: after each operation the
 * six values of `r`, at the end the birth, death and size of every chunk.
 *
 * Operations: `a<size>` or `a<size>/<align>` allocates; `f<k>` frees the k-th allocation, or does nothing if
 * that failed or was freed; `d` drains. A chunk is born with its first fragment and dies when it is neither
 * current nor has fragments.
 */
import { MIB, NULL, type PhysAddr } from '../../base/index.js';
import {
  boardMap,
  createPhysicalMemory,
  type PageProfile,
  type PhysicalMemory,
  parseGfp,
} from '../../machine/index.js';
import { PageFragCache } from '../../pools/index.js';
import { type Expect, malformed, type SetResult, SetTally } from './result.js';

/** One recorded sequence. */
interface RecordedFragments {
  readonly why: string;
  readonly gfp: string;
  readonly ops: string;
  /**
   * For each operation: page, offset, live pages, pagecnt_bias, references to the current page, the cache's
   * offset.
   */
  readonly r: readonly (readonly number[])[];
  /** For each page: the operations of its birth and death (-1: it lives), bytes. */
  readonly pages: readonly (readonly number[])[];
}

export interface PageFragRecording {
  readonly constants: { readonly page_size: number; readonly MAX_ORDER: number };
  readonly sequences: readonly RecordedFragments[];
}

interface Op {
  readonly text: string;
  readonly kind: string;
  readonly value: number;
  readonly align: number;
}

const FIELDS = ['page', 'offset', 'live pages', 'pagecnt_bias', 'page refcount', 'cache offset'];
/** What `r` has as the page of an operation that gives no address: no memory, a free, a drain. */
const NO_PAGE = -1;
const FREED = -2;
const DRAINED = -3;
/** More than the longest recorded sequence can take. */
const MEMORY_BYTES = 1024 * MIB;

/** Throws ArgumentError if the recording is not one of page_frag. */
export function verifyPageFrag(recording: PageFragRecording, set: string): SetResult {
  if (!Array.isArray(recording?.sequences)) throw malformed(set, 'a list `sequences`', recording?.sequences);
  const profile = recordedProfile(recording, set);
  const tally = new SetTally(set);
  recording.sequences.forEach((sequence, i) => {
    const name = `sequence ${i}`;
    const ops = checkedOps(sequence, name);
    let at = -1;
    const where = () => `${name} (${sequence.why})${at >= 0 ? `, op ${at} '${ops[at]!.text}'` : ''}`;
    tally.case(where, (expect) => {
      const replay = new FragmentReplay(profile, sequence.gfp);
      ops.forEach((op, index) => {
        at = index;
        const recorded = sequence.r[index]!;
        const got = replay.step(op, index);
        for (let f = 0; f < FIELDS.length; f++) {
          if (recorded[f] !== got[f]) expect(FIELDS[f]!, recorded[f], got[f]);
        }
      });
      at = -1;
      expect('pages', sequence.pages, replay.pages);
      replay.end(expect);
    });
  });
  return tally.result();
}

/** One sequence under way. */
class FragmentReplay {
  /** Birth, death, bytes. */
  readonly pages: [number, number, number][] = [];
  readonly #memory: PhysicalMemory;
  readonly #cache: PageFragCache;
  readonly #allocations: PhysAddr[] = [];
  readonly #alive = new Set<number>();

  constructor(profile: PageProfile, gfp: string) {
    const map = boardMap('x86_64', MEMORY_BYTES);
    this.#memory = createPhysicalMemory({
      map,
      profile,
      cpus: 1,
      ledger: { slabs: 1, linkPages: 1, caches: 1 },
    });
    this.#cache = new PageFragCache(this.#memory, { gfp: parseGfp(gfp) });
  }

  /** The six values that a recording has for this operation. */
  step(op: Op, index: number): number[] {
    let page = NO_PAGE;
    let offset = -1;
    let address = NULL;
    if (op.kind === 'a') {
      address = this.#cache.alloc(op.value, op.align);
      this.#allocations.push(address);
    } else if (op.kind === 'f') {
      this.#freeAllocation(op.value);
      page = FREED;
    } else {
      this.#cache.drain();
      page = DRAINED;
    }
    const state = this.#cache.state();
    if (address !== NULL) {
      page = state.page;
      offset = address - state.address;
    }
    // The recorder knows a page from its first fragment on.
    const unknown = state.address !== NULL && state.page < 0 ? 1 : 0;
    const live = this.#cache.liveChunks - unknown;
    if (page === this.pages.length) this.#bear(page, index);
    if (live !== this.#alive.size) this.#bury(index);
    return [page, offset, live, state.pagecntBias, state.pageRefcount, state.offset];
  }

  #freeAllocation(k: number): void {
    const address = this.#allocations[k];
    if (address === undefined || address === NULL) return;
    this.#cache.free(address);
    this.#allocations[k] = NULL;
  }

  #bear(page: number, index: number): void {
    const chunk = this.#cache.chunks().find((c) => c.page === page)!;
    this.pages.push([index, -1, chunk.bytes]);
    this.#alive.add(page);
  }

  #bury(index: number): void {
    const held = new Set(this.#cache.chunks().map((chunk) => chunk.page));
    for (const page of this.#alive) {
      if (held.has(page)) continue;
      this.pages[page]![1] = index;
      this.#alive.delete(page);
    }
  }

  /** Frees what is left. A cache that is done holds nothing. */
  end(expect: Expect): void {
    this.#cache.validate();
    this.#allocations.forEach((_, k) => {
      this.#freeAllocation(k);
    });
    this.#cache.drain();
    this.#cache.validate();
    expect('pages held after the last free', 0, this.#memory.takenPages());
  }
}

function recordedProfile(recording: PageFragRecording, set: string): PageProfile {
  const { page_size: pageSize, MAX_ORDER: orders } = recording.constants ?? {};
  if (typeof pageSize !== 'number' || typeof orders !== 'number') {
    throw malformed(set, '`constants` with page_size and MAX_ORDER', recording.constants);
  }
  return {
    pageSize,
    orders,
    watermarkScaleFactor: 10,
    lowmemReserveRatio: { DMA: 256, DMA32: 256, Normal: 32 },
  };
}

function checkedOps(sequence: RecordedFragments, name: string): Op[] {
  if (typeof sequence?.ops !== 'string') throw malformed(name, 'operations as a string `ops`', sequence?.ops);
  if (typeof sequence.gfp !== 'string') throw malformed(name, 'flags as a string `gfp`', sequence.gfp);
  const ops = sequence.ops
    .split(' ')
    .filter(Boolean)
    .map((text) => parseOp(text, name));
  const { r, pages } = sequence;
  if (
    !Array.isArray(r) ||
    r.length !== ops.length ||
    !r.every((row) => Array.isArray(row) && row.length === FIELDS.length)
  ) {
    throw malformed(
      name,
      `\`r\` with ${FIELDS.length} values for each of ${ops.length} operations`,
      r?.length,
    );
  }
  if (!Array.isArray(pages) || !pages.every((page) => Array.isArray(page) && page.length === 3)) {
    throw malformed(name, '`pages` as [born, died, bytes]', pages);
  }
  return ops;
}

function parseOp(text: string, name: string): Op {
  const match = /^(?:a(\d+)(?:\/(\d+))?|f(\d+)|d)$/.exec(text);
  if (!match) throw malformed(name, 'an operation such as a512, a512/64, f3, d', text);
  return { text, kind: text[0]!, value: Number(match[1] ?? match[3] ?? 0), align: Number(match[2] ?? 1) };
}
