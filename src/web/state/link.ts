/** Keeps the store and the address the same, both ways, and remembers the theme. */
import { batch, effect } from '@preact/signals';
import { hashOf, placeOf } from './hash.js';
import {
  cursor,
  extras,
  filter,
  range,
  selection,
  type Theme,
  theme,
  type ViewName,
  view,
  whatIfs,
} from './store.js';

/** A browser takes so many changes of an address in a while, and no more. */
const WRITE_MS = 150;
const THEME_KEY = 'slablab-theme';

/** Called once, when the page begins. */
export function linkStore(): void {
  readHash();
  addEventListener('hashchange', readHash);
  let waiting: ReturnType<typeof setTimeout> | undefined;
  effect(() => {
    const hash = currentHash();
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      if (hash !== hashOf(placeOf(location.hash))) history.replaceState(null, '', hash);
    }, WRITE_MS);
  });
  theme.value = storedTheme();
  effect(() => {
    const { value } = theme;
    if (value === 'system') document.documentElement.removeAttribute('data-theme');
    else document.documentElement.setAttribute('data-theme', value);
    remember(value);
  });
}

function currentHash(): string {
  return hashOf({
    view: view.value,
    cursor: cursor.value,
    range: range.value,
    selection: selection.value,
    filter: filter.value,
    whatIfs: whatIfs.value,
    extras: extras.value,
  });
}

function readHash(): void {
  const place = placeOf(location.hash);
  batch(() => {
    view.value = place.view;
    cursor.value = place.cursor;
    range.value = place.range;
    selection.value = place.selection;
    filter.value = place.filter;
    whatIfs.value = place.whatIfs;
    extras.value = place.extras;
  });
}

/** The address of a view with all else as it is: for links. */
export function hashOfView(name: ViewName): string {
  return hashOf({ ...placeOf(currentHash()), view: name });
}

/** Goes to a view, as a link does: back leads to where one was. */
export function goTo(name: ViewName): void {
  if (name === view.value) return;
  history.pushState(null, '', hashOfView(name));
  view.value = name;
}

function storedTheme(): Theme {
  try {
    const stored = localStorage.getItem(THEME_KEY);
    return stored === 'light' || stored === 'dark' ? stored : 'system';
  } catch {
    return 'system';
  }
}

function remember(value: Theme): void {
  try {
    if (value === 'system') localStorage.removeItem(THEME_KEY);
    else localStorage.setItem(THEME_KEY, value);
  } catch {
    // A browser that keeps nothing asks the system again next time.
  }
}
