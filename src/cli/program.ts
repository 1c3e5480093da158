/** The command line as a whole: its commands, the options that all share, and what becomes of an error. */
import { Command, type Help } from 'commander';
import { largestOf, lookUp, nearestNames, UnknownNameError } from '../base/index.js';
import { addCommands, termOf } from './commands.js';
import { helpWidth, withExamples } from './examples.js';
import { EXIT_WORDS } from './exit.js';
import { explainError } from './failure.js';
import { COLOURED, type ColourChoice, painted, wantsColour } from './render/style.js';
import { wrap } from './render/text.js';
import { type OpenSession, Session } from './session.js';
import { type Streams, Terminal, terminalWidth } from './terminal.js';
import { packageVersion } from './version.js';

/** Columns of help that a description has beside its option, at least. */
const BESIDE_MIN = 24;

/** Runs one command line and returns its exit code. */
export async function run(argv: readonly string[], streams: Streams): Promise<number> {
  // What an error is about: the command that was running, or was being read.
  let command = new Command('slablab');
  let session: Session | undefined;
  const open = (running: Command) => {
    session = new Session(streams, argv, colourChoice(running.optsWithGlobals()), running.name());
    return session;
  };
  try {
    const program = await buildProgram(command, argv, streams, open);
    for (const each of [program, ...program.commands]) {
      each.exitOverride((error) => {
        command = each;
        throw error;
      });
    }
    program.hook('preSubcommand', (_, subcommand) => {
      command = subcommand;
    });
    refuseUnknownHelp(argv, program);
    await program.parseAsync(argv, { from: 'user' });
    return session?.exitCode ?? 0;
  } catch (error) {
    const failure = explainError(error, command, argv);
    if (failure === undefined) return 0;
    const terminal = new Terminal(streams, 'never');
    terminal.complain(`slablab: ${failure.message}`);
    terminal.complain(`  ${failure.hint}`);
    if (streams.env.SLABLAB_DEBUG === '1' && error instanceof Error) terminal.complain(error.stack ?? '');
    return failure.exitCode;
  }
}

async function buildProgram(
  program: Command,
  argv: readonly string[],
  streams: Streams,
  open: OpenSession,
): Promise<Command> {
  const colour = wantsColour(streams.stdout, streams.env, typedChoice(argv));
  const write = (text: string) => streams.stdout.write(text.split('\n').map(painted).join('\n'));
  const width = () => Math.min(terminalWidth(streams), 100);
  program
    .description(
      "Linux's slab memory as an engine: where should a driver's small objects come from, " +
        'and what does each choice cost?',
    )
    .version(packageVersion(), '--version', 'print the version')
    .option('--json', 'print everything as JSON, versioned')
    .option('--color <when>', 'always, never or auto, as FORCE_COLOR, NO_COLOR and TERM=dumb say', colourWord)
    .option('--no-color', 'the same as --color=never')
    .helpOption('-h, --help', 'print help')
    .helpCommand('help [command]', 'print help for a command')
    .showSuggestionAfterError(false)
    .configureHelp({
      showGlobalOptions: true,
      minWidthToWrap: 20,
      formatItem: helpItem,
      styleTitle: (title) => (colour ? COLOURED.bold(title) : title),
      // A command that is not loaded does not know its options.
      subcommandTerm: termOf,
    })
    .configureOutput({
      // Help for somebody who typed no command is what they came for, no error.
      writeOut: write,
      writeErr: write,
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
  program.addHelpText('after', ({ command }) => exitCodes(helpWidth(command)));
  await addCommands(program, argv, open);
  return program;
}

/** An option and what it does; beneath each other where the terminal is too narrow for both. */
function helpItem(term: string, termWidth: number, description: string, helper: Help): string {
  const padded = term.padEnd(termWidth + term.length - helper.displayWidth(term));
  return item(padded, termWidth, description, helper.helpWidth ?? 80).join('\n');
}

function item(term: string, termWidth: number, words: string, width: number): string[] {
  if (width - termWidth - 4 < BESIDE_MIN)
    return [...wrap(term, width, '    ', '  '), ...wrap(words, width, '      ', '      ')];
  // A blank comes between the term and the first word as it does between two words.
  return wrap(words, width, ' '.repeat(termWidth + 4), `  ${term} `);
}

function exitCodes(width: number): string {
  const column = largestOf(EXIT_WORDS.map(([code]) => code.length));
  const items = EXIT_WORDS.flatMap(([code, words]) => item(code.padEnd(column), column, words, width));
  return ['', 'Exit codes:', ...items].join('\n');
}

const CHOICES: ReadonlyMap<string, ColourChoice> = new Map([
  ['always', 'always'],
  ['never', 'never'],
  ['auto', 'auto'],
]);

/** For `--color`. */
function colourWord(text: string): ColourChoice {
  return lookUp('choice of colours', text, CHOICES);
}

function colourChoice({ color }: { readonly color?: ColourChoice | boolean }): ColourChoice {
  return color === false ? 'never' : color === undefined || color === true ? 'auto' : color;
}

/** Of a command line that is not read yet, for its help. */
function typedChoice(argv: readonly string[]): ColourChoice {
  if (argv.includes('--no-color')) return 'never';
  const at = argv.findLastIndex((word) => /^--color(=|$)/.test(word));
  const word =
    at < 0 ? undefined : argv[at]!.includes('=') ? argv[at]!.slice('--color='.length) : argv[at + 1];
  return CHOICES.get(word ?? '') ?? 'auto';
}

/** commander answers `help compar` with the help of everything. */
function refuseUnknownHelp([first, word]: readonly string[], program: Command): void {
  const names = program.commands.map((each) => each.name());
  if (first !== 'help' || word === undefined || word.startsWith('-') || names.includes(word)) return;
  throw new UnknownNameError('command', word, names, nearestNames(word, names));
}
