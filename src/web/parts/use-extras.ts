/**
 * What a view of its own has in the address, both ways: `words` says it as it is now, `follow` goes where an address says.
 *
 * An address that the view wrote itself is not followed: by the time that anybody looks at it, the view may be further on.
 */
import { untracked, useSignalEffect } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { extras } from '../state/store.js';

type Words = ReadonlyMap<string, string>;

/** `names` are the view's own. What makes the words is read when the component is drawn. */
export function useExtras(
  names: readonly string[],
  words: () => Words,
  follow: (words: Words) => void,
): void {
  const written = useRef<Words | undefined>(undefined);
  useSignalEffect(() => {
    const { value } = extras;
    if (value !== written.current) untracked(() => follow(value));
  });
  useEffect(() => {
    const before = extras.peek();
    const own = words();
    if (names.every((name) => own.get(name) === before.get(name))) return;
    const next = new Map([...before].filter(([name]) => !names.includes(name)));
    for (const [name, value] of own) next.set(name, value);
    written.current = next;
    extras.value = next;
  });
}
