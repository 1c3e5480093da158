/**
 * # What the page shows, in one place
 *
 * Signals that every view reads and any may set. What is looked at (view, cursor, range, selection, what-ifs) is also in the address
 * (hash.ts), so that a link leads there; what is open is not, for it never leaves the page.
 *
 * A *row* is an event of the open trace, by its number. The cursor stands in front of a row: at 0 nothing has happened yet, at `rows`
 * everything has. The range is half open.
 */
import { computed, signal } from '@preact/signals';
import type { Opened } from '../worker/open-calls.js';

export const VIEWS = ['start', 'time', 'memory', 'caches', 'whatif', 'iommu', 'learn'] as const;
export type ViewName = (typeof VIEWS)[number];

/** Rows of a trace, half open. */
export interface RowRange {
  readonly from: number;
  readonly to: number;
}

/** What is picked out. */
export interface Selection {
  /** A cache by its name. */
  readonly cache?: string;
  /** A page frame number. */
  readonly frame?: number;
  /** A slab by its first frame. */
  readonly slab?: number;
  /** An object of that slab by its index. */
  readonly object?: number;
}

export type Theme = 'system' | 'light' | 'dark';

export const view = signal<ViewName>('start');
/** What is open, or undefined. */
export const opened = signal<Opened | undefined>(undefined);
/** Undefined: all of it. */
export const range = signal<RowRange | undefined>(undefined);
/** The state in front of this row; undefined: at the end. */
export const cursor = signal<number | undefined>(undefined);
export const selection = signal<Selection>({});
/** What tables and lists are narrowed to. */
export const filter = signal('');
/** Groups of settings, each as `--set` takes it. */
export const whatIfs = signal<readonly string[]>([]);
/** What belongs to one view alone, by the name that it has in the address. */
export const extras = signal<ReadonlyMap<string, string>>(new Map());
export const theme = signal<Theme>('system');

/** Rows of the open trace; 0 where none is open. */
export const rows = computed(() => (opened.value?.kind === 'trace' ? opened.value.rows : 0));
/** The range as it is drawn. */
export const shownRange = computed<RowRange>(() => range.value ?? { from: 0, to: rows.value });
/** The cursor as it is drawn: at the end unless told. */
export const shownCursor = computed(() => Math.min(cursor.value ?? rows.value, rows.value));

/** Puts the cursor in front of a row, as near as there is one. */
export function moveCursor(row: number): void {
  cursor.value = Math.max(0, Math.min(Math.round(row), rows.value));
}

/** A value of a view's own in the address; undefined takes it out. */
export function setExtra(name: string, value: string | undefined): void {
  const next = new Map(extras.value);
  if (value === undefined) next.delete(name);
  else next.set(name, value);
  extras.value = next;
}
