/**
 * # How a command ends
 *
 *     0  done                      2  the command line is wrong            4  no permission
 *     1  a check did not hold      3  a file is not what it should be      130  interrupted
 *
 * 130 is what a shell says of a program that a signal ended. 70 is a fault of slablab itself. An error is a
 * line on stderr, and a line that helps.
 */

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
import { NoPermissionError } from '../node/index.js';

export const EXIT = { ok: 0, differs: 1, usage: 2, input: 3, permission: 4, internal: 70 } as const;

export interface Failure {
  readonly exitCode: number;
  readonly message: string;
  readonly hint: string;
}

/** What a command's file should have been. */
const HINTS: ReadonlyMap<string, string> = new Map([
  ['verify', 'truth/README.md says what a recording holds'],
  ['replay', 'docs/replay.md says what can be replayed, and how to record it'],
  ['convert', 'docs/replay.md says what can be read, and how to record it'],
  ['open', 'docs/page.md says what the page opens'],
  ['sweep', 'docs/replay.md says what can be replayed, and how to record it'],
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
export function explainError(error: unknown, command: Command): Failure | undefined {
  const help = `see '${commandPath(command)} --help'`;
  if (error instanceof CommanderError) return explainCommander(error, command, help);
  // Whoever read our output has seen enough.
  if ((error as NodeJS.ErrnoException).code === 'EPIPE') return undefined;
  if (error instanceof NoPermissionError) {
    return {
      exitCode: EXIT.permission,
      message: error.message,
      hint: 'give it to this user, or run as one who may',
    };
  }
  if (error instanceof InputError) {
    const hint = HINTS.get(command.name()) ?? WORKLOAD_HINT;
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

function explainCommander(error: CommanderError, command: Command, help: string): Failure | undefined {
  if (error.exitCode === 0 || error.code === 'commander.help') return undefined;
  const word = /'([^']*)'/.exec(error.message)?.[1] ?? '';
  const usage = (message: string, hint = help): Failure => ({ exitCode: EXIT.usage, message, hint });
  switch (error.code) {
    case 'commander.unknownCommand': {
      const names = command.commands.map((each) => each.name());
      return usage(new UnknownNameError('command', word, names, nearestNames(word, names)).message);
    }
    case 'commander.unknownOption': {
      const option = word.replace(/=.*/s, '');
      const known = [...command.options, ...(command.parent?.options ?? [])].flatMap((o) => o.long ?? []);
      const [nearest] = nearestNames(option, [...known, '--help']);
      return usage(
        `${commandPath(command)} has no option ${option}${nearest ? `; did you mean ${nearest}?` : ''}`,
      );
    }
    case 'commander.optionMissingArgument':
      return usage(`${word.replace(/^-\w, /, '')}: the value is missing`);
    case 'commander.missingMandatoryOptionValue':
      return usage(`${commandPath(command)} needs ${word}`);
    default:
      return usage(error.message.replace(/^error: /, ''));
  }
}
