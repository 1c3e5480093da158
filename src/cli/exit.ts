/**
 * # How a command ends
 *
 * One list for the code, for `--help`, and for docs/commands.md. A signal ends a command at once, and a shell says 128 and its number of
 * that: 130 of Ctrl-C. An error is a line on stderr, and a line that helps.
 */
export const EXIT = { ok: 0, differs: 1, usage: 2, input: 3, permission: 4, internal: 70 } as const;

/** What each code says. */
export const EXIT_WORDS: readonly (readonly [code: string, words: string])[] = [
  [`${EXIT.ok}`, 'done'],
  [`${EXIT.differs}`, 'a check failed, a kernel refuses, a cell of a sweep failed'],
  [`${EXIT.usage}`, 'the command line is wrong'],
  [`${EXIT.input}`, 'a file is not what it should be, or cannot be written'],
  [`${EXIT.permission}`, 'no permission to read or write a file'],
  [`${EXIT.internal}`, 'a fault of slablab itself'],
  ['129, 130, 143', 'ended by SIGHUP, SIGINT (Ctrl-C), SIGTERM'],
];

/** For a command that a signal asks to end and that has to tidy up: what a shell says of one that it ended. */
export const SIGNAL_EXIT: Readonly<Record<'SIGHUP' | 'SIGINT' | 'SIGTERM', number>> = {
  SIGHUP: 129,
  SIGINT: 130,
  SIGTERM: 143,
};
