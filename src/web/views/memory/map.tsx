/** The map of page frames: the strip of the whole memory, and below it what is in sight, cell by cell. */
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { formatBytes, formatCount } from '../../../base/index.js';
import type { FrameCells, SlabBrief, SlabMap } from '../../../lab/index.js';
import { Canvas } from '../../parts/canvas.js';
import { useKeys } from '../../parts/keys.js';
import { useAnswer } from '../../parts/use-answer.js';
import { extras, opened, selection, setExtra } from '../../state/store.js';
import { engine } from '../../worker/client.js';
import type { MemoryAt } from '../../worker/memory-calls.js';
import { drawMap, drawStrip } from './draw-map.js';
import {
  cellOf,
  clamped,
  fitted,
  frameAt,
  gridOf,
  type MapPlace,
  type MapView,
  movedBy,
  OBJECTS_SIDE,
  objectAt,
  pageBoxes,
  showing,
  usedStretch,
  viewFrom,
  viewText,
  zoomedAt,
  zoomsOf,
} from './geometry.js';
import { cellWords, objectWords, pagesWords } from './words.js';

const OVERVIEW_CELLS = 1024;
const WHEEL_STEP = 60;
const WHEEL_LINE_PX = 16;
const DRAG_PX = 4;

interface MapProps {
  readonly at: MemoryAt;
  /** The slab of the picked frame, if that is one. */
  readonly slab: SlabMap | undefined;
  readonly pick: (frame: number) => void;
  /** Looks into the slab that a frame is part of. */
  readonly enter: (frame: number) => void;
}

export function FrameMap(props: MapProps) {
  const { at, slab, pick } = props;
  const { row, frames } = at;
  const [place, setPlace] = useState<MapPlace>({ width: 0, height: 0 });
  const overview = useAnswer(
    () => engine.call('frames', { row, from: 0, to: frames, cells: OVERVIEW_CELLS }),
    String(row),
    opened.value,
  ).value;
  const view = useView(place, frames, overview);
  const shown = useShown(view, place, at);
  const go = (next: MapView) => setExtra('map', viewText(next));
  const [pointer, setPointer] = useState<Point>();
  /** There is nothing to look into but slabs. */
  const enter = (into: number) => {
    const isSlab = [slab, ...(shown.slabs ?? [])].some(
      (each) => each !== undefined && into >= each.firstFrame && into < each.firstFrame + each.frames,
    );
    if (isSlab) props.enter(into);
  };
  useMapKeys({ props: { ...props, enter }, view, place, overview, go });
  const { frame, cache } = selection.value;
  const picked =
    slab !== undefined
      ? { first: slab.firstFrame, frames: slab.frames }
      : frame === undefined
        ? undefined
        : { first: frame, frames: 1 };
  const { columns, rows } = view === undefined ? { columns: 0, rows: 0 } : gridOf(place, view);
  const from = view?.first ?? 0;
  const to = Math.min(from + columns * rows * (view?.framesPerCell ?? 0), frames);
  // Drawn again when something of it is another, not at each answer that says the same.
  const picture = useMemo(
    () => (
      <Canvas
        draw={(context, width, height, palette) => {
          if (view === undefined || place.width !== width) return;
          const drawing = { view, frames, pageSize: at.pageSize, zones: at.zones, overview, cache, picked };
          drawMap(context, { width, height }, { ...drawing, ...shown }, palette);
        }}
        label={mapWords(at, from, to)}
        onSize={(width, height) => setPlace({ width, height })}
      />
    ),
    [
      view && viewText(view),
      place,
      at,
      overview,
      shown.cells,
      shown.slabs,
      cache,
      picked?.first,
      picked?.frames,
    ],
  );
  return (
    <div class="memory-map">
      <Tools {...{ at, view, place, overview, go }} />
      <Strip
        {...{ at, overview, from, to }}
        onPick={(first) => view && go(clamped({ ...view, first }, place, frames))}
      />
      <MapSurface {...{ view, place, frames, go, pick, enter, setPointer }}>
        {picture}
        {pointer !== undefined && view !== undefined && (
          <PointerWords {...{ at, view, place, pointer }} cells={shown.cells} slabs={shown.slabs} />
        )}
      </MapSurface>
    </div>
  );
}

