/**
 * The strip below all views of a trace: bytes held over all of it, with the range and the cursor; play, steps, the peak. What it sets is
 * what every view shows.
 */
import { formatBytes, formatCount } from '../../base/index.js';
import type { Series } from '../../lab/index.js';
import { isPlaying, togglePlay } from '../state/playback.js';
import { moveCursor, opened, range, rows, selection, shownCursor } from '../state/store.js';
import { EngineFailure, engine } from '../worker/client.js';
import type { OpenedTrace } from '../worker/open-calls.js';
import { Canvas, type Draw } from './canvas.js';
import { formatSeconds } from './format.js';
import { useKeys } from './keys.js';
import { useAnswer } from './use-answer.js';

export function Transport() {
  const { value } = opened;
  return value?.kind === 'trace' ? <Strip trace={value} /> : null;
}

/** To the next or previous event: of the cache that is picked, if one is. */
async function step(by: -1 | 1): Promise<void> {
  const { cache } = selection.value;
  const row = shownCursor.value;
  if (cache === undefined) return moveCursor(row + by);
  try {
    const found = await engine.call('seek', { row, step: by, cache });
    if (found !== null) moveCursor(found);
  } catch (error) {
    if (!(error instanceof EngineFailure)) throw error;
    moveCursor(row + by);
  }
}

function Strip({ trace }: { readonly trace: OpenedTrace }) {
  // The cursor stands in front of an event: behind the peak's is where it is held.
  const peakAt = trace.result.peak.row + 1;
  const at = shownCursor.value;
  useKeys([
    { keys: ',', does: 'to the previous event (of the picked cache)', run: () => void step(-1) },
    { keys: '.', does: 'to the next event (of the picked cache)', run: () => void step(1) },
    { keys: '<', does: '1,000 events back', run: () => moveCursor(at - 1000) },
    { keys: '>', does: '1,000 events on', run: () => moveCursor(at + 1000) },
    { keys: 'Home', does: 'to the first event', run: () => moveCursor(0) },
    { keys: 'End', does: 'behind the last event', run: () => moveCursor(rows.value) },
    { keys: 'p', does: 'to the peak', run: () => moveCursor(peakAt) },
    { keys: 'Space', does: 'play, or stop', run: togglePlay },
  ]);
  const held = useAnswer(() => engine.call('heldAt', { row: at }), String(at), trace);
  return (
    <section class="transport" aria-label="Where in the trace">
      <div class="transport-buttons">
        <button
          type="button"
          onClick={togglePlay}
          aria-label={isPlaying.value ? 'Stop' : 'Play'}
          title={isPlaying.value ? 'Stop (blank)' : 'Play (blank)'}
        >
          {isPlaying.value ? '❚❚' : '▶'}
        </button>
        <button
          type="button"
          onClick={() => void step(-1)}
          aria-label="Previous event"
          title="Previous event (,)"
        >
          ‹
        </button>
        <button type="button" onClick={() => void step(1)} aria-label="Next event" title="Next event (.)">
          ›
        </button>
        <button type="button" onClick={() => moveCursor(peakAt)} title="To the peak (p)">
          Peak
        </button>
      </div>
      <Line trace={trace} />
      <div class="transport-at">
        <span class="mono">{formatSeconds(timeAt(trace, at) - trace.firstTime)}</span> · event{' '}
        {formatCount(at)} of {formatCount(trace.rows)}
        <div class="muted">
          {held.value === undefined ? '' : `${formatBytes(held.value)} in pages with objects`}&nbsp;
        </div>
      </div>
    </section>
  );
}

/** The strip itself: a slider for the cursor. */
function Line({ trace }: { readonly trace: OpenedTrace }) {
  const at = shownCursor.value;
  const { value } = range;
  const total = Math.max(trace.rows, 1);
  const draw: Draw = (context, width, height, palette) => {
    const { most, rows: begins } = trace.result.series;
    const top = Math.max(trace.result.peak.bytes, 1);
    const x = (row: number) => (row / total) * width;
    context.beginPath();
    context.moveTo(0, height);
    for (const [i, bytes] of most.entries()) {
      const y = height - 1 - (bytes / top) * (height - 3);
      context.lineTo(x(begins[i]!), y);
      context.lineTo(x(begins[i + 1] ?? total), y);
    }
    context.lineTo(width, height);
    context.fillStyle = palette.other;
    context.fill();
    if (value !== undefined) {
      context.fillStyle = palette.selection;
      context.fillRect(x(value.from), 0, Math.max(x(value.to) - x(value.from), 1), height);
      context.fillStyle = palette.accent;
      context.fillRect(x(value.from), 0, 1, height);
      context.fillRect(x(value.to) - 1, 0, 1, height);
    }
    context.fillStyle = palette.cursor;
    context.fillRect(Math.min(x(at), width - 2), 0, 2, height);
  };
  const move = (event: PointerEvent) => {
    const place = event.currentTarget as HTMLElement;
    const { left, width } = place.getBoundingClientRect();
    moveCursor(((event.clientX - left) / width) * total);
  };
  return (
    <div
      class="transport-line"
      role="slider"
      tabIndex={0}
      aria-label="Cursor"
      aria-valuemin={0}
      aria-valuemax={trace.rows}
      aria-valuenow={at}
      aria-valuetext={`in front of event ${formatCount(at)} of ${formatCount(trace.rows)}`}
      onPointerDown={(event) => {
        (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
        move(event);
      }}
      onPointerMove={(event) => {
        if (event.buttons & 1) move(event);
      }}
      onKeyDown={(event) => {
        const by = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10 }[event.key];
        if (by === undefined) return;
        event.preventDefault();
        event.stopPropagation();
        moveCursor(at + by * Math.max(1, Math.round(total / 500)));
      }}
    >
      <Canvas draw={draw} label="Bytes held over the whole trace" />
    </div>
  );
}

/** The point of a series whose stretch holds a row, by its place. */
function pointOf({ rows: begins }: Series, row: number): number {
  let low = 0;
  let high = begins.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (begins[middle]! <= row) low = middle + 1;
    else high = middle;
  }
  return Math.max(low - 1, 0);
}

/** About when a row happened: between the points of the series as if time passed evenly. */
function timeAt({ result, rows: total, lastTime }: OpenedTrace, row: number): number {
  const { series } = result;
  const point = pointOf(series, row);
  const from = series.rows[point] ?? 0;
  const to = series.rows[point + 1] ?? total;
  const begin = series.times[point] ?? 0;
  const end = series.times[point + 1] ?? lastTime;
  return begin + ((end - begin) * (row - from)) / Math.max(to - from, 1);
}
