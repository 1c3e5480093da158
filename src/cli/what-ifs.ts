/**
 * What-ifs on the command line: each `--set` is one, and may hold several settings with commas or blanks between them.
 *
 *     --set slub_max_order=0 --set 'dentry.size=200, slab_nomerge' --set slub_debug=FZ,dentry
 *
 * A comma also stands within values (the caches of slub_debug), so one ends a setting only where another begins behind it.
 */
import { ArgumentError } from '../base/index.js';
import { AS_RECORDED, parseWhatIf, type WhatIf } from '../lab/index.js';

/** A name with a sign behind it, or one of the words that are switched on by themselves. */
const BETWEEN = /[\s,;]+(?=[^\s,;=]+=|(?:slab|slub)_(?:nomerge|debug)(?:$|[\s,;]))/;
const RANGE = /\d\.\.\d/;

/** For an option that can be given several times: adds to what was given before. */
export function eachText(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** Throws UnknownNameError with the nearest words, ArgumentError for what makes no sense. */
export function readWhatIf(text: string): WhatIf {
  const settings = text
    .trim()
    .split(BETWEEN)
    .filter((setting) => setting !== '');
  if (settings.length === 0) return AS_RECORDED;
  try {
    return parseWhatIf(settings);
  } catch (error) {
    if (!(error instanceof ArgumentError) || !RANGE.test(text)) throw error;
    throw new ArgumentError(`${error.message}; a range is for 'slablab sweep'`);
  }
}
