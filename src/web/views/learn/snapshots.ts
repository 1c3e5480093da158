/**
 * Copies of a ledger that share what did not change: a step of a lesson touches a few pages of it, and a lesson keeps one copy a step.
 */

/** A buffer as it was. */
export interface Snapshot {
  /** In order; all but the last have PAGE bytes. Never written to. */
  readonly pages: readonly Int32Array[];
}

/** Bytes. */
const PAGE = 4096;

/** Copies a buffer, whose bytes are a multiple of 4. What is like in the copy `before` is that copy's. */
export function takeSnapshot(buffer: ArrayBuffer, before?: Snapshot): Snapshot {
  const pages: Int32Array[] = [];
  for (let at = 0; at < buffer.byteLength; at += PAGE) {
    const now = new Int32Array(buffer, at, Math.min(PAGE, buffer.byteLength - at) / 4);
    const old = before?.pages[pages.length];
    pages.push(old !== undefined && isSame(old, now) ? old : now.slice());
  }
  return { pages };
}

/** A buffer of its own with the same bytes. */
export function restoreSnapshot({ pages }: Snapshot): ArrayBuffer {
  const bytes = pages.reduce((sum, page) => sum + page.byteLength, 0);
  const whole = new Int32Array(bytes / 4);
  pages.forEach((page, i) => {
    whole.set(page, (i * PAGE) / 4);
  });
  return whole.buffer;
}

function isSame(a: Int32Array, b: Int32Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