interface Point {
  readonly x: number;
  readonly y: number;
}

function mapWords({ zones }: MemoryAt, from: number, to: number): string {
  const names = zones.filter((zone) => zone.firstFrame < to && zone.firstFrame + zone.frames > from);
  return `Page frames ${formatCount(from)} to ${formatCount(to)}, zone ${names.map(({ name }) => name).join(' and ')}`;
}

// ---- what is in sight ------------------------------------------------------------------------------------------------------

/** What the address says; else all that is handed out, as it was when the map was first seen. */
function useView(place: MapPlace, frames: number, overview: FrameCells | undefined): MapView | undefined {
  const begin = useRef<{ readonly on: string; readonly view: MapView } | undefined>(undefined);
  if (place.width === 0 || place.height === 0) return undefined;
  const told = viewFrom(extras.value.get('map'), place, frames);
  if (told !== undefined) return told;
  if (overview === undefined) return begin.current?.view;
  const on = `${place.width} ${place.height} ${frames}`;
  if (begin.current?.on !== on) {
    const used = usedStretch(overview);
    const whole = fitted(used.from, used.to, place, frames);
    const { frame } = selection.peek();
    begin.current = { on, view: frame === undefined ? whole : showing(whole, place, frames, frame) };
  }
  return begin.current.view;
}

interface Shown {
  readonly cells: FrameCells | undefined;
  readonly slabs: readonly SlabBrief[] | undefined;
}

function useShown(view: MapView | undefined, place: MapPlace, { row, frames }: MemoryAt): Shown {
  const { columns, rows } = view === undefined ? { columns: 0, rows: 0 } : gridOf(place, view);
  const { first, framesPerCell, side } = view ?? { first: 0, framesPerCell: 1, side: 0 };
  const to = Math.min(first + columns * rows * framesPerCell, frames);
  const cells = Math.ceil((to - first) / framesPerCell);
  const on = `${row} ${first} ${to} ${cells}`;
  const answer = useAnswer(
    cells === 0 ? undefined : () => engine.call('frames', { row, from: first, to, cells }),
    on,
    opened.value,
  );
  const hasObjects = framesPerCell === 1 && side >= OBJECTS_SIDE;
  const slabs = useAnswer(
    hasObjects ? () => engine.call('slabs', { row, from: first, to }) : undefined,
    hasObjects ? on : '',
    opened.value,
  );
  return { cells: answer.value, slabs: hasObjects ? slabs.value : undefined };
}

// ---- moving about ----------------------------------------------------------------------------------------------------------

interface SurfaceProps {
  readonly view: MapView | undefined;
  readonly place: MapPlace;
  readonly frames: number;
  readonly go: (view: MapView) => void;
  readonly pick: (frame: number) => void;
  readonly enter: (frame: number) => void;
  readonly setPointer: (point: Point | undefined) => void;
  readonly children: preact.ComponentChildren;
}

