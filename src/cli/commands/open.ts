/** `slablab open`: the page, served to this machine, with a file open in it. */
import { spawn } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { basename, delimiter, join } from 'node:path';
import type { Command } from 'commander';
import { ArgumentError } from '../../base/index.js';
import {
  isBuiltPage,
  openTraceInput,
  type ServedFile,
  servedFile,
  servedStream,
  servePage,
  shippedPagePath,
} from '../../node/index.js';
import { withExamples } from '../examples.js';
import { SIGNAL_EXIT } from '../exit.js';
import { wholeNumber } from '../options.js';
import type { OpenSession, Session } from '../session.js';

interface OpenFlags {
  readonly snapshots?: string;
  readonly port: number;
  readonly browser: boolean;
  readonly json?: true;
}

/** What standard input is called in the page. */
const STDIN_FILE = 'standard-input';

export function addOpen(program: Command, open: OpenSession): void {
  const command = program
    .command('open')
    .description(
      'Serves the page to this machine alone, with a file open in it. Nothing leaves the machine; Ctrl-C ends it.',
    )
    .argument('[file]', 'a trace of any format, .slt, snapshots, slabinfo, a workload; - for standard input')
    .option('--snapshots <file>', "what the trace's machine said of its caches, as JSON")
    .option('--port <n>', 'port of 127.0.0.1; 0 for one that is free', wholeNumber('--port'), 0)
    .option('--no-browser', 'print the address, and start no browser');
  withExamples(command, [
    ['slablab open', 'the page, with examples'],
    ['slablab open boot.slt', 'a trace in it'],
    ['slablab open trace.dat --snapshots boot.snapshots.json', 'with the machine that it was'],
    ['perf script | slablab open - --port 8080', 'from standard input'],
  ]);
  command.action(async (file: string | undefined, flags: OpenFlags) => {
    await runOpen(file, { ...command.optsWithGlobals<OpenFlags>(), ...flags }, open(command));
  });
}

async function runOpen(path: string | undefined, flags: OpenFlags, session: Session): Promise<void> {
  const { snapshots, port, browser, json } = flags;
  if (snapshots !== undefined && path === undefined)
    throw new ArgumentError('--snapshots are those of a trace: name it as well');
  if (port > 65535) throw new ArgumentError(`--port is at most 65535, not ${port}`);
  const folder = shippedPagePath();
  if (!isBuiltPage(folder))
    throw new ArgumentError("the page is not built yet: 'npm run build:page' builds it, which takes seconds");
  const files = [
    ...(path === undefined ? [] : [await fileOf(path)]),
    ...(snapshots === undefined ? [] : [await fileOf(snapshots)]),
  ];
  // From the moment at which somebody knows that it runs.
  const ended = interrupted();
  const server = await servePage({ folder, files, port });
  const { terminal } = session;
  if (json) session.printJson({ url: server.url, files: files.map(({ name }) => name) });
  else terminal.print([server.url]);
  if (browser && !json) startBrowser(server.url);
  const words = files.length === 0 ? 'serving the page' : `serving the page with ${path}`;
  const clear = terminal.progress(`${words}; Ctrl-C ends it`);
  const signal = await ended;
  clear();
  await server.close();
  session.exitCode = SIGNAL_EXIT[signal];
}

/** Throws InputError for what is no file that slablab reads, before a browser finds out. */
async function fileOf(path: string): Promise<ServedFile> {
  if (path === '-') return servedStream(process.stdin, STDIN_FILE);
  const { size, close } = await openTraceInput(path);
  await close();
  return servedFile(path, basename(path), size);
}

function interrupted(): Promise<keyof typeof SIGNAL_EXIT> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const)
      process.once(signal, () => resolve(signal));
  });
}

/** Shows the address where there is a desktop and its opener; where there is none, the printed address will do. */
function startBrowser(url: string): void {
  const { env, platform, stdout } = process;
  const opener = platform === 'darwin' ? 'open' : 'xdg-open';
  const hasDesktop = platform === 'darwin' || env.DISPLAY !== undefined || env.WAYLAND_DISPLAY !== undefined;
  if (!stdout.isTTY || !hasDesktop || !isCommand(opener, env.PATH ?? '')) return;
  spawn(opener, [url], { stdio: 'ignore', detached: true })
    .on('error', () => {})
    .unref();
}

function isCommand(name: string, path: string): boolean {
  return path.split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, name), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
