/**
 * The three marks of a zone and what it keeps back from requests that could be satisfied higher up.
 *
 * min_free_kbytes = √(16 × low memory in KiB), 128 to 262144; a zone's min is its share of that by managed pages; low and high lie
 * above it by a quarter of min or a thousandth of the zone, whichever is more. `lowmem_reserve[j]` of zone i, for a request whose
 * highest zone is j > i: managed pages of zones i+1 to j divided by i's ratio.
 *
 * Rule from truth/README.md ("Page allocator"), checked against the recorded zoneinfo of five memory sizes. A kernel computes the marks
 * early and some pages are added later, so a real zoneinfo may differ by a few pages.
 */
import type { ZoneName } from './memory-map.js';
import type { PageProfile } from './profile.js';

/** A zone's watermarks, in pages, and what it keeps from requests that could do with a lower zone. */
interface Watermarks {
  readonly min: number;
  readonly low: number;
  readonly high: number;
  /** Pages kept from a request, by the index of the request's highest zone. */
  readonly lowmemReserve: readonly number[];
}

/** `vm.min_free_kbytes` for so many managed pages. */
export function minFreeKbytes(managedPages: number, pageSize: number): number {
  const lowmemKbytes = (managedPages * pageSize) / 1024;
  const wanted = Math.floor(Math.sqrt(lowmemKbytes * 16));
  return Math.min(Math.max(wanted, 128), 262144);
}

/** Pages, for each zone from low to high. */
export function watermarks(
  zones: readonly { readonly name: ZoneName; readonly managed: number }[],
  profile: PageProfile,
): Watermarks[] {
  const total = zones.reduce((sum, z) => sum + z.managed, 0);
  const minPages = Math.floor((minFreeKbytes(total, profile.pageSize) * 1024) / profile.pageSize);
  return zones.map((z, i) => {
    const min = total === 0 ? 0 : Math.floor((minPages * z.managed) / total);
    const gap = Math.max(min >> 2, Math.floor((z.managed * profile.watermarkScaleFactor) / 10000));
    const ratio = profile.lowmemReserveRatio[z.name];
    let above = 0;
    const lowmemReserve = zones.map((higher, j) => {
      if (j <= i) return 0;
      above += higher.managed;
      return ratio === 0 || z.managed === 0 ? 0 : Math.floor(above / ratio);
    });
    return { min, low: min + gap, high: min + 2 * gap, lowmemReserve };
  });
}
