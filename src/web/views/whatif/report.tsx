/** What two replays found, against each other: in sentences, machine by machine, and cache by cache. */
import { useState } from 'preact/hooks';
import { formatBytes, formatCount, formatShare } from '../../../base/index.js';
import {
  compareReplays,
  type Fullness,
  formatChange,
  type Pin,
  type ReplayResult,
  replayName,
  resultWords,
  siteWords,
  taskWords,
} from '../../../lab/index.js';
import { shownCache } from '../../parts/cache-label.js';
import { DataTable, type TableColumn } from '../../parts/data-table.js';
import { orderedRows, type TableOrder } from '../../parts/table-order.js';
import { type CacheRow, cacheRows, shapesText, shapeText } from './cache-rows.js';

export interface PairOfResults {
  readonly a: ReplayResult;
  readonly b: ReplayResult;
}

/** The sentences that say it. */
export function Words({ a, b }: PairOfResults) {
  return (
    <ul class="words" aria-label="What it comes to">
      {compareReplays(a, b).map((sentence, i) => (
        <li key={sentence} class={i === 0 ? 'first' : ''}>
          {sentence}
        </li>
      ))}
    </ul>
  );
}

// ---- the machines --------------------------------------------------------------------------------------------------------

/** A figure of a machine, a column of the table. */
interface Figure {
  readonly id: string;
  readonly head: string;
  readonly about: string;
  readonly of: (result: ReplayResult) => number;
  readonly text: (value: number) => string;
  /** Left out where it is 0 on both sides. */
  readonly seldom?: true;
}

const FIGURES: readonly Figure[] = [
  {
    id: 'peak',
    head: 'peak',
    about: 'Bytes of slabs, and of whole pages from kmalloc, at the most',
    of: ({ peak }) => peak.bytes,
    text: formatBytes,
  },
  { id: 'end', head: 'end', about: 'The same at the end', of: ({ end }) => end.bytes, text: formatBytes },
  {
    id: 'requested',
    head: 'asked for',
    about: 'Bytes that were asked for and are live at the end',
    of: ({ end }) => end.requested,
    text: formatBytes,
  },
  {
    id: 'recoverable',
    head: 'packing frees',
    about: 'What could be freed at the end by packing the live objects of each cache side by side',
    of: ({ recoverable }) => recoverable,
    text: formatBytes,
  },
  {
    id: 'empty',
    head: 'empty',
    about: 'Bytes of slabs that hold no live object at the end',
    of: ({ emptyBytes }) => emptyBytes,
    text: formatBytes,
  },
  {
    id: 'fallbacks',
    head: 'smaller order',
    about: 'Slabs that had to be of a smaller order than preferred',
    of: ({ orderFallbacks }) => orderFallbacks,
    text: formatCount,
    seldom: true,
  },
  {
    id: 'failed',
    head: '✗ failed',
    about: 'Allocations that found no memory',
    of: ({ failed }) => failed,
    text: formatCount,
    seldom: true,
  },
];

