/**
 * # Reading what a person names on the command line
 *
 *     path ─▸ bytes ─▸ gunzipped if they begin as gzip does, whatever the name says ─▸ text
 *
 * `-` is standard input. Whatever goes wrong says which file it was: an InputError for a file that is not
 * what it should be, a NoPermissionError where the system refuses.
 */
import { readFile } from 'node:fs/promises';
import { gunzipSync } from 'node:zlib';
import { InputError, SlablabError } from '../base/index.js';
import { beginsWith, PACKERS } from '../trace/index.js';

/** The system does not let us read or write this. */
export class NoPermissionError extends SlablabError {
  readonly file: string;

  constructor(file: string, doing: 'read it' | 'write it' = 'read it', why = '') {
    super('no-permission', `${file}: no permission to ${doing}${why === '' ? '' : `: ${why}`}`);
    this.file = file;
  }
}

/** What standard input is called in messages. */
export const STDIN_NAME = 'standard input';

/** The text of a file, or of standard input for `-`, gunzipped where it is gzip. */
export async function readInput(path: string): Promise<string> {
  const file = inputName(path);
  let bytes: Buffer;
  try {
    bytes = path === '-' ? await readStdin() : await readFile(path);
  } catch (error) {
    throw readError(file, error);
  }
  return toText(file, bytes);
}

/** What `readInput` calls a path in its messages. */
export function inputName(path: string): string {
  return path === '-' ? STDIN_NAME : path;
}

/** Nobody who means a file writes it without a slash and a dot, unless it is there. */
export function isWord(text: string): boolean {
  return !/[/\\.]/.test(text);
}

async function readStdin(): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of process.stdin) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** The file's error as one of ours; what is no error of the system stays what it is. */
export function readError(file: string, error: unknown): unknown {
  if (error instanceof SlablabError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  switch (code) {
    case undefined:
      return error;
    case 'EACCES':
    case 'EPERM':
      return new NoPermissionError(file);
    case 'ENOENT':
      return new InputError(file, 0, 'no such file');
    case 'ENOTDIR':
      return new InputError(file, 0, 'no such file: a part of the path is no directory');
    case 'EISDIR':
      return new InputError(file, 0, 'expected a file, but it is a directory');
    default:
      return new InputError(file, 0, `cannot be read: ${message}`);
  }
}

function toText(file: string, bytes: Buffer): string {
  const packer = PACKERS.find(({ magic }) => beginsWith(bytes, magic));
  if (packer) {
    const { name, command } = packer;
    const from = file === STDIN_NAME ? '' : ` ${file}`;
    throw new InputError(file, 0, `is compressed with ${name}; give it as '${command}${from} | slablab … -'`);
  }
  const plain = beginsWith(bytes, '\x1f\x8b') ? gunzip(file, bytes) : bytes;
  try {
    return plain.toString('utf8').replace(/^\uFEFF/, '');
  } catch {
    throw new InputError(file, 0, `is too large for one text: ${plain.length} bytes`);
  }
}

function gunzip(file: string, bytes: Buffer): Buffer {
  try {
    return gunzipSync(bytes);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // zlib's word for input that stops too early.
    const what = code === 'Z_BUF_ERROR' ? `it ends in the middle, after ${bytes.length} bytes` : message;
    throw new InputError(file, 0, `expected gzip data, but ${what}`);
  }
}
