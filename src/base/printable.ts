/**
 * # What a file said, as it may be shown
 *
 * A name or a line of somebody else's file may hold anything: escapes that move the cursor or rename the window, signs that turn the
 * direction of writing, bytes that are no text. Whatever shows such a text, in a message or on a screen, shows it through here: a dot for
 * each sign that is none to look at.
 */

/** Controls (C0, DEL, C1), formats (bidirectional, of no width), separators of lines, halves of signs, and what was no UTF-8. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\ufdd0-\ufdef\ufffd]/gu;
const UNSEEN_BUT_NEWLINES = /(?!\n)[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\ufdd0-\ufdef\ufffd]/gu;
const PLAIN = /^[\x20-\x7e]*$/;

/** One line of text: as many signs as there were, at most `most`, then `…`. */
export function printable(text: string, most = Number.POSITIVE_INFINITY): string {
  const shown = PLAIN.test(text) ? text : text.replace(UNSEEN, '·');
  if (shown.length <= most) return shown;
  return `${[...shown.slice(0, 2 * most)].slice(0, most).join('')}…`;
}

/** The same for a text of several lines, which they stay. */
export function printableLines(text: string): string {
  return PLAIN.test(text) ? text : text.replace(UNSEEN_BUT_NEWLINES, '·');
}
