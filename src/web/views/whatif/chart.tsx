/**
 * The curves of both sides over each other, for the same stretch of rows as in the time view. The pointer or the arrow keys read them off,
 * a click puts the cursor there, a drag picks a range.
 */
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef, useState } from 'preact/hooks';
import { formatBytes, formatCount } from '../../../base/index.js';
import type { ReplayResult } from '../../../lab/index.js';
import { useKeys } from '../../parts/keys.js';
import { useAnswer } from '../../parts/use-answer.js';
import { extras, moveCursor, range, rows, setExtra, shownCursor } from '../../state/store.js';
import { byteTicks, moved, type Stretch, stretchOf, stretchText, ticks, zoomed } from '../time/scale.js';
import {
  CHART,
  type Curve,
  cachesOf,
  curveOf,
  differenceOf,
  edgesOf,
  levelOf,
  mostOf,
  pointsIn,
  requestedOf,
  type Subject,
  stepPath,
  valueAt,
} from './curves.js';
import { engineOf, SIDES, type SideName } from './runs.js';

/** Ticks of the events, by the width of the window. */
const TICKS = 6;
const TICKS_NARROW = 3;
const LINES = 4;
/** Steps of the arrow keys across the chart. */
const STEPS = 200;
/** With fewer points than this in sight, finer ones are asked for, so many at the most. */
const POINTS_LEAST = 300;
const POINTS_FINE = 800;
const KEY_ZOOM = 0.7;
const KEY_MOVE = 0.15;
const WHEEL_ZOOM = 0.0016;
/** A pointer that went less far was clicked. */
const DRAG_PX = 4;
/** What is above the most. */
const HEADROOM = 1.04;

type Results = Readonly<Record<SideName, ReplayResult>>;
type Curves = Readonly<Record<SideName, Curve | undefined>>;

export function CurvesChart(results: Results) {
  const [subject, setSubject] = useState<Subject>('all');
  const id = useId();
  const total = Math.max(rows.value, 1);
  const stretch = stretchOf(extras.value.get('zoom')) ?? { from: 0, to: total };
  const coarse: Curves = { a: curveOf(results.a.series, subject), b: curveOf(results.b.series, subject) };
  const curves = useFiner(coarse, results, subject, stretch);
  const requested = subject === 'all' ? requestedOf(results.a) : undefined;
  useZoomKeys(stretch, total);
  return (
    <figure class="curves">
      <figcaption>
        <label for={id}>Bytes over the events, of </label>
        <SubjectChoice
          id={id}
          all={[results.a.series, results.b.series]}
          subject={subject}
          onSubject={setSubject}
        />
        {extras.value.get('zoom') !== undefined && (
          <button type="button" onClick={() => setZoom(undefined, total)} title="All events (F)">
            all events
          </button>
        )}
        <Legend hasRequested={requested !== undefined} />
      </figcaption>
      <Chart
        results={subject === 'all' ? results : undefined}
        curves={curves}
        bytesAt={(row) => bytesAt(row, { results, subject, curves, coarse, stretch })}
        requested={requested}
        stretch={stretch}
        total={total}
      />
    </figure>
  );
}

// ---- which curves --------------------------------------------------------------------------------------------------------

/** The results' own curves where those are fine enough, else the workers'; what is there is shown until the finer is. */
function useFiner(coarse: Curves, results: Results, subject: Subject, stretch: Stretch): Curves {
  const name = typeof subject === 'string' ? subject : subject.cache;
  const isTooCoarse = SIDES.some((side) => coarse[side] && pointsIn(coarse[side], stretch) < POINTS_LEAST);
  const { from, to } = stretch;
  const fine = useAnswer(
    isTooCoarse && to - from < rows.value
      ? async () => {
          const [a, b] = await Promise.all(
            SIDES.map((side) => fineCurve(side, results[side], subject, stretch)),
          );
          return { a, b };
        }
      : undefined,
    `${name} ${stretchText(stretch)} ${isTooCoarse}`,
    results.b,
  );
  return fine.value ?? coarse;
}

/** Columns of a side's worker, which replays once more for them when it is asked first. */
async function fineCurve(
  side: SideName,
  { settings }: ReplayResult,
  subject: Subject,
  { from, to }: Stretch,
): Promise<Curve | undefined> {
  const set = settings.join(' ');
  const engine = await engineOf(side, set);
  const { series, bucket } = await engine.call('levels', { set });
  const level = levelOf(series, subject);
  if (level === -1) return undefined;
  const exact = (to - from) / POINTS_FINE < bucket;
  const stretch = { from: Math.floor(from), to: Math.ceil(to) };
  const ask = { set, series: [level], ...stretch, columns: POINTS_FINE, exact };
  const { from: first, step, columns, series: found } = await engine.call('columns', ask);
  return { rows: Float64Array.from({ length: columns }, (_, i) => first + i * step), values: found[0]!.most };
}

