/** The command line as a whole: its commands, the options that all share, and what becomes of an error. */
import { Command, type Help } from 'commander';
import { nearestNames, UnknownNameError } from '../base/index.js';
import { packageVersion } from '../node/index.js';
import { addCompare } from './compare.js';
import { addConvert } from './convert.js';
import { explainError } from './failure.js';
import { addInfo } from './info.js';
import { addIommu } from './iommu.js';
import { addLayout } from './layout.js';
import { addOpen } from './open.js';
import { withExamples } from './options.js';
import { COLOURED, wantsColour } from './render/style.js';
import { wrap } from './render/text.js';
import { addReplay } from './replay.js';
import { Session } from './session.js';
import { addSweep } from './sweep.js';
import { addSysfs } from './sysfs.js';
import { type Streams, Terminal, terminalWidth } from './terminal.js';
import { addVerify } from './verify.js';

/** Columns of help that a description has beside its option, at least. */
const BESIDE_MIN = 24;

/** Runs one command line and returns its exit code. */
export async function run(argv: readonly string[], streams: Streams): Promise<number> {
  // What an error is about: the command that was running, or was being read.
  let command = new Command('slablab');
  let session: Session | undefined;
  const open = (running: Command) => {
    session = new Session(streams, argv, wantsColours(running));
    return session;
  };
  const program = buildProgram(command, argv, streams, open);
  for (const each of [program, ...program.commands]) {
    each.exitOverride((error) => {
      command = each;
      throw error;
    });
  }
  program.hook('preSubcommand', (_, subcommand) => {
    command = subcommand;
  });
  try {
    refuseUnknownHelp(argv, program);
    await program.parseAsync(argv, { from: 'user' });
    return session?.exitCode ?? 0;
  } catch (error) {
    const failure = explainError(error, command, argv);
    if (failure === undefined) return 0;
    const terminal = new Terminal(streams, false);
    terminal.complain(`slablab: ${failure.message}`);
    terminal.complain(`  ${failure.hint}`);
    if (streams.env.SLABLAB_DEBUG === '1' && error instanceof Error) terminal.complain(error.stack ?? '');
    return failure.exitCode;
  }
}

function buildProgram(
  program: Command,
  argv: readonly string[],
  streams: Streams,
  open: (c: Command) => Session,
): Command {
  const colour = !argv.includes('--no-color') && wantsColour(streams.stdout, streams.env, true);
  const width = () => Math.min(terminalWidth(streams), 100);
  program
    .description(
      "Linux's slab memory as an engine: where should a driver's small objects come from, " +
        'and what does each choice cost?',
    )
    .version(packageVersion(), '--version', 'print the version')
    .option('--json', 'print everything as JSON, versioned')
    .option('--no-color', 'print without colours; NO_COLOR and TERM=dumb do the same')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .showSuggestionAfterError(false)
    .configureHelp({
      showGlobalOptions: true,
      minWidthToWrap: 20,
      formatItem: helpItem,
      styleTitle: (title) => (colour ? COLOURED.bold(title) : title),
    })
    .configureOutput({
      // Help for somebody who typed no command is what they came for, no error.
      writeOut: (text) => streams.stdout.write(text),
      writeErr: (text) => streams.stdout.write(text),
      outputError: () => {},
      getOutHelpWidth: width,
      getErrHelpWidth: width,
      getOutHasColors: () => colour,
      getErrHasColors: () => colour,
    });
  withExamples(program, [
    ['slablab compare', 'where should they come from?'],
    ['slablab compare steady --live 30', 'the same for a handful'],
    ['slablab layout --size 1024 --align 1024', 'what a kernel makes of it'],
    ['slablab iommu', 'the page tables of an IOMMU'],
    ['slablab info', 'all caches at its peak'],
    ['slablab replay trace.txt', 'a recorded kernel, on another machine'],
    ['slablab verify', 'is the engine right?'],
  ]);
  addCompare(program, open);
  addLayout(program, open);
  addIommu(program, open);
  addInfo(program, open);
  addSysfs(program, open);
  addReplay(program, open);
  addSweep(program, open);
  addConvert(program, open);
  addOpen(program, open);
  addVerify(program, open);
  return program;
}

/** An option and what it does; beneath each other where the terminal is too narrow for both. */
function helpItem(term: string, termWidth: number, description: string, helper: Help): string {
  const width = helper.helpWidth ?? 80;
  const beside = width - termWidth - 4 >= BESIDE_MIN;
  if (!beside)
    return [...wrap(term, width, '    ', '  '), ...wrap(description, width, '      ', '      ')].join('\n');
  const first = `  ${term.padEnd(termWidth + term.length - helper.displayWidth(term))}  `;
  return wrap(description, width, ' '.repeat(termWidth + 4), first).join('\n');
}

function wantsColours(command: Command): boolean {
  return command.optsWithGlobals<{ color: boolean }>().color;
}

/** commander answers `help compar` with the help of everything. */
function refuseUnknownHelp([first, word]: readonly string[], program: Command): void {
  const names = program.commands.map((each) => each.name());
  if (first !== 'help' || word === undefined || word.startsWith('-') || names.includes(word)) return;
  throw new UnknownNameError('command', word, names, nearestNames(word, names));
}
