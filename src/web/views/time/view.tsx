/**
 * Bytes over time, stacked by cache or by zone; where the range and the cursor of all views are picked. A workload of IOMMU tables has no
 * machine to look into: its strategies are compared instead.
 */
import { useEffect, useMemo, useState } from 'preact/hooks';
import { formatBytes, formatCount } from '../../../base/index.js';
import type { LevelColumns, LevelCurve, LevelSeries } from '../../../lab/index.js';
import type { Draw } from '../../parts/canvas.js';
import { cacheColour, rankColour } from '../../parts/colours.js';
import { formatSpan } from '../../parts/format.js';
import { useKeys } from '../../parts/keys.js';
import { useAnswer } from '../../parts/use-answer.js';
import { extras, opened, range, setExtra, shownCursor } from '../../state/store.js';
import { engine } from '../../worker/client.js';
import type { OpenedTrace } from '../../worker/open-calls.js';
import { CompareView } from './compare.js';
import { drawPicture, mostOf, type Picture } from './draw.js';
import { Legend } from './legend.js';
import { Plot } from './plot.js';
import {
  type Clock,
  clockScale,
  moved,
  rowScale,
  type Stretch,
  showing,
  stretchOf,
  stretchText,
  timeOfRow,
  zoomed,
} from './scale.js';
import { createTiles } from './tiles.js';
import './time.css';

/** Caches with a layer of their own; the rest is one. */
const LAYERS = 11;
const KEY_ZOOM = 0.7;
const KEY_MOVE = 0.15;

export function TimeView() {
  const { value } = opened;
  if (value?.kind === 'trace') return <TimeOfTrace key={value.took.all} trace={value} />;
  if (value?.kind === 'workload') return <CompareView workload={value} />;
  return (
    <section class="empty-state" aria-label="Time">
      <h2>No trace is open</h2>
      <p>
        <a href="#start">Open a trace or an example</a>, then this is what it holds over time: by cache, by
        zone, down to a single event.
      </p>
    </section>
  );
}

type Stacking = 'caches' | 'zones';

/** A layer of the stack, by its place in the levels' series. */
interface Layer {
  readonly series: number;
  readonly name: string;
}

interface Stack {
  readonly layers: readonly Layer[];
  /** What the layers are parts of; of zones it is their sum. */
  readonly whole: number | undefined;
}

function stackOf(series: readonly LevelSeries[], stacking: Stacking): Stack {
  const of = (wanted: LevelSeries['kind']) =>
    series.flatMap(({ kind, name, peak }, at) => (kind === wanted && peak > 0 ? [{ series: at, name }] : []));
  if (stacking === 'zones') return { layers: of('zone'), whole: undefined };
  return { layers: of('cache').slice(0, LAYERS), whole: series.findIndex(({ kind }) => kind === 'held') };
}

async function askColumns(
  { layers, whole }: Stack,
  ask: { from: number; to: number; columns: number; exact: boolean },
): Promise<LevelColumns> {
  const series = [...(whole === undefined ? [] : [whole]), ...layers.map((layer) => layer.series)];
  const reply = await engine.call('columns', { set: '', series, ...ask });
  return whole === undefined ? { ...reply, series: [sumOf(reply), ...reply.series] } : reply;
}

function sumOf({ series, columns }: LevelColumns): LevelCurve {
  const sum = (of: keyof LevelCurve) =>
    Float64Array.from({ length: columns }, (_, i) => series.reduce((all, each) => all + each[of][i]!, 0));
  return { least: sum('least'), most: sum('most'), last: sum('last') };
}

function TimeOfTrace({ trace }: { readonly trace: OpenedTrace }) {
  const { value, failure } = useAnswer(() => engine.call('levels', { set: '' }), '', trace);
  if (failure !== undefined) return <p class="failure">The curves cannot be shown: {failure.message}</p>;
  if (value === undefined) return <p class="waiting">Replaying …</p>;
  return <Curves trace={trace} series={value.series} bucket={value.bucket} />;
}

interface CurvesProps {
  readonly trace: OpenedTrace;
  readonly series: readonly LevelSeries[];
  readonly bucket: number;
}