export function MachinesTable({ a, b }: PairOfResults) {
  const shown = FIGURES.filter(({ of, seldom }) => !seldom || of(a) + of(b) > 0);
  return (
    <div class="scroll-x">
      <table class="facts machines">
        <thead>
          <tr>
            <th scope="col">machine</th>
            {shown.map(({ id, head, about }) => (
              <th key={id} scope="col" class="number" title={about}>
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {(
            [
              ['A', a],
              ['B', b],
            ] as const
          ).map(([name, result]) => (
            <tr key={name} data-side={name}>
              <th scope="row">
                <span class={`side-mark side-${name.toLowerCase()}`}>{name}</span>{' '}
                <span class="mono">{replayName(result)}</span>
                <span class="muted machine-line"> {machineText(result)}</span>
              </th>
              {shown.map(({ id, of, text }) => (
                <td
                  key={id}
                  class="number"
                  data-column={id}
                  data-value={of(result)}
                  title={formatCount(of(result))}
                >
                  {text(of(result))}
                </td>
              ))}
            </tr>
          ))}
          <tr class="change">
            <th scope="row">B against A</th>
            {shown.map(({ id, of }) => (
              <td key={id} class="number">
                {formatChange(of(a), of(b))}
              </td>
            ))}
          </tr>
        </tbody>
      </table>
    </div>
  );
}

function machineText({ machine }: ReplayResult): string {
  const { allocator, cpus, pageSize, kernel, memory } = machine;
  return [
    `Linux ${kernel}`,
    allocator.toUpperCase(),
    `${cpus} CPU${cpus === 1 ? '' : 's'}`,
    `pages of ${formatBytes(pageSize)}`,
    formatBytes(memory),
  ].join(', ');
}

// ---- the caches ----------------------------------------------------------------------------------------------------------

const signed = (bytes: number) =>
  bytes === 0 ? '=' : `${bytes > 0 ? '+' : '−'}${formatBytes(Math.abs(bytes))}`;

function bytesColumn(
  id: string,
  head: string,
  about: string,
  value: (row: CacheRow) => number,
  wide = false,
): TableColumn<CacheRow> {
  return {
    id,
    head,
    about,
    value,
    cell: (row) => formatBytes(value(row)),
    title: (row) => `${formatCount(value(row))} bytes`,
    width: '4.9rem',
    wide,
  };
}

function changeColumn(
  id: string,
  head: string,
  about: string,
  value: (row: CacheRow) => number,
  before: (row: CacheRow) => number,
): TableColumn<CacheRow> {
  return {
    id,
    head,
    about,
    // By how much, in whichever direction.
    value: (row) => Math.abs(value(row)),
    cell: (row) => <span class={value(row) === 0 ? 'muted' : 'by'}>{signed(value(row))}</span>,
    title: (row) =>
      `${formatCount(value(row))} bytes, ${formatChange(before(row), before(row) + value(row))}`,
    width: '5.4rem',
  };
}

const ROW_COLUMNS: readonly TableColumn<CacheRow>[] = [
  {
    id: 'name',
    head: 'cache',
    value: ({ name }) => name,
    cell: ({ name }) => <span class="mono">{shownCache(name)}</span>,
    title: ({ name }) => name,
    left: true,
    width: '10rem',
  },
  bytesColumn('peakA', 'peak A', 'Bytes of its slabs at its peak, of A', ({ a }) => a.peak),
  bytesColumn('peakB', 'peak B', 'Bytes of its slabs at its peak, of B', ({ b }) => b.peak),
  changeColumn(
    'byPeak',
    'B − A',
    'B against A, at the peak',
    ({ byPeak }) => byPeak,
    ({ a }) => a.peak,
  ),
  bytesColumn('endA', 'end A', 'Bytes of its slabs at the end, of A', ({ a }) => a.end, true),
  bytesColumn('endB', 'end B', 'Bytes of its slabs at the end, of B', ({ b }) => b.end, true),
  changeColumn(
    'byEnd',
    'B − A',
    'B against A, at the end',
    ({ byEnd }) => byEnd,
    ({ a }) => a.end,
  ),
  {
    id: 'shape',
    head: 'object × slab',
    about:
      'Bytes from one object to the next × objects of a slab/2^order; of A, and of B where it is another',
    value: ({ a, b }) => (b.shape ?? a.shape)?.size ?? 0,
    cell: ({ a, b }) => <span class="mono">{shapesText(a, b)}</span>,
    title: ({ a, b }) => `A ${shapeText(a)}, B ${shapeText(b)}`,
    left: true,
    width: '14.5rem',
    wide: true,
  },
];

const FIRST_ORDER: TableOrder = { column: 'byPeak', descending: true };

export function CacheDifferences({ a, b }: PairOfResults) {
  const [order, setOrder] = useState(FIRST_ORDER);
  const [all, setAll] = useState(false);
  const rows = cacheRows(a, b);
  const differing = rows.filter(({ differs }) => differs);
  const shown = orderedRows(all ? rows : differing, ROW_COLUMNS, order);
  return (
    <section>
      <h3>
        Cache by cache{' '}
        <span class="muted">
          {formatCount(differing.length)} of {formatCount(rows.length)} differ
        </span>
        <label class="all-caches">
          <input type="checkbox" checked={all} onChange={(event) => setAll(event.currentTarget.checked)} />{' '}
          all
        </label>
      </h3>
      <DataTable<CacheRow>
        label="Caches of A and B"
        columns={ROW_COLUMNS}
        rows={shown}
        keyOf={({ name }) => name}
        order={order}
        onOrder={setOrder}
        rowClass={({ byPeak }) => (byPeak > 0 ? 'more' : byPeak < 0 ? 'less' : '')}
        empty="No cache differs: what B changes concerns none that this trace uses."
      />
    </section>
  );
}

// ---- the rest ------------------------------------------------------------------------------------------------------------

export function ZonesTable({ a, b }: PairOfResults) {
  const names = [...new Set([...a.zones, ...b.zones].map(({ name }) => name))];
  const of = ({ zones }: ReplayResult, name: string) => zones.find((zone) => zone.name === name);
  const cell = (bytes: number | undefined) => (
    <td class="number" data-value={bytes}>
      {bytes === undefined ? '–' : formatBytes(bytes)}
    </td>
  );
  return (
    <section>
      <h3>Zones, with what is no slab</h3>
      <div class="scroll-x">
        <table class="facts">
          <thead>
            <tr>
              <th scope="col">zone</th>
              <th scope="col" class="number">
                managed
              </th>
              <th scope="col" class="number">
                peak A
              </th>
              <th scope="col" class="number">
                peak B
              </th>
              <th scope="col" class="number">
                end A
              </th>
              <th scope="col" class="number">
                end B
              </th>
            </tr>
          </thead>
          <tbody>
            {names.map((name) => (
              <tr key={name} data-zone={name}>
                <th scope="row">{name}</th>
                {cell(of(a, name)?.managed)}
                {cell(of(a, name)?.peakTaken)}
                {cell(of(b, name)?.peakTaken)}
                {cell(of(a, name)?.taken)}
                {cell(of(b, name)?.taken)}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

const FULLNESS: readonly (readonly [key: keyof Fullness, words: string])[] = [
  ['empty', 'empty'],
  ['quarter', 'up to a quarter'],
  ['half', 'up to a half'],
  ['threeQuarters', 'up to three quarters'],
  ['most', 'less than full'],
  ['full', 'full'],
];

export function FullnessTable({ a, b }: PairOfResults) {
  const all = ({ fullness }: ReplayResult) => FULLNESS.reduce((sum, [key]) => sum + fullness[key], 0);
  const [allA, allB] = [all(a), all(b)];
  const cell = (count: number, sum: number) => (
    <td class="number">
      {formatCount(count)} <span class="muted">{sum === 0 ? '' : formatShare(count / sum)}</span>
    </td>
  );
  return (
    <section>
      <h3>Slabs at the end, by how many of their objects are live</h3>
      <table class="facts">
        <thead>
          <tr>
            <th scope="col">slabs</th>
            <th scope="col" class="number">
              A
            </th>
            <th scope="col" class="number">
              B
            </th>
          </tr>
        </thead>
        <tbody>
          {FULLNESS.map(([key, words]) => (
            <tr key={key}>
              <th scope="row">{words}</th>
              {cell(a.fullness[key], allA)}
              {cell(b.fullness[key], allB)}
            </tr>
          ))}
          <tr>
            <th scope="row">all</th>
            <td class="number">{formatCount(allA)}</td>
            <td class="number">{formatCount(allB)}</td>
          </tr>
        </tbody>
      </table>
    </section>
  );
}

const PINS_TOLD = 8;

export function PinsTables({ a, b }: PairOfResults) {
  return (
    <section>
      <h3>Who keeps slabs of which at most a quarter is live</h3>
      <PinsTable name="A" pins={a.pins} />
      <PinsTable name="B" pins={b.pins} />
    </section>
  );
}

function PinsTable({ name, pins }: { readonly name: string; readonly pins: readonly Pin[] }) {
  if (pins.length === 0) return <p class="muted">{name}: nobody.</p>;
  return (
    <div class="scroll-x">
      <table class="facts">
        <thead>
          <tr>
            <th scope="col">
              <span class={`side-mark side-${name.toLowerCase()}`}>{name}</span> cache
            </th>
            <th scope="col">allocated by</th>
            <th scope="col">task</th>
            <th scope="col" class="number">
              objects
            </th>
            <th scope="col" class="number">
              slabs
            </th>
            <th scope="col" class="number">
              memory
            </th>
          </tr>
        </thead>
        <tbody>
          {pins.slice(0, PINS_TOLD).map(({ cache, site, comm, pids, objects, slabs, bytes }) => (
            <tr key={`${cache} ${site} ${comm}`}>
              <td class="mono">{shownCache(cache)}</td>
              <td class="mono">{siteWords(site)}</td>
              <td class="mono">{taskWords({ comm, pids })}</td>
              <td class="number">{formatCount(objects)}</td>
              <td class="number">{formatCount(slabs)}</td>
              <td class="number">{formatBytes(bytes)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** What was changed or assumed when the machines were made, and what their kernels would have printed. */
export function Notes({ a, b }: PairOfResults) {
  const own = b.notes.filter((note) => !a.notes.includes(note));
  const before = a.notes.filter((note) => !b.notes.includes(note));
  const list = (title: string, lines: readonly string[], mono = false) =>
    lines.length === 0 ? null : (
      <section>
        <h3>{title}</h3>
        <ul class={`notes ${mono ? 'mono' : ''}`}>
          {lines.map((line) => (
            <li key={line}>{line}</li>
          ))}
        </ul>
      </section>
    );
  return (
    <>
      {list('What is so with B only', own)}
      {list('What is so with A only', before)}
      {list('What the kernel of A would have printed', [...new Set(a.log)], true)}
      {list('What the kernel of B would have printed', [...new Set(b.log)], true)}
      {list('A by itself', resultWords(a))}
      {list('B by itself', resultWords(b))}
    </>
  );
}
