/**
 * Keys of the page. A view says which keys it has while it is shown, and what they do; the list under `?` is made of that. Keys typed
 * into a field are the field's.
 */
import { signal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';

interface KeyBinding {
  /** As `KeyboardEvent.key` names it, several with blanks between them: `a ArrowLeft`; `Space` for the blank. */
  readonly keys: string;
  /** How the list shows them, where that is another thing: `← →`. */
  readonly shown?: string;
  /** What it does. */
  readonly does: string;
  readonly run: (event: KeyboardEvent) => void;
}

interface Holder {
  current: readonly KeyBinding[];
}

/** Those that are there now, in the order in which they came. */
const holders = signal<readonly Holder[]>([]);

/** Keys while the component is there. */
export function useKeys(mine: readonly KeyBinding[]): void {
  const holder = useRef(mine);
  holder.current = mine;
  useEffect(() => {
    holders.value = [...holders.peek(), holder];
    return () => {
      holders.value = holders.peek().filter((each) => each !== holder);
    };
  }, []);
}

/** All bindings that are there. */
export function keyBindings(): readonly KeyBinding[] {
  return holders.value.flatMap(({ current }) => current);
}

/** Called once: those that came last are asked first. */
export function listenToKeys(): void {
  addEventListener('keydown', (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (isField(event.target) && event.key !== 'Escape') return;
    // A dialog has the keys to itself.
    if (document.querySelector('dialog[open]') !== null) return;
    const key = event.key === ' ' ? 'Space' : event.key;
    const found = keyBindings().findLast(({ keys }) => keys.split(' ').includes(key));
    if (found === undefined) return;
    // A button that has the focus is pressed by these.
    if ((key === 'Space' || key === 'Enter') && isPressed(event.target)) return;
    event.preventDefault();
    found.run(event);
  });
}

function isPressed(target: EventTarget | null): boolean {
  return (
    target instanceof Element && target.closest('button, a, summary, input, select, [role="button"]') !== null
  );
}

/** Whether keys go into what has the focus. */
function isField(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement)
    return !['checkbox', 'radio', 'button', 'submit', 'file'].includes(target.type);
  return (
    target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement || target.isContentEditable
  );
}
