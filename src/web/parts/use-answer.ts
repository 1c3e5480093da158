/**
 * What a worker says to a question that changes: the cursor moves sixty times a second, and the worker answers as fast as it can. One
 * question is asked at a time, and when its answer is there the newest one; those between are never asked.
 */
import { useEffect, useRef, useState } from 'preact/hooks';

interface Answer<T> {
  /** The last one, also while the next is waited for; undefined before the first, and after a failure. */
  readonly value: T | undefined;
  readonly failure: Error | undefined;
  readonly isWaiting: boolean;
}

/**
 * `ask` is called when `on` is another than before; undefined asks nothing and forgets. `of` says what the answers belong to: with another
 * one, such as another open file, old answers are forgotten at once.
 */
export function useAnswer<T>(
  ask: (() => Promise<T>) | undefined,
  on: string,
  of: unknown = undefined,
): Answer<T> {
  const [answer, setAnswer] = useState<Answer<T>>({ value: undefined, failure: undefined, isWaiting: true });
  const state = useRef({ ask, isBusy: false, wants: false, of, isGone: false });
  const now = state.current;
  now.ask = ask;
  const isOther = now.of !== of;
  now.of = of;

  useEffect(() => {
    now.isGone = false;
    return () => {
      now.isGone = true;
    };
  }, [now]);

  useEffect(() => {
    now.wants = true;
    next();
  }, [on, of]);

  function next(): void {
    if (now.isBusy || !now.wants || now.isGone) return;
    now.wants = false;
    const asked = now.ask;
    if (asked === undefined) return setAnswer({ value: undefined, failure: undefined, isWaiting: false });
    const askedOf = now.of;
    now.isBusy = true;
    setAnswer(({ value }) => ({
      value: askedOf === now.of ? value : undefined,
      failure: undefined,
      isWaiting: true,
    }));
    const done = (value: T | undefined, failure: Error | undefined) => {
      now.isBusy = false;
      if (now.isGone) return;
      if (askedOf === now.of) setAnswer({ value, failure, isWaiting: now.wants });
      next();
    };
    asked().then(
      (value) => done(value, undefined),
      (error: unknown) => done(undefined, error instanceof Error ? error : new Error(String(error))),
    );
  }

  return isOther ? { value: undefined, failure: undefined, isWaiting: true } : answer;
}