function Curves({ trace, series, bucket }: CurvesProps) {
  const total = Math.max(trace.rows, 1);
  const stacking: Stacking = extras.value.get('stack') === 'zones' ? 'zones' : 'caches';
  const isByClock = extras.value.get('axis') === 'clock';
  const stretch = stretchOf(extras.value.get('zoom')) ?? { from: 0, to: total };
  const stack = useMemo(() => stackOf(series, stacking), [series, stacking]);
  const [width, setWidth] = useState(0);
  const [, redraw] = useState(0);
  const tiles = useMemo(
    () =>
      createTiles({
        rows: total,
        bucket,
        ask: (ask) => askColumns(stack, ask),
        onTile: () => redraw((n) => n + 1),
      }),
    [stack, bucket, total],
  );
  useEffect(() => {
    if (width > 0) tiles.want(stretch, width);
  });
  const { tile } = tiles;
  const clock = clockOf(trace, tile);
  const scale = isByClock ? clockScale(stretch, width, clock) : rowScale(stretch, width);
  const zoom = (next: Stretch | undefined) => setZoom(next, total);
  useTimeKeys(stretch, total, zoom);

  const names = stack.layers.map(({ name }) => name);
  const colours = names.map((name, i) => (stacking === 'zones' ? rankColour(i) : cacheColour(name)));
  const timeOf = (row: number) => timeOfRow(clock, row) - trace.firstTime;
  const top = tile === undefined ? 1 : niceTop(mostOf(tile, stretch));
  const draw: Draw = (context, w, h, colour) => {
    if (tile === undefined) return;
    const picture: Picture = {
      tile,
      colours,
      restColour: colour.other,
      stretch,
      scale,
      top,
      range: range.value,
      cursor: shownCursor.value,
      marks: trace.marks,
      isByClock,
      timeOf,
    };
    drawPicture(context, w, h, picture, colour);
  };
  const rest = stacking === 'caches' ? ['all others'] : [];
  return (
    <section class="time" aria-label="Bytes over time">
      <Toolbar stacking={stacking} isByClock={isByClock} stretch={stretch} trace={trace} zoom={zoom} />
      <div class="time-body">
        <Plot
          {...{ draw, tile, stretch, scale, top, total, zoom, timeOf, isByClock }}
          names={[...names, ...rest]}
          onWidth={setWidth}
          label={`${stacking === 'zones' ? 'Bytes of each zone' : 'Bytes of pages with objects, by cache'} over ${formatCount(
            Math.round(stretch.to - stretch.from),
          )} events`}
        />
        <Legend
          trace={trace}
          whole={stack.whole}
          entries={stack.layers.map(({ name, series: at }, i) => ({
            name,
            series: at,
            colour: colours[i]!,
            isCache: stacking === 'caches',
          }))}
        />
      </div>
      <Facts trace={trace} timeOf={timeOf} />
    </section>
  );
}

function setZoom(next: Stretch | undefined, total: number): void {
  const isAll = next === undefined || (next.from <= 0 && next.to >= total);
  setExtra('zoom', isAll ? undefined : stretchText(next));
}

/** The scale's end: a little above the most, so that it changes seldom while one zooms. */
function niceTop(bytes: number): number {
  const unit = 2 ** Math.max(Math.floor(Math.log2(Math.max(bytes, 1))) - 3, 0);
  return Math.max(Math.ceil(bytes / unit) * unit, 4096);
}

/** When rows happened: as finely as the tile tells, and around it as the replay's series does. */
function clockOf(trace: OpenedTrace, tile: LevelColumns | undefined): Clock {
  const { rows, times } = trace.result.series;
  const end = { rows: [trace.rows], times: [trace.lastTime] };
  if (tile === undefined) return { rows: [...rows, ...end.rows], times: [...times, ...end.times] };
  const { from, step, columns } = tile;
  const to = Math.min(from + step * columns, trace.rows);
  const found = { rows: [] as number[], times: [] as number[] };
  const add = (row: number, time: number) => {
    // Clocks of several CPUs may run a little apart.
    found.rows.push(row);
    found.times.push(Math.max(time, found.times.at(-1) ?? time));
  };
  rows.forEach((row, i) => {
    if (row < from) add(row, times[i]!);
  });
  for (let i = 0; i < columns; i++) add(from + i * step, tile.times[i]!);
  rows.forEach((row, i) => {
    if (row > to) add(row, times[i]!);
  });
  add(trace.rows, trace.lastTime);
  return found;
}