function MapSurface(props: SurfaceProps) {
  const { view, place, frames, go, pick, enter, setPointer, children } = props;
  const element = useRef<HTMLDivElement>(null);
  const drag = useRef<(Point & { readonly view: MapView; moved: boolean }) | undefined>(undefined);
  useWheel(element, props);
  const pointOf = (event: MouseEvent): Point => {
    const { left, top } = element.current!.getBoundingClientRect();
    return { x: event.clientX - left, y: event.clientY - top };
  };
  const frameOf = (event: MouseEvent) => {
    const { x, y } = pointOf(event);
    return view === undefined ? undefined : Math.min(frameAt(view, place, x, y), frames - 1);
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: no element of HTML is a map that is moved about in.
    <div
      class="memory-surface"
      ref={element}
      role="group"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it has keys of its own.
      tabIndex={0}
      aria-label="Map of the page frames. Arrow keys pick a page, W and S zoom, A and D move, Enter looks into a slab."
      onPointerDown={(event) => {
        if (event.button !== 0 || view === undefined) return;
        element.current?.setPointerCapture(event.pointerId);
        drag.current = { ...pointOf(event), view, moved: false };
      }}
      onPointerMove={(event) => {
        const { current } = drag;
        const point = pointOf(event);
        if (current === undefined) return setPointer(event.pointerType === 'touch' ? undefined : point);
        if (!current.moved && Math.abs(point.y - current.y) < DRAG_PX) return;
        current.moved = true;
        setPointer(undefined);
        go(movedBy(current.view, place, frames, -Math.round((point.y - current.y) / current.view.side)));
      }}
      onPointerUp={(event) => {
        const frame = frameOf(event);
        if (drag.current !== undefined && !drag.current.moved && frame !== undefined) pick(frame);
        drag.current = undefined;
      }}
      onPointerCancel={() => {
        drag.current = undefined;
      }}
      onPointerLeave={() => setPointer(undefined)}
      onDblClick={(event) => {
        const frame = frameOf(event);
        if (frame === undefined || view === undefined) return;
        if (view.framesPerCell === 1) enter(frame);
        else go(toPages(view, place, frames, pointOf(event)));
      }}
    >
      {children}
    </div>
  );
}

/** The zoom at which the objects of slabs are drawn. */
function toPages(view: MapView, place: MapPlace, frames: number, point: Point): MapView {
  const zooms = zoomsOf(frames);
  const now = zooms.findIndex(
    ({ framesPerCell, side }) => framesPerCell <= view.framesPerCell && side >= view.side,
  );
  const wanted = zooms.findIndex(({ framesPerCell, side }) => framesPerCell === 1 && side >= OBJECTS_SIDE);
  return zoomedAt(view, place, frames, { ...point, steps: wanted - now });
}

/** One that stops the wheel has to say so when it begins to listen. Where cells cannot grow any more, it leads into the slab. */
function useWheel(element: { readonly current: HTMLElement | null }, props: SurfaceProps): void {
  const now = useRef(props);
  now.current = props;
  useEffect(() => {
    const { current } = element;
    if (current === null) return;
    let turned = 0;
    const turn = (event: WheelEvent) => {
      event.preventDefault();
      const { view, place, frames, go, enter } = now.current;
      if (view === undefined) return;
      turned += event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_LINE ? WHEEL_LINE_PX : 1);
      const steps = -Math.trunc(turned / WHEEL_STEP);
      if (steps === 0) return;
      turned += steps * WHEEL_STEP;
      if (event.shiftKey) return go(movedBy(view, place, frames, -steps * 3));
      const { left, top } = current.getBoundingClientRect();
      const point = { x: event.clientX - left, y: event.clientY - top };
      const next = zoomedAt(view, place, frames, { ...point, steps });
      if (steps > 0 && next.framesPerCell === view.framesPerCell && next.side === view.side)
        enter(frameAt(view, place, point.x, point.y));
      else go(next);
    };
    current.addEventListener('wheel', turn, { passive: false });
    return () => current.removeEventListener('wheel', turn);
  }, []);
}

interface KeysOf {
  readonly props: MapProps;
  readonly view: MapView | undefined;
  readonly place: MapPlace;
  readonly overview: FrameCells | undefined;
  readonly go: (view: MapView) => void;
}

