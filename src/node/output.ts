/**
 * # Files that a command writes
 *
 * Every command opens what it writes here, and before its work:
 *
 *     const output = prepareOutput('boot.slt', { inputs: ['boot.txt'] });     // refuses what cannot be written, or is read
 *     await output.save((write) => write(bytes));                             // all of it, or nothing
 *
 *     an ordinary file, or none yet    bytes ─▸ a file without a name in its folder ─▸ a file beside it ─▸ renamed
 *     a link                           the same for what it leads to: the link stays
 *     a device, a pipe, a terminal     written into as the bytes come, never replaced or removed
 *     - , /dev/stdout, /dev/fd/N       the descriptor that this program was given
 *
 * So a file that is there is whole, also for a scheduler that starts the same command twice. One that was there keeps its mode and owner.
 *
 * A signal ends a program at once only where nobody listens to it, and what listens cannot run while something else does. Hence bytes go
 * to a file without a name while they are made, which whatever ends the program takes away, and nobody listens. Only while the whole
 * file is put beside the one that it replaces somebody does (`removing`), and that goes on in steps, between which it can run.
 */
import {
  accessSync,
  closeSync,
  constants,
  fchmodSync,
  fchownSync,
  fstatSync,
  fsync,
  lstatSync,
  openSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  writeSync,
} from 'node:fs';
import { basename, dirname, resolve } from 'node:path';
import { isatty } from 'node:tty';
import { promisify } from 'node:util';
import { ArgumentError } from '../base/index.js';
import { OutputError, writeError } from './output-errors.js';
import { TempFile } from './spool.js';

/** What standard output is called on the command line. */
export const STDOUT = '-';
const STDOUT_FD = 1;
/** How long to wait for a pipe that is full. */
const WAIT_MS = 1;
const LINKS_MAX = 40;
const PIECE_BYTES = 1 << 20;
/** More than that does not wait in memory until all is there. */
const MEMORY_BYTES = 1 << 22;
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** Where a program's descriptors are to be found as files. */
const DESCRIPTORS = /^\/proc\/(\d+)(?:\/task\/\d+)?\/fd$|^\/dev\/fd$/;

/** Takes the next bytes of a file that is written. */
export type Write = (bytes: Uint8Array) => void;

/** What is known of an output. */
export interface OutputOptions {
  /** Files that the command reads, `-` for standard input: none of them is written over. */
  readonly inputs?: readonly (string | undefined)[];
  /** What is no text does not go to a terminal. */
  readonly isBinary?: boolean;
}

/** Where a command writes, looked at before its work. */
export interface Output {
  /** As it was named. */
  readonly path: string;
  /** Whether that is standard output, so that nothing else can be printed there. */
  readonly isStdout: boolean;
  /** Where the ordinary file really is, or will be; undefined for what is written into. */
  readonly file: string | undefined;
  /** Writes what `step` hands over: an ordinary file is there whole, or as it was before. Throws OutputError and NoPermissionError. */
  save<T>(step: (write: Write) => Promise<T> | T): Promise<T>;
}

/** Where a name leads. */
type Target =
  /** One of our own descriptors. */
  | { readonly kind: 'descriptor'; readonly fd: number; readonly stat: Stats | undefined }
  /** What is written into. */
  | { readonly kind: 'stream'; readonly path: string; readonly stat: Stats }
  /** What is replaced, or made where there is no `stat`. */
  | { readonly kind: 'file'; readonly path: string; readonly stat: Stats | undefined };

/**
 * Looks at what is to be written. Throws ArgumentError for a file that is read, OutputError where nothing can be written, and
 * NoPermissionError where the system refuses.
 */
export function prepareOutput(path: string, options: OutputOptions = {}): Output {
  const target = naming(path, () => targetOf(path));
  if (target.stat !== undefined) refuseInput(path, target.stat, options.inputs ?? []);
  if (target.kind === 'descriptor' && options.isBinary && isatty(target.fd))
    throw new ArgumentError('standard output is a terminal, and what would be written is no text');
  if (target.kind === 'stream') naming(path, () => accessSync(target.path, constants.W_OK));
  if (target.kind === 'file') naming(path, () => checkFile(target.path, target.stat));
  return {
    path,
    isStdout: target.kind === 'descriptor' && target.fd === STDOUT_FD,
    file: target.kind === 'file' ? target.path : undefined,
    save: (step) =>
      target.kind === 'file' ? replaceFile(path, target, step) : writeInto(path, target, step),
  };
}

/** Follows links to the end. Throws the system's errors. */
function targetOf(path: string): Target {
  if (path === STDOUT) return descriptorTarget(STDOUT_FD);
  if (path === '') throw new OutputError(path, 'expected the name of a file to write, but it is empty');
  if (path.endsWith('/'))
    throw new OutputError(path, 'expected the name of a file to write, but it ends as a folder does');
  let at = resolve(path);
  for (let links = 0; links < LINKS_MAX; links++) {
    const stat = lstatSync(at, { throwIfNoEntry: false });
    if (stat?.isSymbolicLink() || (stat !== undefined && dirname(at) === '/dev/fd')) {
      const [isDescriptor, pid] = DESCRIPTORS.exec(realpathSync(dirname(at))) ?? [];
      if (isDescriptor !== undefined && (pid === undefined || Number(pid) === process.pid))
        return descriptorTarget(Number(basename(at)));
      // Another program's: what it leads to may have no name.
      if (isDescriptor !== undefined) return { kind: 'stream', path: at, stat: statSync(at) };
    }
    if (!stat?.isSymbolicLink()) {
      if (stat?.isDirectory())
        throw new OutputError(path, 'expected the name of a file to write, but it is a directory');
      return stat === undefined || stat.isFile()
        ? { kind: 'file', path: at, stat }
        : { kind: 'stream', path: at, stat };
    }
    at = resolve(dirname(at), readlinkSync(at));
  }
  throw new OutputError(path, 'cannot be written: its links lead in a circle');
}

