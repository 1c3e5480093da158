/** Why something cannot be written, in the same words for whatever is written, and with what helps. */
import { InputError } from '../base/index.js';
import { NoPermissionError } from './files.js';

const OTHER_NAME = 'name a file in a folder that is there';

/** What was to be written cannot be. */
export class OutputError extends InputError {
  /** What helps. */
  readonly hint: string;

  constructor(path: string, message: string, hint = OTHER_NAME) {
    super(path === '' ? "''" : path, 0, message);
    this.hint = hint;
  }
}

const ROOM = 'free some space, or write to another disk';

/** The system's words for what cannot be written: ours, and what helps. */
const REASONS: ReadonlyMap<string, readonly [why: string, hint: string]> = new Map([
  ['ENOENT', ['there is no such folder', 'make the folder first, or name one that is there']],
  ['ENOTDIR', ['a part of the path is no folder', OTHER_NAME]],
  ['EISDIR', ['it is a directory', OTHER_NAME]],
  ['ENAMETOOLONG', ['its name is too long', 'give it a shorter name']],
  ['ELOOP', ['its links lead in a circle', OTHER_NAME]],
  ['ENOSPC', ['no space is left on the disk', ROOM]],
  ['EDQUOT', ['the quota of this user is used up', ROOM]],
  ['EFBIG', ['it would be larger than a file may be', ROOM]],
  ['EIO', ['the disk fails', 'write to another disk']],
  ['EBADF', ['it is not open for writing', "redirect it to a file, as in '> FILE'"]],
  ['ENXIO', ['nobody listens at it', OTHER_NAME]],
  ['ETXTBSY', ['it is a program that runs', OTHER_NAME]],
]);

/** The error of a write as one of ours; what is no error of the system, and a reader that went away, stays what it is. */
export function writeError(path: string, error: unknown): unknown {
  const { code, message } = error as NodeJS.ErrnoException;
  if (code === undefined || !/^E[A-Z0-9]+$/.test(code) || code === 'EPIPE') return error;
  if (code === 'EROFS') return new NoPermissionError(path, 'write it', 'its file system is read-only');
  if (code === 'EACCES' || code === 'EPERM') return new NoPermissionError(path, 'write it');
  const [why, hint] = REASONS.get(code) ?? [message, OTHER_NAME];
  return new OutputError(path, `cannot be written: ${why}`, hint);
}