// ---- zoom ----------------------------------------------------------------------------------------------------------------

/** The same in the address as in the time view. */
function setZoom(next: Stretch | undefined, total: number): void {
  const isAll = next === undefined || (next.from <= 0 && next.to >= total);
  setExtra('zoom', isAll ? undefined : stretchText(next));
}

function useZoomKeys(stretch: Stretch, total: number): void {
  const at = shownCursor.value;
  const about = at >= stretch.from && at <= stretch.to ? at : (stretch.from + stretch.to) / 2;
  const zoom = (factor: number) => setZoom(zoomed(stretch, total, about, factor), total);
  const move = (share: number) => setZoom(moved(stretch, total, share), total);
  useKeys([
    { keys: 'w', shown: 'W', does: 'zoom in, about the cursor', run: () => zoom(KEY_ZOOM) },
    { keys: 's', shown: 'S', does: 'zoom out', run: () => zoom(1 / KEY_ZOOM) },
    { keys: 'a', shown: 'A', does: 'move left', run: () => move(-KEY_MOVE) },
    { keys: 'd', shown: 'D', does: 'move right', run: () => move(KEY_MOVE) },
    { keys: 'f', shown: 'F', does: 'fit the range, or all', run: () => setZoom(fitted(stretch), total) },
  ]);
}

/** The range, if one is picked and not what is shown already; else all. */
function fitted({ from, to }: Stretch): Stretch | undefined {
  const picked = range.value;
  return picked !== undefined && (picked.from !== from || picked.to !== to) ? picked : undefined;
}

/** The page scrolls with the wheel; with Ctrl, as pinching does, or where the chart has the focus, the wheel zooms. */
function useWheel(place: { readonly current: HTMLElement | null }, stretch: Stretch, total: number): void {
  const now = useRef({ stretch, total });
  now.current = { stretch, total };
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const turn = (event: WheelEvent) => {
      if (!event.ctrlKey && document.activeElement !== element) return;
      event.preventDefault();
      const { left, width } = element.getBoundingClientRect();
      const { from, to } = now.current.stretch;
      const about = from + ((event.clientX - left) / width) * (to - from);
      const next = zoomed(now.current.stretch, now.current.total, about, Math.exp(event.deltaY * WHEEL_ZOOM));
      setZoom(next, now.current.total);
    };
    element.addEventListener('wheel', turn, { passive: false });
    return () => element.removeEventListener('wheel', turn);
  }, [place]);
}

// ---- drawing -------------------------------------------------------------------------------------------------------------

interface ChartProps {
  /** With their peaks to mark; undefined where they are of something else. */
  readonly results: Results | undefined;
  readonly curves: Curves;
  readonly bytesAt: (row: number) => Readonly<Record<SideName, number | undefined>>;
  readonly requested: Curve | undefined;
  readonly stretch: Stretch;
  readonly total: number;
}

