/** What becomes of an error: an exit code (exit.ts), a line that says what is wrong, and a line that helps. */
import type { Command } from 'commander';
import { CommanderError } from 'commander';
import {
  ArgumentError,
  InputError,
  KernelPanicError,
  KernelWouldCrashError,
  LedgerFullError,
  nearestNames,
  SlablabError,
  UnknownNameError,
} from '../base/index.js';
import { EXIT } from './exit.js';

interface Failure {
  readonly exitCode: number;
  readonly message: string;
  readonly hint: string;
}

/** What a command's file should have been. */
const HINTS: ReadonlyMap<string, string> = new Map([
  ['verify', 'truth/README.md says what a recording holds'],
  ['replay', "'slablab convert --help' says what can be read, and how to record it"],
  ['convert', "'slablab convert --help' says what can be read, and how to record it"],
  ['open', "'slablab open --help' says what the page opens"],
  ['sweep', "'slablab convert --help' says what can be read, and how to record it"],
  ['info', "'slablab info --help' says what a script is"],
  ['sysfs', "'slablab info --help' says what a script is"],
  ['iommu', "'slablab iommu --help' says what a script is"],
]);
const WORKLOAD_HINT =
  "a workload is 'recorded', 'steady' or a file as truth/README.md describes it under v7s-workload";

/**
 * What an error means to the person who typed the command. Undefined where nothing went wrong: help,
 * version.
 */
export function explainError(
  error: unknown,
  command: Command,
  argv: readonly string[] = [],
): Failure | undefined {
  const help = `see '${commandPath(command)} --help'`;
  if (error instanceof CommanderError) return explainCommander(error, command, help, argv);
  // Whoever read our output has seen enough.
  if ((error as NodeJS.ErrnoException).code === 'EPIPE') return undefined;
  // By its code: the room that throws it is not loaded for who asks for help.
  if (error instanceof SlablabError && error.code === 'no-permission') {
    return {
      exitCode: EXIT.permission,
      message: error.message,
      hint: 'give it to this user, or run as one who may',
    };
  }
  if (error instanceof InputError) {
    const own = 'hint' in error && typeof error.hint === 'string' ? error.hint : undefined;
    const hint = own ?? HINTS.get(command.name()) ?? WORKLOAD_HINT;
    return { exitCode: EXIT.input, message: error.message, hint };
  }
  if (error instanceof KernelPanicError)
    return { exitCode: EXIT.differs, message: error.message, hint: help };
  if (error instanceof KernelWouldCrashError) {
    const canBeFaithful = command.name() === 'layout' && command.opts().faithful !== true;
    const hint = canBeFaithful ? '--faithful answers as the kernel does, where it survives' : help;
    return { exitCode: EXIT.usage, message: error.message, hint };
  }
  if (
    error instanceof ArgumentError ||
    error instanceof UnknownNameError ||
    error instanceof LedgerFullError
  ) {
    // No option of a command makes a larger ledger.
    const message = error instanceof LedgerFullError ? error.fact : error.message;
    return { exitCode: EXIT.usage, message, hint: help };
  }
  const message = error instanceof Error ? error.message : String(error);
  const kind = error instanceof SlablabError ? error.code : error instanceof Error ? error.name : 'error';
  return {
    exitCode: EXIT.internal,
    message: `internal error (${kind}): ${message}`,
    hint: 'this is a fault of slablab itself; SLABLAB_DEBUG=1 shows where, please report it',
  };
}

/** `slablab compare` */
function commandPath(command: Command): string {
  return command.parent ? `${commandPath(command.parent)} ${command.name()}` : command.name();
}

function explainCommander(
  error: CommanderError,
  command: Command,
  help: string,
  argv: readonly string[],
): Failure | undefined {
  if (error.exitCode === 0 || error.code === 'commander.help') return undefined;
  const word = /'([^']*)'/.exec(error.message)?.[1] ?? '';
  const usage = (message: string, hint = help): Failure => ({ exitCode: EXIT.usage, message, hint });
  switch (error.code) {
    case 'commander.unknownCommand': {
      const names = command.commands.map((each) => each.name());
      return usage(new UnknownNameError('command', word, names, nearestNames(word, names)).message);
    }
    case 'commander.unknownOption':
      return usage(noOption(command, word));
    case 'commander.optionMissingArgument':
      return usage(`${word.replace(/^-\w, /, '')}: the value is missing`);
    case 'commander.missingMandatoryOptionValue': {
      // What was misspelt is missing as well: the spelling is the mistake.
      const misspelt = unknownOption(command, argv);
      if (misspelt !== undefined) return usage(noOption(command, misspelt));
      return usage(`${commandPath(command)} needs ${word}`);
    }
    case 'commander.missingArgument':
      return usage(`${commandPath(command)} needs <${word}>`);
    case 'commander.excessArguments': {
      const takes = command.registeredArguments.length;
      const extra = command.args[takes] ?? word;
      const most = takes === 0 ? 'no argument' : takes === 1 ? 'one argument' : `at most ${takes} arguments`;
      return usage(`${commandPath(command)} takes ${most}: '${extra}' is one too many`);
    }
    default:
      return usage(error.message.replace(/^error: /, ''));
  }
}

/** The names of the options that a command takes, those of all commands among them. */
function optionNames(command: Command): string[] {
  const options = [...command.options, ...(command.parent?.options ?? [])];
  return [
    ...options.flatMap(({ long, short }) => [long, short].filter((name) => name != null)),
    '--help',
    '-h',
  ];
}

/** An option of the command line that the command does not have. */
function unknownOption(command: Command, argv: readonly string[]): string | undefined {
  const known = optionNames(command);
  const end = argv.indexOf('--');
  const words = end < 0 ? argv : argv.slice(0, end);
  return words.find((word) => /^--[a-z]/i.test(word) && !known.includes(word.replace(/=.*/s, '')));
}

function noOption(command: Command, typed: string): string {
  const option = typed.replace(/=.*/s, '');
  const [nearest] = nearestNames(
    option,
    optionNames(command).filter((name) => name.startsWith('--')),
  );
  return `${commandPath(command)} has no option ${option}${nearest ? `; did you mean ${nearest}?` : ''}`;
}
