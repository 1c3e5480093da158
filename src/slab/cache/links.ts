/**
 * # The links of /sys/kernel/slab
 *
 *     :A-0000064/           anon_vma_chain -> :A-0000064          fs_cache -> :A-0000064
 *
 * A cache that others may share has a directory named after what it shares, and every creation, the first too, leaves its name as a
 * link to it. A link stays when its cache is destroyed: it dangles until a cache of that id comes back or its name is used again.
 * Links live in the ledger beside the caches, which only know the name of their first creation.
 *
 * There is room for a few links a cache. When it runs out, one that dangles gives way; creating a cache never fails for its link.
 */
import { ArgumentError } from '../../base/index.js';
import {
  CACHE_LINK_UNITS,
  CACHE_LINKS_PER_CACHE,
  CACHE_NAME_UNITS,
  H_CACHE_LINKS,
  type Ledger,
  readText,
  writeText,
} from '../../machine/index.js';

/** A name and the directory that it is a link to, which need not exist. */
export interface CacheLink {
  readonly name: string;
  readonly target: string;
}

/** All links, dangling ones included, in no order that means something. */
export function cacheLinks(ledger: Ledger): CacheLink[] {
  return Array.from({ length: ledger.header[H_CACHE_LINKS]! }, (_, row) => readLink(ledger, row));
}

/**
 * Makes a link, in the place of an older one of that name. `exists` says whether a directory is there, and is asked only when the
 * table is full. Throws ArgumentError for a name that no cache could have.
 */
export function linkCache(ledger: Ledger, link: CacheLink, exists: (target: string) => boolean): void {
  const { name, target } = link;
  if (name.length >= CACHE_NAME_UNITS) {
    throw new ArgumentError(
      `a cache's name has at most ${CACHE_NAME_UNITS - 1} characters, '${name.slice(0, 20)}…' has ${name.length}`,
    );
  }
  let row = findLink(ledger, name);
  if (row < 0) row = freeRow(ledger, exists);
  if (row < 0) return;
  const at = row * CACHE_LINK_UNITS;
  const { cacheLink } = ledger;
  cacheLink[at] = name.length;
  cacheLink[at + 1] = target.length;
  writeText(cacheLink, at + 2, name);
  writeText(cacheLink, at + 2 + name.length, target);
}

/** Takes the link of a name away, if there is one: a directory of that name comes. */
export function unlinkCache(ledger: Ledger, name: string): void {
  const row = findLink(ledger, name);
  if (row < 0) return;
  const last = --ledger.header[H_CACHE_LINKS]!;
  ledger.cacheLink.copyWithin(row * CACHE_LINK_UNITS, last * CACHE_LINK_UNITS, (last + 1) * CACHE_LINK_UNITS);
}

function readLink({ cacheLink }: Ledger, row: number): CacheLink {
  const at = row * CACHE_LINK_UNITS;
  const nameLength = cacheLink[at]!;
  return {
    name: readText(cacheLink, at + 2, nameLength),
    target: readText(cacheLink, at + 2 + nameLength, cacheLink[at + 1]!),
  };
}

function findLink(ledger: Ledger, name: string): number {
  const { header, cacheLink } = ledger;
  for (let row = 0; row < header[H_CACHE_LINKS]!; row++) {
    if (cacheLink[row * CACHE_LINK_UNITS] === name.length && readLink(ledger, row).name === name) return row;
  }
  return -1;
}

/** A row behind the others; if there is none, that of a link which dangles; -1 if none does. */
function freeRow(ledger: Ledger, exists: (target: string) => boolean): number {
  const { header, shape } = ledger;
  const used = header[H_CACHE_LINKS]!;
  if (used < CACHE_LINKS_PER_CACHE * shape.caches) {
    header[H_CACHE_LINKS] = used + 1;
    return used;
  }
  return cacheLinks(ledger).findIndex(({ target }) => !exists(target));
}