function Chart({ results, curves, bytesAt, requested, stretch, total }: ChartProps) {
  const [hovered, setHovered] = useState<number | undefined>(undefined);
  const cursor = shownCursor.value;
  const drawn = [curves.a, curves.b, requested].filter((curve) => curve !== undefined);
  const top = Math.max(mostOf(drawn, stretch), 4096) * HEADROOM;
  const lines = byteTicks(top, LINES).filter((bytes) => bytes > 0);
  const across = (row: number) => ((row - stretch.from) / Math.max(stretch.to - stretch.from, 1e-9)) * 100;
  const edges = { bottom: 0, top };
  const read = hovered ?? cursor;
  const reading = readingText(bytesAt(read), read);
  return (
    <>
      <div class="chart">
        <div class="scale" aria-hidden="true">
          {lines.map((bytes) => (
            <span key={bytes} style={{ bottom: `${(bytes / top) * 100}%` }}>
              {formatBytes(bytes)}
            </span>
          ))}
        </div>
        <Plot stretch={stretch} total={total} reading={reading} onHover={setHovered}>
          <svg viewBox={`0 0 ${CHART} ${CHART}`} preserveAspectRatio="none" aria-hidden="true">
            {lines.map((bytes) => {
              const y = CHART - (bytes / top) * CHART;
              return <path key={bytes} class="grid" d={`M0 ${y}H${CHART}`} />;
            })}
            {requested && <path class="curve requested" d={stepPath(requested, stretch, edges)} />}
            {SIDES.map((side) => {
              const curve = curves[side];
              return (
                curve && <path key={side} class={`curve side-${side}`} d={stepPath(curve, stretch, edges)} />
              );
            })}
          </svg>
          {range.value !== undefined && (
            <span
              class="picked-range"
              style={{
                left: `${Math.max(across(range.value.from), 0)}%`,
                right: `${Math.max(100 - across(range.value.to), 0)}%`,
              }}
            />
          )}
          {results &&
            SIDES.map((side) => (
              <PeakMark key={side} side={side} result={results[side]} stretch={stretch} top={top} />
            ))}
          <span
            class="cursor"
            style={{ left: `min(${across(cursor)}%, 100% - 2px)` }}
            hidden={cursor < stretch.from || cursor > stretch.to}
          />
          {hovered !== undefined && <span class="cursor hovered" style={{ left: `${across(hovered)}%` }} />}
        </Plot>
        <Difference curves={curves} stretch={stretch} />
        <div class="ticks" aria-hidden="true">
          {ticks(stretch.from, stretch.to, innerWidth < 600 ? TICKS_NARROW : TICKS).map((row) => (
            <span key={row} class={across(row) > 95 ? 'last' : ''} style={{ left: `${across(row)}%` }}>
              {formatCount(row)}
            </span>
          ))}
        </div>
      </div>
      <p class="reading">{reading}</p>
    </>
  );
}

/** What B holds more or less than A, on a scale of its own: small differences of large curves are seen here. */
function Difference({ curves: { a, b }, stretch }: { readonly curves: Curves; readonly stretch: Stretch }) {
  if (a === undefined || b === undefined) return null;
  const difference = differenceOf(a, b);
  const edges = edgesOf(difference, stretch);
  const { bottom, top } = edges;
  const zero = top === bottom ? CHART / 2 : CHART + (bottom / (top - bottom)) * CHART;
  const path = stepPath(difference, stretch, edges);
  const words = top === bottom ? 'no difference' : `from ${signed(bottom)} to ${signed(top)}`;
  return (
    <>
      <div class="scale lane-scale" aria-hidden="true">
        <span style={{ bottom: '50%' }}>B − A</span>
        {top > 0 && <span class="edge-top">{signed(top)}</span>}
        {bottom < 0 && <span class="edge-bottom">{signed(bottom)}</span>}
      </div>
      <div class="lane" role="img" aria-label={`B less A over the events: ${words}`}>
        {top === bottom ? (
          <span class="muted">the same everywhere</span>
        ) : (
          <svg viewBox={`0 0 ${CHART} ${CHART}`} preserveAspectRatio="none" aria-hidden="true">
            <path class="area" d={`${path}V${zero}H0Z`} />
            <path class="grid" d={`M0 ${zero}H${CHART}`} />
          </svg>
        )}
      </div>
    </>
  );
}

const signed = (bytes: number) =>
  bytes === 0 ? '0' : `${bytes < 0 ? '−' : '+'}${formatBytes(Math.abs(bytes))}`;

interface PlotProps {
  readonly stretch: Stretch;
  readonly total: number;
  readonly reading: string;
  readonly onHover: (row: number | undefined) => void;
  readonly children: ComponentChildren;
}

