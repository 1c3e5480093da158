/**
 * # A systrace: ftrace text in a page of HTML
 *
 *     <html>… the viewer, some megabytes …
 *     <script class="trace-data" type="application/text">
 *     # tracer: nop
 *               sh-1     [000] ...1   100.000001: sched_switch: …
 *     </script>
 *
 * The text is taken out of the page as it comes. Of everything else the newlines stay, so that lines keep their numbers. A script that
 * holds JSON, which other tools of the same family put there, is passed over.
 */
import { InputError } from '../../base/index.js';
import { fromUtf8, utf8 } from '../batch/index.js';

const OPENING = utf8('<script');
const CLOSING = utf8('</script');
/** Of the opening tag, with its attributes. */
const TAG_BYTES_MAX = 512;
const NEWLINE = 10;
const LESS = 60;
const MORE = 62;
const SPACE = 32;

/** Whether a file begins as a page does. */
export function isHtml(text: string): boolean {
  return /^\ufeff?\s*<(?:!doctype html|html|\?xml)\b/i.test(text);
}

/** The text of the traces in a page. Throws InputError where there is none. */
export async function* tracesOfPage(
  pieces: AsyncIterable<Uint8Array>,
  file: string,
): AsyncIterable<Uint8Array> {
  const page = new PageReader();
  for await (const piece of pieces) yield page.read(piece, false);
  yield page.read(new Uint8Array(0), true);
  if (page.traces > 0) return;
  const why = 'expected a <script class="trace-data"> with the text of ftrace, as systrace writes it';
  throw new InputError(file, 0, `is an HTML page without a trace that slablab reads: ${why}`);
}

class PageReader {
  traces = 0;
  #rest: Uint8Array = new Uint8Array(0);
  #inside: 'page' | 'script' | 'trace' = 'page';

  /** What stands in traces of the next bytes, and the newlines of all others. */
  read(piece: Uint8Array, isLast: boolean): Uint8Array {
    const bytes = new Uint8Array(this.#rest.length + piece.length);
    bytes.set(this.#rest);
    bytes.set(piece, this.#rest.length);
    const out = new Uint8Array(bytes.length);
    let written = 0;
    let at = 0;
    while (at < bytes.length) {
      const tag = this.#inside === 'page' ? OPENING : CLOSING;
      const found = indexOf(bytes, tag, at);
      // The beginning of a tag may stand at the end.
      const most = isLast ? bytes.length : Math.max(at, bytes.length - tag.length + 1);
      const end = found < 0 ? most : found;
      for (; at < end; at++)
        if (this.#inside === 'trace' || bytes[at] === NEWLINE) out[written++] = bytes[at]!;
      if (found < 0) break;
      const behind = this.#inside === 'page' ? endOfTag(bytes, found) : found + tag.length;
      // The tag, and the first sign behind it, may be in the next piece.
      if (behind < 0 && !isLast && bytes.length - found < TAG_BYTES_MAX) break;
      const to = behind < 0 ? found + tag.length : behind;
      if (this.#inside !== 'page') this.#inside = 'page';
      else this.#inside = this.#kindOf(bytes, found, to);
      for (; at < to; at++) if (bytes[at] === NEWLINE) out[written++] = NEWLINE;
    }
    this.#rest = bytes.slice(at);
    return out.subarray(0, written);
  }

  #kindOf(bytes: Uint8Array, from: number, to: number): 'script' | 'trace' {
    const isTrace = /\sclass\s*=\s*["']?trace-data\b/.test(fromUtf8(bytes, from, to));
    let first = to;
    while (first < bytes.length && bytes[first]! <= SPACE) first++;
    const isJson = bytes[first] === 0x7b || bytes[first] === 0x5b;
    if (!isTrace || isJson) return 'script';
    this.traces++;
    return 'trace';
  }
}

/** Behind the tag's `>`, if something else than blanks follows; else -1. */
function endOfTag(bytes: Uint8Array, from: number): number {
  const to = bytes.subarray(from, from + TAG_BYTES_MAX).indexOf(MORE);
  if (to < 0) return -1;
  for (let at = from + to + 1; at < bytes.length; at++) if (bytes[at]! > SPACE) return from + to + 1;
  return -1;
}

/** Where the tag stands; -1 if nowhere. */
function indexOf(bytes: Uint8Array, tag: Uint8Array, from: number): number {
  for (let at = bytes.indexOf(LESS, from); at >= 0; at = bytes.indexOf(LESS, at + 1)) {
    let same = 0;
    while (same < tag.length && at + same < bytes.length && lower(bytes[at + same]!) === tag[same]) same++;
    if (same === tag.length) return at;
  }
  return -1;
}

function lower(byte: number): number {
  return byte >= 0x41 && byte <= 0x5a ? byte + 32 : byte;
}
