/**
 * # The address says what is looked at
 *
 *     #memory?cursor=1234&range=0-5000&frame=4711&cache=dentry&set=dentry.size%3D200
 *
 * Both ways between the store and the hash. What makes no sense in a hash is left out, not refused: a link is as good as it can be. The
 * trace itself is never in it.
 */
import { type RowRange, type Selection, VIEWS, type ViewName } from './store.js';

/** What an address says. */
export interface Place {
  readonly view: ViewName;
  readonly cursor: number | undefined;
  readonly range: RowRange | undefined;
  readonly selection: Selection;
  readonly filter: string;
  readonly whatIfs: readonly string[];
  /** Names that only one view knows. */
  readonly extras: ReadonlyMap<string, string>;
}

const OURS = new Set(['cursor', 'range', 'cache', 'frame', 'slab', 'object', 'filter', 'set']);

export function placeOf(hash: string): Place {
  const [, name = '', query = ''] = /^#?([^?]*)\??(.*)$/s.exec(hash) ?? [];
  const words = new URLSearchParams(query);
  const cache = words.get('cache');
  const [frame, slab, object] = [count(words, 'frame'), count(words, 'slab'), count(words, 'object')];
  return {
    view: VIEWS.find((each) => each === name) ?? 'start',
    cursor: count(words, 'cursor'),
    range: rangeOf(words.get('range') ?? ''),
    selection: {
      ...(cache !== null && cache !== '' && { cache }),
      ...(frame !== undefined && { frame }),
      ...(slab !== undefined && { slab }),
      ...(object !== undefined && { object }),
    },
    filter: words.get('filter') ?? '',
    whatIfs: words.getAll('set').filter((each) => each.trim() !== ''),
    extras: new Map([...words].filter(([each]) => !OURS.has(each))),
  };
}

export function hashOf({ view, cursor, range, selection, filter, whatIfs, extras }: Place): string {
  const words = new URLSearchParams();
  if (cursor !== undefined) words.set('cursor', String(cursor));
  if (range !== undefined) words.set('range', `${range.from}-${range.to}`);
  for (const [name, value] of Object.entries(selection))
    if (value !== undefined) words.set(name, String(value));
  if (filter !== '') words.set('filter', filter);
  for (const each of whatIfs) words.append('set', each);
  for (const [name, value] of extras) words.set(name, value);
  const query = words.toString();
  return query === '' ? `#${view}` : `#${view}?${query}`;
}

function count(words: URLSearchParams, name: string): number | undefined {
  const text = words.get(name) ?? '';
  return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function rangeOf(text: string): RowRange | undefined {
  const [, from, to] = /^(\d{1,15})-(\d{1,15})$/.exec(text) ?? [];
  return Number(to) > Number(from) ? { from: Number(from), to: Number(to) } : undefined;
}
