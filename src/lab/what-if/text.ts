/**
 * What-ifs as people write them, several settings in one line with commas or blanks between them.
 *
 *     slub_max_order=0        dentry.size=200, slab_nomerge        slub_debug=FZ,dentry cpus=2
 *
 * A comma also stands within values (the caches of slub_debug), so one ends a setting only where another begins behind it.
 */
import { AS_RECORDED, parseWhatIf, type WhatIf } from './what-if.js';

/** A name with a sign behind it, or one of the words that are switched on by themselves. */
const BETWEEN = /[\s,;]+(?=[^\s,;=]+=|(?:(?:slab|slub)_(?:nomerge|debug)|sheaves)(?:$|[\s,;]))/;

/** The settings of a line, each as it was written. */
export function splitSettings(text: string): string[] {
  return text
    .trim()
    .split(BETWEEN)
    .map((setting) => setting.trim())
    .filter((setting) => setting !== '');
}

/** A line as a what-if; one without a word is the machine as it was recorded. Throws as parseWhatIf does. */
export function readWhatIf(text: string): WhatIf {
  const settings = splitSettings(text);
  return settings.length === 0 ? AS_RECORDED : parseWhatIf(settings);
}