/** Where the pointer and the keys act: a slider for the cursor. */
function Plot({ stretch, total, reading, onHover, children }: PlotProps) {
  const place = useRef<HTMLDivElement>(null);
  const dragFrom = useRef<number | undefined>(undefined);
  const cursor = shownCursor.value;
  useWheel(place, stretch, total);
  const { from, to } = stretch;
  const rowAt = (x: number) => {
    const { left, width } = place.current!.getBoundingClientRect();
    return Math.max(0, Math.min(Math.round(from + ((x - left) / width) * (to - from)), total));
  };
  function onKeyDown(event: KeyboardEvent): void {
    const step = Math.max(Math.round((to - from) / STEPS), 1);
    const row = {
      ArrowLeft: cursor - step,
      ArrowRight: cursor + step,
      Home: Math.ceil(from),
      End: Math.floor(to),
    }[event.key];
    if (row === undefined || event.ctrlKey || event.metaKey || event.altKey) return;
    onHover(undefined);
    moveCursor(row);
    event.preventDefault();
    event.stopPropagation();
  }
  return (
    <div
      ref={place}
      class="plot"
      role="slider"
      tabIndex={0}
      aria-label="Event at which the curves are read"
      aria-valuemin={0}
      aria-valuemax={total}
      aria-valuenow={cursor}
      aria-valuetext={reading}
      onKeyDown={onKeyDown}
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        place.current?.setPointerCapture(event.pointerId);
        dragFrom.current = event.clientX;
      }}
      onPointerMove={(event) => {
        onHover(rowAt(event.clientX));
        const begun = dragFrom.current;
        if (begun === undefined || Math.abs(event.clientX - begun) < DRAG_PX) return;
        const [first, last] = [rowAt(begun), rowAt(event.clientX)].sort((a, b) => a - b);
        range.value = { from: first!, to: Math.max(last!, first! + 1) };
      }}
      onPointerUp={(event) => {
        const begun = dragFrom.current;
        dragFrom.current = undefined;
        if (begun !== undefined && Math.abs(event.clientX - begun) < DRAG_PX)
          moveCursor(rowAt(event.clientX));
      }}
      onPointerCancel={() => {
        dragFrom.current = undefined;
      }}
      onPointerLeave={() => onHover(undefined)}
    >
      {children}
    </div>
  );
}

function PeakMark({
  side,
  result: { peak },
  stretch: { from, to },
  top,
}: {
  readonly side: SideName;
  readonly result: ReplayResult;
  readonly stretch: Stretch;
  readonly top: number;
}) {
  if (peak.row < from || peak.row >= to) return null;
  return (
    <span
      class={`peak side-${side}`}
      style={{ left: `${((peak.row - from) / (to - from)) * 100}%`, bottom: `${(peak.bytes / top) * 100}%` }}
      title={`The peak of ${side.toUpperCase()}: ${formatBytes(peak.bytes)} at event ${formatCount(peak.row)}`}
    />
  );
}

interface Reading {
  readonly results: Results;
  readonly subject: Subject;
  readonly curves: Curves;
  readonly coarse: Curves;
  readonly stretch: Stretch;
}

/** What both sides hold at a row: the finer curves know it within the stretch that is shown, and the results know it at the end. */
function bytesAt(
  row: number,
  { results, subject, curves, coarse, stretch }: Reading,
): Readonly<Record<SideName, number | undefined>> {
  if (row >= rows.value && subject === 'all') return { a: results.a.end.bytes, b: results.b.end.bytes };
  const { a, b } = row >= stretch.from && row < stretch.to ? curves : coarse;
  return { a: a && valueAt(a, row), b: b && valueAt(b, row) };
}

/** `event 1,234: A 5.2 MiB, B 6 MiB, 0.8 MiB more`. */
function readingText({ a, b }: Readonly<Record<SideName, number | undefined>>, row: number): string {
  const at = row >= rows.value ? 'at the end' : `event ${formatCount(row)}`;
  const side = (name: string, bytes: number | undefined) =>
    `${name} ${bytes === undefined ? '–' : formatBytes(bytes)}`;
  const by = (b ?? 0) - (a ?? 0);
  const difference = by === 0 ? 'the same' : `${formatBytes(Math.abs(by))} ${by > 0 ? 'more' : 'less'}`;
  return `${at}: ${side('A', a)}, ${side('B', b)}, ${difference}`;
}

function SubjectChoice({
  id,
  all,
  subject,
  onSubject,
}: {
  readonly id: string;
  readonly all: Parameters<typeof cachesOf>[0];
  readonly subject: Subject;
  readonly onSubject: (subject: Subject) => void;
}) {
  const value = typeof subject === 'string' ? subject : `.${subject.cache}`;
  return (
    <select
      id={id}
      value={value}
      onChange={(event) => {
        const chosen = event.currentTarget.value;
        onSubject(chosen === 'all' || chosen === 'others' ? chosen : { cache: chosen.slice(1) });
      }}
    >
      <option value="all">all objects</option>
      <option value="others">pages of others</option>
      <optgroup label="One cache">
        {cachesOf(all).map((name) => (
          <option key={name} value={`.${name}`}>
            {name}
          </option>
        ))}
      </optgroup>
    </select>
  );
}

function Legend({ hasRequested }: { readonly hasRequested: boolean }) {
  return (
    <span class="legend" aria-hidden="true">
      <span class="key side-a">A</span>
      <span class="key side-b">B</span>
      {hasRequested && <span class="key requested">asked for</span>}
    </span>
  );
}