function descriptorTarget(fd: number): Target {
  try {
    return { kind: 'descriptor', fd, stat: fstatSync(fd) };
  } catch (error) {
    // Standard output that was closed is found out when something is written.
    if (fd === STDOUT_FD) return { kind: 'descriptor', fd, stat: undefined };
    throw error;
  }
}

/** By what it is, not by its name: a link, another name and a descriptor of an input are the input. */
function refuseInput(path: string, stat: Stats, inputs: readonly (string | undefined)[]): void {
  if (!stat.isFile()) return;
  for (const input of inputs) {
    if (input === undefined) continue;
    const its = statOfInput(input);
    if (its?.dev === stat.dev && its.ino === stat.ino)
      throw new ArgumentError(
        `${path === STDOUT ? 'standard output' : path} is what is read: write another file`,
      );
  }
}

/** What an input is, `-` standard input. Undefined for what is not there: whoever reads it says so. */
export function statOfInput(path: string): Stats | undefined {
  try {
    return path === '-' ? fstatSync(0) : statSync(path);
  } catch {
    return undefined;
  }
}

/** What would be in the way of a file is in the way before the work, too. */
function checkFile(path: string, stat: Stats | undefined): void {
  const folder = dirname(path);
  if (!statSync(folder).isDirectory()) throw Object.assign(new Error(), { code: 'ENOTDIR' });
  accessSync(folder, constants.W_OK | constants.X_OK);
  if (stat !== undefined) accessSync(path, constants.W_OK);
}

async function writeInto<T>(
  name: string,
  target: Exclude<Target, { kind: 'file' }>,
  step: (write: Write) => Promise<T> | T,
): Promise<T> {
  // Not 'w': what is there is neither made nor cut.
  const fd =
    target.kind === 'descriptor' ? target.fd : naming(name, () => openSync(target.path, constants.O_WRONLY));
  try {
    return await step((bytes) => naming(name, () => writeAll(fd, bytes)));
  } finally {
    if (target.kind === 'stream') closeSync(fd);
  }
}

async function replaceFile<T>(
  name: string,
  { path, stat }: Extract<Target, { kind: 'file' }>,
  step: (write: Write) => Promise<T> | T,
): Promise<T> {
  const folder = dirname(path);
  const waiting: Uint8Array[] = [];
  let waits = 0;
  let temp: TempFile | undefined;
  try {
    const result = await step((bytes) =>
      naming(name, () => {
        if (temp === undefined && waits + bytes.length > MEMORY_BYTES) {
          temp = new TempFile(folder);
          for (const each of waiting.splice(0)) temp.write(each);
        }
        if (temp !== undefined) return temp.write(bytes);
        // Whoever wrote it may use its memory again.
        waiting.push(Uint8Array.from(bytes));
        waits += bytes.length;
      }),
    );
    await publish(name, path, stat, temp === undefined ? waiting : piecesOf(temp));
    return result;
  } finally {
    temp?.close();
  }
}

function* piecesOf(temp: TempFile): Generator<Uint8Array> {
  const bytes = temp.bytes();
  for (let at = 0; at < bytes.size; at += PIECE_BYTES)
    yield bytes.read(at, Math.min(PIECE_BYTES, bytes.size - at));
}

/** Writes a file beside the one that it replaces, and gives it the name when it is on the disk. */
async function publish(
  name: string,
  path: string,
  before: Stats | undefined,
  pieces: Iterable<Uint8Array>,
): Promise<void> {
  // Not of the file's name, which may be as long as names can be.
  const partial = partialName(dirname(path));
  await removing(partial, async () => {
    const fd = naming(name, () => openSync(partial, 'wx', before === undefined ? 0o666 : 0o600));
    try {
      for (const piece of pieces) {
        naming(name, () => writeAll(fd, piece));
        await breath();
      }
      if (before !== undefined) keepOwner(fd, before);
      await promisify(fsync)(fd).catch((error: unknown) => {
        throw writeError(name, error);
      });
    } finally {
      closeSync(fd);
    }
    naming(name, () => renameSync(partial, path));
  });
}

function keepOwner(fd: number, { uid, gid, mode }: Stats): void {
  try {
    fchownSync(fd, uid, gid);
  } catch {
    // Another user's file, which we may write: from now on it is ours.
  }
  // Afterwards: a change of owner takes bits away.
  fchmodSync(fd, mode & 0o7777);
}

let partials = 0;

/** A name in a folder that nobody has: of what is not whole yet. */
export function partialName(folder: string): string {
  return resolve(folder, `.slablab-${process.pid}-${partials++}.partial`);
}

/** Lets what waits, such as a signal, run. */
export function breath(): Promise<void> {
  return new Promise((done) => setImmediate(done));
}

/**
 * Runs `step`, and removes `path` when it fails and when a signal or an exit ends the program meanwhile. Whatever `step` does in one go
 * is done before a signal ends the program: it has to take breaths.
 */
export async function removing<T>(path: string, step: () => Promise<T>): Promise<T> {
  const remove = () => rmSync(path, { recursive: true, force: true });
  const leave = () => {
    for (const signal of SIGNALS) process.removeListener(signal, onSignal);
    process.removeListener('exit', remove);
  };
  const onSignal = (signal: NodeJS.Signals) => {
    leave();
    remove();
    process.kill(process.pid, signal);
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  process.on('exit', remove);
  try {
    return await step();
  } catch (error) {
    remove();
    throw error;
  } finally {
    leave();
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
function naming<T>(path: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    throw writeError(path === STDOUT ? 'standard output' : path, error);
  }
}