function useTimeKeys(stretch: Stretch, total: number, zoom: (next: Stretch | undefined) => void): void {
  const at = shownCursor.value;
  const about = at >= stretch.from && at <= stretch.to ? at : (stretch.from + stretch.to) / 2;
  const pick = (from: number, to: number) => {
    range.value = to > from ? { from, to } : undefined;
  };
  useKeys([
    {
      keys: 'w',
      shown: 'W',
      does: 'zoom in, about the cursor',
      run: () => zoom(zoomed(stretch, total, about, KEY_ZOOM)),
    },
    { keys: 's', shown: 'S', does: 'zoom out', run: () => zoom(zoomed(stretch, total, about, 1 / KEY_ZOOM)) },
    {
      keys: 'a ArrowLeft',
      shown: 'A ←',
      does: 'move left',
      run: () => zoom(moved(stretch, total, -KEY_MOVE)),
    },
    {
      keys: 'd ArrowRight',
      shown: 'D →',
      does: 'move right',
      run: () => zoom(moved(stretch, total, KEY_MOVE)),
    },
    { keys: 'f', shown: 'F', does: 'fit the range, or all', run: () => zoom(fitted(stretch)) },
    {
      keys: '[',
      does: 'the range begins at the cursor',
      run: () => pick(at, Math.max(range.value?.to ?? total, at)),
    },
    {
      keys: ']',
      does: 'the range ends at the cursor',
      run: () => pick(Math.min(range.value?.from ?? 0, at), at),
    },
  ]);
  // A step beyond the edge takes the picture along.
  useEffect(() => {
    const next = showing(stretch, total, at);
    if (next !== stretch) zoom(next);
  }, [at]);
}

/** The range, if one is picked and not what is shown already; else all. */
function fitted({ from, to }: Stretch): Stretch | undefined {
  const picked = range.value;
  return picked !== undefined && (picked.from !== from || picked.to !== to) ? picked : undefined;
}

function Toolbar({
  stacking,
  isByClock,
  stretch,
  trace,
  zoom,
}: {
  readonly stacking: Stacking;
  readonly isByClock: boolean;
  readonly stretch: Stretch;
  readonly trace: OpenedTrace;
  readonly zoom: (next: Stretch | undefined) => void;
}) {
  const choice = (name: string, value: string | undefined, isOn: boolean, text: string) => (
    <button type="button" aria-pressed={isOn} onClick={() => setExtra(name, value)}>
      {text}
    </button>
  );
  const total = Math.max(trace.rows, 1);
  const middle = (stretch.from + stretch.to) / 2;
  return (
    <div class="toolbar time-toolbar">
      <span class="group">
        {choice('stack', undefined, stacking === 'caches', 'By cache')}
        {choice('stack', 'zones', stacking === 'zones', 'By zone')}
      </span>
      <span class="group">
        {choice('axis', undefined, !isByClock, 'Events')}
        {choice('axis', 'clock', isByClock, 'Clock')}
      </span>
      <span class="group">
        <button
          type="button"
          aria-label="Zoom in"
          title="Zoom in (W)"
          onClick={() => zoom(zoomed(stretch, total, middle, KEY_ZOOM))}
        >
          +
        </button>
        <button
          type="button"
          aria-label="Zoom out"
          title="Zoom out (S)"
          onClick={() => zoom(zoomed(stretch, total, middle, 1 / KEY_ZOOM))}
        >
          −
        </button>
        <button type="button" title="Fit the range, or all (F)" onClick={() => zoom(fitted(stretch))}>
          Fit
        </button>
      </span>
      <span class="muted time-hint">Drag to pick a range · click for the cursor · wheel zooms</span>
    </div>
  );
}

/** What stands below the curves: the event at the cursor, and the range. */
function Facts({ trace, timeOf }: { readonly trace: OpenedTrace; readonly timeOf: (row: number) => number }) {
  const row = shownCursor.value;
  const event = useAnswer(() => engine.call('event', { row }), String(row), trace);
  const picked = range.value;
  const span = useAnswer(
    picked === undefined ? undefined : () => engine.call('span', picked),
    picked === undefined ? '' : `${picked.from}-${picked.to}`,
    trace,
  );
  return (
    <div class="time-facts">
      <p class="time-event" aria-live="polite">
        <span class="muted">{row < trace.rows ? `Event ${formatCount(row)}: ` : 'At the end. '}</span>
        {event.failure?.message ?? event.value?.words}
      </p>
      <p class="time-range">
        {picked === undefined ? (
          <span class="muted">No range: all events count. [ and ] begin and end one at the cursor.</span>
        ) : (
          <>
            <span class="muted">Range: </span>
            {formatCount(picked.to - picked.from)} events,{' '}
            {formatSpan(timeOf(picked.to) - timeOf(picked.from))}
            {span.value !== undefined && (
              <>
                {' '}
                · {formatBytes(span.value.begin)} → {formatBytes(span.value.end)}, from{' '}
                {formatBytes(span.value.least)} to {formatBytes(span.value.most)}
              </>
            )}{' '}
            <button
              type="button"
              onClick={() => {
                range.value = undefined;
              }}
            >
              Clear
            </button>
          </>
        )}
      </p>
    </div>
  );
}
