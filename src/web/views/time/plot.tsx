/** The plot itself: its canvas, what the pointer does on it, and the words beside the pointer. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { formatBytes, formatCount } from '../../../base/index.js';
import type { LevelColumns } from '../../../lab/index.js';
import { shownCache } from '../../parts/cache-label.js';
import { Canvas, type Draw } from '../../parts/canvas.js';
import { formatSpan } from '../../parts/format.js';
import { moveCursor, range } from '../../state/store.js';
import { bytesAt, stackAt } from './draw.js';
import { moved, type Scale, type Stretch, zoomed } from './scale.js';

/** How much a turn of the wheel zooms, and moves. */
const WHEEL_ZOOM = 0.0016;
const WHEEL_LINE_PX = 16;
/** A pointer that went less far was clicked. */
const DRAG_PX = 4;

interface PlotProps {
  readonly draw: Draw;
  readonly tile: LevelColumns | undefined;
  readonly stretch: Stretch;
  readonly scale: Scale;
  /** Bytes at the top. */
  readonly top: number;
  readonly total: number;
  readonly zoom: (next: Stretch | undefined) => void;
  readonly timeOf: (row: number) => number;
  /** Of the layers, from the bottom up. */
  readonly names: readonly string[];
  readonly label: string;
  readonly onWidth: (width: number) => void;
}

interface Point {
  readonly x: number;
  readonly y: number;
}

export function Plot(props: PlotProps) {
  const { draw, label, onWidth, scale, total } = props;
  const place = useRef<HTMLDivElement>(null);
  const [pointer, setPointer] = useState<Point>();
  const dragFrom = useRef<number | undefined>(undefined);
  useWheel(place, props);

  const rowAt = (event: PointerEvent) => {
    const { left } = place.current!.getBoundingClientRect();
    return Math.max(0, Math.min(scale.row(event.clientX - left), total));
  };
  return (
    <div
      class="time-plot"
      ref={place}
      onPointerDown={(event) => {
        if (event.button !== 0) return;
        place.current?.setPointerCapture(event.pointerId);
        dragFrom.current = event.clientX;
      }}
      onPointerMove={(event) => {
        const { left, top } = place.current!.getBoundingClientRect();
        setPointer({ x: event.clientX - left, y: event.clientY - top });
        const from = dragFrom.current;
        if (from === undefined || Math.abs(event.clientX - from) < DRAG_PX) return;
        const [a, b] = [scale.row(from - left), rowAt(event)].sort((one, other) => one - other);
        const begin = Math.max(Math.round(a!), 0);
        range.value = { from: begin, to: Math.min(Math.max(Math.round(b!), begin + 1), total) };
      }}
      onPointerUp={(event) => {
        const from = dragFrom.current;
        dragFrom.current = undefined;
        if (from !== undefined && Math.abs(event.clientX - from) < DRAG_PX) moveCursor(rowAt(event));
      }}
      onPointerCancel={() => {
        dragFrom.current = undefined;
      }}
      onPointerLeave={() => setPointer(undefined)}
    >
      <Canvas draw={draw} label={label} onSize={onWidth} />
      {pointer !== undefined && dragFrom.current === undefined && <Words {...props} pointer={pointer} />}
    </div>
  );
}

/** A wheel that does not move the page must be listened to as one that may stop it. */
function useWheel(place: { readonly current: HTMLElement | null }, props: PlotProps): void {
  const now = useRef(props);
  now.current = props;
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const turn = (event: WheelEvent) => {
      event.preventDefault();
      const { stretch, scale, total, zoom } = now.current;
      const { left, width } = element.getBoundingClientRect();
      const unit = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? WHEEL_LINE_PX : 1;
      const across = (event.shiftKey ? event.deltaY : event.deltaX) * unit;
      if (Math.abs(across) > Math.abs(event.shiftKey ? 0 : event.deltaY * unit))
        return zoom(moved(stretch, total, across / width));
      zoom(
        zoomed(stretch, total, scale.row(event.clientX - left), Math.exp(event.deltaY * unit * WHEEL_ZOOM)),
      );
    };
    element.addEventListener('wheel', turn, { passive: false });
    return () => element.removeEventListener('wheel', turn);
  }, []);
}

/** When it is there, and what lies under the pointer. */
function Words({ tile, scale, top, names, timeOf, pointer }: PlotProps & { readonly pointer: Point }) {
  const place = useRef<HTMLDivElement>(null);
  if (tile === undefined) return null;
  const row = scale.row(pointer.x);
  const column = Math.floor((row - tile.from) / tile.step);
  if (column < 0 || column >= tile.columns) return null;
  const heights = stackAt(tile, column);
  const parent = place.current?.parentElement;
  const bytes = bytesAt(pointer.y, parent?.clientHeight ?? 0, top);
  const layer = heights.findIndex((height) => bytes <= height);
  const size = layer < 0 ? 0 : heights[layer]! - (heights[layer - 1] ?? 0);
  const isRight = pointer.x > (parent?.clientWidth ?? 0) / 2;
  const side = isRight
    ? { right: `${(parent?.clientWidth ?? 0) - pointer.x + 14}px` }
    : { left: `${pointer.x + 14}px` };
  return (
    <div ref={place} class="tooltip time-words" style={{ top: `${Math.max(pointer.y - 20, 0)}px`, ...side }}>
      <div>
        event {formatCount(Math.floor(row))} · {formatSpan(timeOf(row))}
      </div>
      <div>{formatBytes(tile.series[0]!.last[column]!)} in all</div>
      {layer >= 0 && names[layer] !== undefined && (
        <div>
          <span class="mono">{shownCache(names[layer] ?? '')}</span> {formatBytes(size)}
        </div>
      )}
    </div>
  );
}
