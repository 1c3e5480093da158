/**
 * # Files that a command writes
 *
 * A file appears under its name when it is whole: until then it is `NAME.partial`, and what ends the program takes it away. So a file that
 * is there can be used, also by a scheduler that starts the same command twice.
 */
import { closeSync, openSync, renameSync, rmSync, statSync, writeSync } from 'node:fs';
import { ArgumentError, InputError } from '../base/index.js';
import { NoPermissionError } from './files.js';

/** What standard output is called on the command line. */
export const STDOUT = '-';
/** How long to wait for a pipe that is full. */
const WAIT_MS = 1;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** A file that is being written, under another name until it is whole. */
export interface OutputFile {
  write(bytes: Uint8Array): void;
  /** All is written: gives the file its name. */
  commit(): void;
  /** Nothing is left of it. */
  abort(): void;
}

/** Opens a file to be written, or standard output for `-`. Throws InputError or NoPermissionError where that is not available. */
export function openOutput(path: string): OutputFile {
  if (path === STDOUT) {
    if (process.stdout.isTTY === true)
      throw new ArgumentError('standard output is a terminal, and what would be written is no text');
    return { write: (bytes) => writeAll(1, bytes), commit: () => {}, abort: () => {} };
  }
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === true)
    throw new InputError(path, 0, 'expected the name of a file to write, but it is a directory');
  const partial = `${path}.partial`;
  const fd = writing(path, () => openSync(partial, 'w'));
  const remove = () => rmSync(partial, { force: true });
  const onSignal = (signal: NodeJS.Signals) => {
    remove();
    process.kill(process.pid, signal);
  };
  for (const signal of SIGNALS) process.once(signal, onSignal);
  const close = () => {
    for (const signal of SIGNALS) process.removeListener(signal, onSignal);
    closeSync(fd);
  };
  return {
    write: (bytes) => writing(path, () => writeAll(fd, bytes)),
    commit() {
      close();
      writing(path, () => renameSync(partial, path));
    },
    abort() {
      close();
      remove();
    },
  };
}

/** Opens a file, lets `step` write it, and closes it; takes it away again if that fails. */
export async function withOutput<T>(path: string, step: (file: OutputFile) => Promise<T> | T): Promise<T> {
  const file = openOutput(path);
  try {
    const result = await step(file);
    file.commit();
    return result;
  } catch (error) {
    file.abort();
    throw error;
  }
}

function writeAll(fd: number, bytes: Uint8Array): void {
  for (let at = 0; at < bytes.length; ) {
    try {
      at += writeSync(fd, bytes, at, bytes.length - at);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') throw error;
      // A pipe of which nobody has read for a while.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, WAIT_MS);
    }
  }
}

/** Does something with a file that is written, and turns the system's errors into ours. */
function writing<T>(path: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === undefined) throw error;
    if (code === 'EACCES' || code === 'EPERM' || code === 'EROFS')
      throw new NoPermissionError(path, 'write it');
    if (code === 'ENOENT') throw new InputError(path, 0, 'cannot be written: there is no such folder');
    throw new InputError(path, 0, `cannot be written: ${message}`);
  }
}
