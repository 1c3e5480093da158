/** What-ifs on the command line: each `--set` is one (lab/what-if/text.ts). */
import { ArgumentError } from '../base/index.js';
import { readWhatIf as read, type WhatIf } from '../lab/index.js';

const RANGE = /\d\.\.\d/;

/** For an option that can be given several times: adds to what was given before. */
export function eachText(text: string, before: readonly string[] = []): string[] {
  return [...before, text];
}

/** Throws UnknownNameError with the nearest words, ArgumentError for what makes no sense. */
export function readWhatIf(text: string): WhatIf {
  try {
    return read(text);
  } catch (error) {
    if (!(error instanceof ArgumentError) || !RANGE.test(text)) throw error;
    throw new ArgumentError(`${error.message}; a range is for 'slablab sweep'`);
  }
}
