/** How far a long step has come: rate and time left, on stderr, where somebody looks at it. */
import { formatCount } from '../base/index.js';
import type { TraceProgress } from '../trace/index.js';
import type { Terminal } from './terminal.js';

/** What is over sooner needs no progress. */
const QUIET_MS = 1000;
const STEP_MS = 100;

interface Meter {
  /** Something went on. */
  readonly tell: (progress: TraceProgress) => void;
  /** Takes the line away. */
  readonly done: () => void;
}

/** A line such as `reading boot.txt: 3.2 M events, 1.6 M a second, 41 %, 5 s left`. */
export function createMeter(
  terminal: Pick<Terminal, 'progress'>,
  what: string,
  now: () => number = () => performance.now(),
): Meter {
  const begun = now();
  let told = begun + QUIET_MS - STEP_MS;
  let clear = () => {};
  return {
    tell(progress) {
      const at = now();
      if (at - told < STEP_MS) return;
      told = at;
      clear();
      clear = terminal.progress(`${what}: ${progressWords(progress, at - begun)}`);
    },
    done() {
      clear();
      clear = () => {};
    },
  };
}

export function progressWords({ events, bytes, size }: TraceProgress, elapsedMs: number): string {
  const words = [`${inMillions(events)} events`, `${inMillions((events * 1000) / elapsedMs)} a second`];
  if (size === undefined || bytes === 0) return words.join(', ');
  const share = Math.min(bytes / size, 1);
  const left = (elapsedMs / share) * (1 - share);
  return [...words, `${Math.floor(share * 100)} %`, `${timeLeft(left)} left`].join(', ');
}

function inMillions(n: number): string {
  return n < 1e6 ? formatCount(Math.round(n)) : `${(n / 1e6).toFixed(n < 1e8 ? 1 : 0)} M`;
}

function timeLeft(ms: number): string {
  const seconds = Math.round(ms / 1000);
  return seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
}
