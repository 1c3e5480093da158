/**
 * Colours that people tell apart, also those who see fewer of them: Paul Tol's muted and light schemes, and for the dark theme the same
 * hues with the dark ones made lighter. A cache has the colour of its rank in the recorded replay, in every view; those behind the twelfth
 * share one that is called other.
 *
 * Source: Paul Tol, "Colour Schemes", SRON/EPS/TN/09-002.
 */
import { computed, signal } from '@preact/signals';
import { opened, theme } from '../state/store.js';

const LIGHT = [
  '#332288',
  '#88ccee',
  '#44aa99',
  '#ddcc77',
  '#cc6677',
  '#999933',
  '#aa4499',
  '#117733',
  '#ee8866',
  '#6699cc',
  '#882255',
  '#bbcc33',
];
const DARK = [
  '#8f85ee',
  '#88ccee',
  '#44aa99',
  '#ddcc77',
  '#e07a8a',
  '#b5b548',
  '#c66fc2',
  '#3faf5f',
  '#ee8866',
  '#6699cc',
  '#c25088',
  '#bbcc33',
];

/** What drawings need of the page's tokens, for the theme that is on. */
export interface Palette {
  readonly isDark: boolean;
  readonly bg: string;
  readonly surface: string;
  readonly surface2: string;
  readonly text: string;
  readonly muted: string;
  readonly line: string;
  readonly accent: string;
  readonly cursor: string;
  readonly selection: string;
  readonly free: string;
  readonly hole: string;
  readonly pages: string;
  readonly other: string;
  readonly bad: string;
  readonly warn: string;
  readonly good: string;
  /** Twelve, by rank. */
  readonly ranks: readonly string[];
}

const systemIsDark = signal(false);
if (typeof matchMedia === 'function') {
  const query = matchMedia('(prefers-color-scheme: dark)');
  systemIsDark.value = query.matches;
  query.addEventListener('change', () => {
    systemIsDark.value = query.matches;
  });
}

/** Changes with the theme: whoever reads it draws again. */
export const palette = computed<Palette>(() => {
  const isDark = theme.value === 'system' ? systemIsDark.value : theme.value === 'dark';
  // The page's element follows an effect of the theme, which may come after this: so the theme is put there first.
  const { documentElement } = document;
  if (theme.value !== 'system') documentElement.setAttribute('data-theme', theme.value);
  else documentElement.removeAttribute('data-theme');
  const style = getComputedStyle(documentElement);
  const token = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return {
    isDark,
    bg: token('bg'),
    surface: token('surface'),
    surface2: token('surface-2'),
    text: token('text'),
    muted: token('muted'),
    line: token('line'),
    accent: token('accent'),
    cursor: token('cursor'),
    selection: token('selection'),
    free: token('free'),
    hole: token('hole'),
    pages: token('pages'),
    other: token('other'),
    bad: token('bad'),
    warn: token('warn'),
    good: token('good'),
    ranks: isDark ? DARK : LIGHT,
  };
});

/** Ranks of caches by every name of theirs, of the open trace: those that held most at their peak first. */
const ranks = computed(() => {
  const { value } = opened;
  const found = new Map<string, number>();
  if (value?.kind !== 'trace') return found;
  for (const [rank, { names }] of value.result.caches.entries())
    for (const name of names) if (!found.has(name)) found.set(name, rank);
  return found;
});

/** The colour of a cache, by any of its names. */
export function cacheColour(name: string): string {
  return palette.value.ranks[ranks.value.get(name) ?? -1] ?? palette.value.other;
}

/** The colour of the n-th of whatever is shown together. */
export function rankColour(rank: number): string {
  return palette.value.ranks[rank % palette.value.ranks.length]!;
}