function useMapKeys({ props, view, place, overview, go }: KeysOf): void {
  const { frames } = props.at;
  const { frame } = selection.value;
  /** The picked cell, or the middle. */
  const point = (): Point => {
    const { columns, rows, cellWidth, cellHeight } = gridOf(place, view!);
    const cell = frame === undefined ? -1 : cellOf(view!, frame);
    if (cell < 0 || cell >= columns * rows) return { x: place.width / 2, y: place.height / 2 };
    return { x: ((cell % columns) + 0.5) * cellWidth, y: (Math.floor(cell / columns) + 0.5) * cellHeight };
  };
  const zoom = (steps: number) => {
    if (view === undefined) return;
    const next = zoomedAt(view, place, frames, { ...point(), steps });
    if (steps > 0 && viewText(next) === viewText(view) && frame !== undefined) props.enter(frame);
    else go(next);
  };
  const move = (lines: number) => view && go(movedBy(view, place, frames, lines));
  const pickBy = (cells: number) => {
    if (view === undefined) return;
    const next = frame === undefined ? view.first : frame + cells * view.framesPerCell;
    const picked = Math.max(0, Math.min(next, frames - 1));
    props.pick(picked);
    const seen = showing(view, place, frames, picked);
    if (seen !== view) go(seen);
  };
  const columns = view === undefined ? 1 : gridOf(place, view).columns;
  const far = view === undefined ? 1 : Math.max(Math.floor(gridOf(place, view).rows / 4), 1);
  const arrows: Readonly<Record<string, number>> = {
    ArrowLeft: -1,
    ArrowRight: 1,
    ArrowUp: -columns,
    ArrowDown: columns,
  };
  useKeys([
    { keys: 'w +', shown: 'W', does: 'nearer, at the picked page', run: () => zoom(1) },
    { keys: 's -', shown: 'S', does: 'farther', run: () => zoom(-1) },
    { keys: 'a PageUp', shown: 'A', does: 'up in the memory', run: () => move(-far) },
    { keys: 'd PageDown', shown: 'D', does: 'down in the memory', run: () => move(far) },
    {
      keys: 'f',
      shown: 'F',
      does: 'all that is in use; again: the whole memory',
      run: () => fit(view, place, frames, overview, go),
    },
    {
      keys: Object.keys(arrows).join(' '),
      shown: '← ↑ ↓ →',
      does: 'pick the next page',
      run: ({ key }) => pickBy(arrows[key]!),
    },
    {
      keys: 'Enter',
      does: 'look into the picked slab',
      run: () => frame !== undefined && props.enter(frame),
    },
  ]);
}

function fit(
  view: MapView | undefined,
  place: MapPlace,
  frames: number,
  overview: FrameCells | undefined,
  go: (view: MapView) => void,
): void {
  if (view === undefined || overview === undefined) return;
  const used = usedStretch(overview);
  const near = fitted(used.from, used.to, place, frames);
  go(viewText(near) === viewText(view) ? fitted(0, frames, place, frames) : near);
}

// ---- above the map ---------------------------------------------------------------------------------------------------------

interface ToolsProps {
  readonly at: MemoryAt;
  readonly view: MapView | undefined;
  readonly place: MapPlace;
  readonly overview: FrameCells | undefined;
  readonly go: (view: MapView) => void;
}

function Tools({ at, view, place, overview, go }: ToolsProps) {
  const { frames, zones, pageSize } = at;
  const middle = { x: place.width / 2, y: place.height / 2 };
  const zoom = (steps: number) => view && go(zoomedAt(view, place, frames, { ...middle, steps }));
  const each = view?.framesPerCell ?? 1;
  return (
    <div class="toolbar memory-tools">
      <span class="group">
        <button type="button" onClick={() => zoom(-2)} aria-label="Farther" title="Farther (S)">
          −
        </button>
        <button type="button" onClick={() => zoom(2)} aria-label="Nearer" title="Nearer (W)">
          +
        </button>
      </span>
      <button
        type="button"
        title="All that is in use; again: the whole memory (F)"
        onClick={() => fit(view, place, frames, overview, go)}
      >
        Fit
      </button>
      <span class="group">
        {zones
          .filter((zone) => zone.managed > 0)
          .map(({ name, firstFrame, frames: many }) => (
            <button
              key={name}
              type="button"
              title={`Zone ${name} as a whole`}
              onClick={() => go(fitted(firstFrame, firstFrame + many, place, frames))}
            >
              {name}
            </button>
          ))}
      </span>
      <span class="muted">
        a cell is {pagesWords(each)}
        {each > 1 && `, ${formatBytes(each * pageSize)}`}
      </span>
    </div>
  );
}

