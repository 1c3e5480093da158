/** The files that an address names: `?open=files/boot.txt.gz&open=files/boot.snapshots.json`, all of the page's own site. */
import type { FileGiven } from '../worker/files.js';

/** `at` is the page's own address. What lies elsewhere is left out: nobody's link makes the page fetch from another site. */
export function filesOfQuery(query: string, at: string): FileGiven[] {
  const { origin } = new URL(at);
  return new URLSearchParams(query).getAll('open').flatMap((path) => {
    const url = new URL(path, at);
    if (url.origin !== origin || !/^https?:$/.test(url.protocol)) return [];
    return [{ name: decodeURIComponent(url.pathname.split('/').at(-1) ?? ''), url: url.href }];
  });
}
