/**
 * How the tests type command lines: in their own process, for they are many; and as a person does, in a process that runs the compiled
 * program, where that is what is tested: standard input, pipes, signals, exit codes.
 */
import { spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after } from 'node:test';
import { fileURLToPath } from 'node:url';
import { run } from './program.js';

/** The compiled program. */
export const MAIN = fileURLToPath(new URL('./main.js', import.meta.url));

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface Screen {
  readonly columns?: number;
  readonly isTTY?: boolean;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs the words of a command line, a text split at its spaces, in this process. */
export async function slablab(
  words: string | readonly string[],
  { columns = 80, isTTY = false, env = {} }: Screen = {},
): Promise<Ended> {
  let [out, err] = ['', ''];
  const stdout = {
    isTTY,
    write(text: string) {
      out += text;
    },
  };
  const stderr = {
    write(text: string) {
      err += text;
    },
  };
  const code = await run(split(words), {
    stdout,
    stderr,
    env: { COLUMNS: String(columns), TERM: 'xterm', ...env },
  });
  return { code, out, err };
}

/** Runs them in a process of their own. `bytes` is what `out` shows as text. */
export function spawnSlablab(
  words: string | readonly string[],
  input: string | Uint8Array = '',
): Ended & { readonly bytes: Buffer } {
  const { status, stdout, stderr } = spawnSync(process.execPath, [MAIN, ...split(words)], {
    input,
    env: { PATH: process.env.PATH },
    maxBuffer: 1 << 28,
  });
  return { code: status, out: stdout.toString(), err: stderr.toString(), bytes: stdout };
}

/** Runs them in a process of their own, whose reader goes away after the first bytes. */
export async function spawnForHasty(words: string | readonly string[]): Promise<Omit<Ended, 'out'>> {
  const child = spawn(process.execPath, [MAIN, ...split(words)]);
  let err = '';
  child.stderr.on('data', (text) => {
    err += text;
  });
  child.stdout.once('data', () => child.stdout.destroy());
  const code = await new Promise<number | null>((done) => child.on('close', done));
  return { code, err };
}

function split(words: string | readonly string[]): readonly string[] {
  return typeof words === 'string' ? words.split(' ').filter((word) => word !== '') : words;
}

/**
 * A folder of the test file's own, which is the working directory from now on and goes away at the end. `truth` in it is the repository's:
 * a command that is given such a name prints the same wherever the checkout lies.
 */
export function enterFolder(name: string): string {
  const folder = mkdtempSync(join(tmpdir(), `slablab-${name}-`));
  const before = process.cwd();
  symlinkSync(fileURLToPath(new URL('../../truth', import.meta.url)), join(folder, 'truth'));
  process.chdir(folder);
  after(() => {
    process.chdir(before);
    rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

/** The columns of the longest line. */
export function widest(text: string): number {
  return Math.max(...text.split('\n').map((line) => [...line].length));
}