interface StripProps {
  readonly at: MemoryAt;
  readonly overview: FrameCells | undefined;
  readonly from: number;
  readonly to: number;
  readonly onPick: (first: number) => void;
}

/** The whole memory: a scroll bar for the map below it. */
function Strip({ at, overview, from, to, onPick }: StripProps) {
  const { frames, zones } = at;
  const { cache } = selection.value;
  const picture = useMemo(
    () => (
      <Canvas
        draw={(context, width, height, palette) =>
          drawStrip(context, { width, height }, { frames, zones, overview, cache, from, to }, palette)
        }
        label="The whole memory"
      />
    ),
    [frames, zones, overview, cache, from, to],
  );
  const move = (event: PointerEvent) => {
    const { left, width } = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const frame = ((event.clientX - left) / width) * frames;
    onPick(Math.round(frame - (to - from) / 2));
  };
  return (
    <div
      class="memory-strip"
      aria-hidden="true"
      onPointerDown={(event) => {
        (event.currentTarget as HTMLElement).setPointerCapture(event.pointerId);
        move(event);
      }}
      onPointerMove={(event) => {
        if (event.buttons & 1) move(event);
      }}
    >
      {picture}
    </div>
  );
}

// ---- beside the pointer ----------------------------------------------------------------------------------------------------

interface PointerProps extends Shown {
  readonly at: MemoryAt;
  readonly view: MapView;
  readonly place: MapPlace;
  readonly pointer: Point;
}

function PointerWords({ at, view, place, pointer, cells, slabs }: PointerProps) {
  const frame = frameAt(view, place, pointer.x, pointer.y);
  const brief = slabs?.find(({ firstFrame, frames }) => frame >= firstFrame && frame < firstFrame + frames);
  const index = brief && objectUnder(brief, at.pageSize, { view, place, pointer });
  const answer = useAnswer(
    brief === undefined ? undefined : () => engine.call('slab', { row: at.row, frame: brief.firstFrame }),
    brief === undefined ? '' : `${at.row} ${brief.firstFrame}`,
    opened.value,
  );
  if (frame >= at.frames || cells === undefined) return null;
  const slab = answer.value?.firstFrame === brief?.firstFrame ? answer.value : undefined;
  const object = index === undefined ? undefined : slab?.objects[index];
  const lines = [
    view.framesPerCell === 1
      ? `page ${formatCount(frame)}${at.basePfn === 0 ? '' : ` · pfn ${formatCount(frame + at.basePfn)}`}`
      : `pages ${formatCount(frame)} to ${formatCount(Math.min(frame + view.framesPerCell, at.frames) - 1)}`,
    ...(brief === undefined
      ? cellWords(cells, frame)
      : [`${brief.cache} slab ${brief.serial}: ${brief.live} of ${brief.states.length} live`]),
    ...(object ? objectWords(object, brief!.cache) : []),
  ];
  const side =
    pointer.x > place.width / 2
      ? { right: `${place.width - pointer.x + 14}px` }
      : { left: `${pointer.x + 14}px` };
  const height =
    pointer.y > place.height / 2
      ? { bottom: `${place.height - pointer.y + 10}px` }
      : { top: `${pointer.y + 14}px` };
  return (
    <div class="tooltip memory-words" style={{ ...side, ...height }}>
      {lines.map((line) => (
        <div key={line}>{line}</div>
      ))}
    </div>
  );
}

function objectUnder(
  slab: SlabBrief,
  pageSize: number,
  { view, place, pointer }: Pick<PointerProps, 'view' | 'place' | 'pointer'>,
): number | undefined {
  const { columns, cellWidth, cellHeight } = gridOf(place, view);
  const frame = frameAt(view, place, pointer.x, pointer.y);
  const cell = cellOf(view, frame);
  const x = (pointer.x - (cell % columns) * cellWidth) / cellWidth;
  const y = (pointer.y - Math.floor(cell / columns) * cellHeight) / cellHeight;
  return objectAt(
    pageBoxes({ ...slab, objects: slab.states.length }, pageSize),
    frame - slab.firstFrame,
    x,
    y,
  );
}
