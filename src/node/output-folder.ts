/**
 * # A folder that a command writes
 *
 * All files are written into a folder beside their place first. Where there is none yet, that one gets the name; else its files
 * are moved in, in one go, which a signal waits for. What else lies there stays. Nothing is written outside: a name cannot lead out, and
 * what is in the way of a file is taken away, never followed.
 */
import {
  accessSync,
  chmodSync,
  constants,
  lstatSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  type Stats,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { ArgumentError } from '../base/index.js';
import { breath, partialName, removing, statOfInput } from './output.js';
import { OutputError, writeError } from './output-errors.js';

/** What is to lie in a folder: directories of files with their modes, and links beside them. */
export interface FolderTree {
  readonly directories: ReadonlyMap<
    string,
    ReadonlyMap<string, { readonly text: string; readonly mode: number }>
  >;
  readonly links: ReadonlyMap<string, string>;
}

/** A folder that is written, looked at before the work. */
export interface OutputFolder {
  /** All of the tree is there afterwards, or nothing. Throws OutputError and NoPermissionError. */
  save(tree: FolderTree): Promise<void>;
}

/** What is known of a folder that is written. */
export interface FolderOptions {
  /** Files that the command reads: none of them is taken away. */
  readonly inputs?: readonly (string | undefined)[];
  /** Something may be in it already. */
  readonly force?: boolean;
}

/** Throws OutputError for what is no folder, or not an empty one, and NoPermissionError where the system refuses. */
export function prepareFolder(
  folder: string,
  { inputs = [], force = false }: FolderOptions = {},
): OutputFolder {
  if (folder === '') throw new OutputError(folder, 'expected the name of a folder to write, but it is empty');
  const there = naming(folder, () => folderAt(folder));
  if (there === undefined) {
    const above = naming(folder, () => nearestFolder(resolve(folder)));
    naming(folder, () => accessSync(above, constants.W_OK | constants.X_OK));
    return { save: (tree) => makeFolder(folder, tree) };
  }
  naming(folder, () => accessSync(there, constants.R_OK | constants.W_OK | constants.X_OK));
  if (!force && naming(folder, () => readdirSync(there)).length > 0)
    throw new OutputError(
      folder,
      'expected an empty folder, but something is in it',
      '--force writes into it all the same; name an empty folder, or one that is not there yet',
    );
  return { save: (tree) => fillFolder(folder, there, tree, inputs) };
}

/** Where a folder really is; undefined where nothing is. */
function folderAt(folder: string): string | undefined {
  const stat = statSync(folder, { throwIfNoEntry: false });
  if (stat === undefined && lstatSync(folder, { throwIfNoEntry: false }) !== undefined)
    throw new OutputError(folder, 'expected a folder, but it is a link that leads nowhere');
  if (stat !== undefined && !stat.isDirectory()) throw notAFolder(folder);
  return stat === undefined ? undefined : realpathSync(folder);
}

function notAFolder(folder: string): OutputError {
  return new OutputError(folder, 'expected a folder, but it, or a part of the path, is a file');
}

function nearestFolder(path: string): string {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return nearestFolder(dirname(path));
  if (!stat.isDirectory()) throw Object.assign(new Error(), { code: 'ENOTDIR' });
  return path;
}

async function makeFolder(folder: string, tree: FolderTree): Promise<void> {
  const above = dirname(resolve(folder));
  // The first of the folders that had to be made.
  const made = naming(folder, () => mkdirSync(above, { recursive: true }));
  const partial = partialName(above);
  await removing(made ?? partial, async () => {
    await writeTree(folder, partial, tree);
    naming(folder, () => renameSync(partial, resolve(folder)));
  });
}

async function fillFolder(
  name: string,
  folder: string,
  tree: FolderTree,
  inputs: readonly (string | undefined)[],
): Promise<void> {
  refuseInputs(folder, tree, inputs);
  for (const link of tree.links.keys())
    if (kindOf(join(folder, link))?.isDirectory())
      throw new OutputError(join(name, link), 'expected nothing or a link, but it is a directory');
  const partial = partialName(folder);
  await removing(partial, async () => {
    await writeTree(name, partial, tree);
    // In one go, so that a signal finds all or nothing of it.
    naming(name, () => moveIn(partial, folder, tree));
    rmSync(partial, { recursive: true, force: true });
  });
}

function moveIn(partial: string, folder: string, { directories, links }: FolderTree): void {
  for (const [directory, files] of directories) {
    const [from, to] = [join(partial, directory), join(folder, directory)];
    const kind = kindOf(to);
    if (!kind?.isDirectory()) {
      rmSync(to, { force: true });
      renameSync(from, to);
      continue;
    }
    for (const file of files.keys()) {
      if (kindOf(join(to, file))?.isDirectory()) rmSync(join(to, file), { recursive: true });
      renameSync(join(from, file), join(to, file));
    }
  }
  for (const link of links.keys()) renameSync(join(partial, link), join(folder, link));
}

async function writeTree(name: string, folder: string, { directories, links }: FolderTree): Promise<void> {
  naming(name, () => mkdirSync(folder));
  for (const [directory, files] of directories) {
    checkName(name, directory);
    naming(join(name, directory), () => mkdirSync(join(folder, directory)));
    for (const [file, { text, mode }] of files) {
      checkName(name, file);
      naming(join(name, directory, file), () => {
        const path = join(folder, directory, file);
        writeFileSync(path, text, { flag: 'wx' });
        // Not by the options: the process's mask would change it.
        chmodSync(path, mode);
      });
    }
    await breath();
  }
  for (const [link, target] of links) {
    checkName(name, link);
    naming(join(name, link), () => symlinkSync(target, join(folder, link)));
  }
}

function checkName(folder: string, name: string): void {
  if (['', '.', '..'].includes(name) || /[\0/]/.test(name))
    throw new OutputError(
      folder,
      `expected the name of a cache to be a file's name, but one is '${name}'`,
      'give the cache another name',
    );
}

/** A script that lies where a cache's file would be put. */
function refuseInputs(
  folder: string,
  { directories, links }: FolderTree,
  inputs: readonly (string | undefined)[],
): void {
  const paths = [
    ...[...directories].flatMap(([directory, files]) => [
      join(folder, directory),
      ...[...files.keys()].map((file) => join(folder, directory, file)),
    ]),
    ...[...links.keys()].map((link) => join(folder, link)),
  ];
  for (const input of inputs) {
    const its = input === undefined ? undefined : statOfInput(input);
    if (its === undefined) continue;
    const over = paths.find((path) => {
      const stat = statSync(path, { throwIfNoEntry: false });
      return stat?.dev === its.dev && stat.ino === its.ino;
    });
    if (over !== undefined) throw new ArgumentError(`${input} would be written over: name another folder`);
  }
}

/** What a path is itself; undefined for nothing. */
function kindOf(path: string): Stats | undefined {
  return lstatSync(path, { throwIfNoEntry: false });
}

function naming<T>(path: string, step: () => T): T {
  try {
    return step();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw code === 'EEXIST' || code === 'ENOTDIR' ? notAFolder(path) : writeError(path, error);
  }
}
