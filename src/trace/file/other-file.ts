/**
 * What somebody gave where another file was asked for: said truly, with the command that takes it. A reader asks before it complains of a
 * word on a line, because who gave the wrong file learns nothing from that.
 */
import { InputError } from '../../base/index.js';
import { utf8 } from '../batch/index.js';
import { detectFormat, type TraceFormat } from './detect.js';
import { lookAlike } from './look-alikes.js';

/** What a command takes. */
export type WantedFile = 'a trace' | 'snapshots' | 'a script' | 'a workload' | 'a load' | 'a recording';

type FoundFile = 'trace' | 'slabinfo' | 'snapshots' | 'workload' | 'recording' | 'json';

/** Characters that are looked at. */
const HEAD = 1 << 16;

/** Throws InputError where a text is certainly another kind of file than the wanted one. */
export function refuseOtherFile(text: string, file: string, wanted: WantedFile): void {
  const words = otherFileWords(text, file, wanted);
  if (words !== undefined) throw new InputError(file, 1, `expected ${wanted}, but ${words}`);
}

/** `it is the text of /proc/slabinfo: …`; undefined where the text may be what is wanted, or nothing that is known. */
export function otherFileWords(text: string, file: string, wanted: WantedFile): string | undefined {
  const head = text.slice(0, HEAD);
  const found = kindOf(head);
  if (found !== undefined) return TAKEN[wanted].includes(found) ? undefined : wordsOf(found, file, wanted);
  const other = lookAlike(utf8(head));
  return other && `it is ${other.what}: ${other.instead}`;
}

const TAKEN: Readonly<Record<WantedFile, readonly FoundFile[]>> = {
  'a trace': ['trace'],
  // What is wrong with other JSON its reader says, with the place.
  snapshots: ['snapshots', 'json'],
  'a script': [],
  'a workload': ['workload', 'json'],
  'a load': ['workload', 'json'],
  'a recording': ['recording', 'workload'],
};

function wordsOf(found: FoundFile, file: string, wanted: WantedFile): string {
  switch (found) {
    case 'trace':
      return wanted === 'a recording'
        ? `it is a trace: 'slablab verify ${file} --snapshots FILE' holds its replay against its machine`
        : `it is a trace: 'slablab replay ${file}' takes it`;
    case 'slabinfo':
      return `it is the text of /proc/slabinfo: 'slablab open ${file}' shows it in the page`;
    case 'snapshots':
      return `it is snapshots of a machine: 'slablab replay TRACE --snapshots ${file}' takes them beside their trace`;
    case 'workload':
      return `it is a workload: 'slablab compare ${file}' takes it`;
    case 'recording':
      return `it is a recording: 'slablab verify ${file}' takes it`;
    case 'json':
      return 'it is JSON, and neither snapshots nor a workload: no command takes it';
  }
}

function kindOf(head: string): FoundFile | undefined {
  const format = formatOf(head);
  if (format === undefined || format === 'slabinfo') return format;
  if (format !== 'json') return 'trace';
  if (/"snapshots"\s*:\s*\[/.test(head)) return 'snapshots';
  if (/"schema"\s*:\s*"v7s-workload/.test(head)) return 'workload';
  return /"what"\s*:\s*"/.test(head) ? 'recording' : 'json';
}

function formatOf(head: string): TraceFormat | undefined {
  try {
    return detectFormat('', utf8(head));
  } catch (error) {
    if (error instanceof InputError) return undefined;
    throw error;
  }
}
