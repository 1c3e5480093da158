/**
 * Names of events in text: which of this room's kinds begins with these bytes, told by a few of them and confirmed by all.
 */
import { EVENT, EVENT_NAMES, utf8 } from '../batch/index.js';
import { word } from './scan.js';

/** The events that this room reads, and the two that 6.1 no longer has. */
const NAMES: readonly (readonly [name: string, kind: number])[] = [
  ...EVENT_NAMES.map((name, kind) => [name, kind] as const).slice(0, EVENT.PAGE_EXTFRAG + 1),
  ['kmalloc_node', EVENT.KMALLOC],
  ['kmem_cache_alloc_node', EVENT.CACHE_ALLOC],
];
const KMALLOC_NODE = EVENT.PAGE_EXTFRAG + 1;
const CACHE_ALLOC_NODE = EVENT.PAGE_EXTFRAG + 2;

export const KIND_OF_NAME: ReadonlyMap<string, number> = new Map(NAMES.slice(1));

/** By the number of a name: its kind, and its bytes with the colon behind it. */
export const NAME_KINDS: Uint8Array = Uint8Array.from(NAMES, ([, kind]) => kind);
export const NAME_BYTES: Uint8Array = Uint8Array.from(NAMES, ([name]) => name.length + 1);

/** A name with its colon begins at `number * NAME_ROW` of `TABLE`. */
const NAME_ROW = 32;
const TABLE = new DataView(new ArrayBuffer(NAMES.length * NAME_ROW));
for (const [number, [name]] of NAMES.entries()) {
  new Uint8Array(TABLE.buffer).set(utf8(`${name}:`), number * NAME_ROW);
}

const COLON = 58;
const A = 0x61;
const F = 0x66;
const Z = 0x7a;
const KMAL = word('kmal');
const KFRE = word('kfre');
export const KMEM: number = word('kmem');
const MM_P = word('mm_p');

/** The number of the name that stands here with a colon behind it; 0 if it is none of these. */
export function nameAt(bytes: Uint8Array, view: DataView<ArrayBuffer>, at: number): number {
  let number: number;
  switch (view.getInt32(at, true)) {
    case KMAL:
      number = bytes[at + 7] === COLON ? EVENT.KMALLOC : KMALLOC_NODE;
      break;
    case KFRE:
      number = EVENT.KFREE;
      break;
    case KMEM:
      // kmem_cache_free, kmem_cache_alloc, kmem_cache_alloc_node
      if (bytes[at + 11] === F) number = EVENT.CACHE_FREE;
      else number = bytes[at + 16] === COLON ? EVENT.CACHE_ALLOC : CACHE_ALLOC_NODE;
      break;
    case MM_P:
      number = pageNameAt(bytes, at);
      break;
    default:
      return 0;
  }
  const start = number * NAME_ROW;
  const last = NAME_BYTES[number]! - 4;
  for (let i = 4; i < last; i += 4) {
    if (view.getInt32(at + i, true) !== TABLE.getInt32(start + i, true)) return 0;
  }
  return view.getInt32(at + last, true) === TABLE.getInt32(start + last, true) ? number : 0;
}

function pageNameAt(bytes: Uint8Array, at: number): number {
  // mm_page_free, mm_page_free_batched
  if (bytes[at + 8] === F) return bytes[at + 12] === COLON ? EVENT.PAGE_FREE : EVENT.PAGE_FREE_BATCHED;
  if (bytes[at + 8] !== A) return EVENT.PAGE_PCPU_DRAIN;
  // mm_page_alloc, mm_page_alloc_zone_locked, mm_page_alloc_extfrag
  if (bytes[at + 13] === COLON) return EVENT.PAGE_ALLOC;
  return bytes[at + 14] === Z ? EVENT.PAGE_ZONE_LOCKED : EVENT.PAGE_EXTFRAG;
}
