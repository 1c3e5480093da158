/**
 * One slab: its objects in a row, and its two lists as arrows.
 *
 *     c->freelist ─╮    ╭───╮
 *                  ▾    │   ▾
 *     │ 1 │ 2 │   │   │ 5 │   │      numbers are live objects, by the lesson's count
 *       ▴       │
 *       ╰───────╯  ◂── slab->freelist
 */
import { formatAddress } from '../../../base/index.js';
import { rankColour } from '../../parts/colours.js';
import { inkOn } from '../../parts/ink.js';
import type { LessonObject } from './lesson.js';
import type { ObjectPicture, ObjectState, Picture, SlabPicture } from './picture.js';

/** What a drawing needs beside the picture. */
export interface DrawingProps {
  readonly picture: Picture;
  readonly before: Picture;
  /** Live objects by their addresses. */
  readonly live: ReadonlyMap<number, LessonObject>;
  /** What the last step was about. */
  readonly touched: number | undefined;
  readonly picked: number | undefined;
  /** Frees an object. */
  readonly onFree: (object: LessonObject) => void;
}

type SlabCardProps = Pick<DrawingProps, 'live' | 'touched' | 'picked' | 'onFree'> & {
  readonly slab: SlabPicture;
  readonly rank: number;
};

/** Room for the words that name a list. */
const LEFT = 70;
const ABOVE = 27;
const BELOW = 27;
/** Arrows of a list that are drawn: more of them say no more. */
const ARROWS_MAX = 64;

/** Cells of a row, and how large they are. */
function gridOf(objects: number): { columns: number; cell: number; rows: number } {
  const columns = objects <= 16 ? Math.max(objects, 4) : objects <= 64 ? 16 : 32;
  return { columns, cell: columns === 32 ? 11 : 22, rows: Math.ceil(objects / columns) };
}

const PLACES: Readonly<Record<SlabPicture['place'], string>> = {
  active: 'active',
  'cpu-partial': 'CPU partial',
  partial: 'partial',
  full: 'full',
  free: 'free',
  disabled: 'given up',
};

const STATES: Readonly<Record<ObjectState, string>> = {
  live: 'live',
  cpu: 'free, on c->freelist of CPU',
  slab: 'free, on the slab’s own list',
  array: 'free, in the array of CPU',
  shared: 'free, in the shared array',
  lost: 'given up by a debug check',
};

export function SlabCard({ slab, rank, live, touched, picked, onFree }: SlabCardProps) {
  const { objects, freelist, cpuFreelist } = slab;
  const { columns, cell, rows } = gridOf(objects.length);
  const [above, below] = [cpuFreelist.length > 0 ? ABOVE : 3, freelist.length > 0 ? BELOW : 3];
  const gap = rows > 1 ? 8 : 0;
  const height = above + rows * cell + (rows - 1) * gap + below;
  const width = LEFT + columns * cell + 4;
  const at = (index: number) => ({
    x: LEFT + (index % columns) * cell,
    y: above + Math.floor(index / columns) * (cell + gap),
  });
  const offset = (objects[0]?.address ?? slab.address) - slab.address;
  const ids = { cpu: `learn-cpu-${rank}-${slab.serial}`, slab: `learn-own-${rank}-${slab.serial}` };
  return (
    <figure class={`learn-slab ${slab.place}`} data-slab={slab.serial} data-place={slab.place}>
      <figcaption>
        <strong>slab {slab.serial}</strong>
        <span class="learn-tag">{PLACES[slab.place]}</span>
        <span class="muted">
          order {slab.order} at {formatAddress(slab.address)} · inuse {slab.inUse} of {objects.length}
          {slab.frozen ? ' · frozen' : ''}
          {offset > 0 ? ` · colour ${offset}` : ''}
        </span>
      </figcaption>
      <svg
        viewBox={`0 0 ${width} ${height}`}
        style={{ width: `${width}px` }}
        role="img"
        aria-label={slabWords(slab, live)}
      >
        <Marker id={ids.cpu} list="cpu" />
        <Marker id={ids.slab} list="slab" />
        {objects.map((object) => (
          <Cell
            key={object.index}
            object={object}
            cell={cell}
            colour={rankColour(rank)}
            owner={live.get(object.address)}
            isTouched={object.address === touched}
            isPicked={live.get(object.address)?.number === picked && picked !== undefined}
            onFree={onFree}
            {...at(object.index)}
          />
        ))}
        <Arrows list="cpu" marker={ids.cpu} order={cpuFreelist} at={at} cell={cell} />
        <Arrows list="slab" marker={ids.slab} order={freelist} at={at} cell={cell} />
        {cpuFreelist.length > 0 && (
          <text class="learn-head cpu" x={0} y={10}>
            c-&gt;freelist
          </text>
        )}
        {freelist.length > 0 && (
          <text class="learn-head slab" x={0} y={height - 4}>
            slab-&gt;freelist
          </text>
        )}
      </svg>
    </figure>
  );
}

/** What the drawing shows, for who does not see it. */
function slabWords(
  { serial, objects, freelist, cpuFreelist }: SlabPicture,
  live: SlabCardProps['live'],
): string {
  const numbers = objects.flatMap(({ address }) => {
    const owner = live.get(address);
    return owner === undefined ? [] : [`#${owner.number}`];
  });
  const lists = [
    numbers.length === 0 ? 'no live object' : `live: ${numbers.join(' ')}`,
    ...(cpuFreelist.length > 0 ? [`c->freelist: ${cpuFreelist.join(' ')}`] : []),
    ...(freelist.length > 0 ? [`slab->freelist: ${freelist.join(' ')}`] : []),
  ];
  return `slab ${serial}: ${lists.join('; ')}`;
}

interface CellProps {
  readonly object: ObjectPicture;
  readonly x: number;
  readonly y: number;
  readonly cell: number;
  readonly colour: string;
  readonly owner: LessonObject | undefined;
  readonly isTouched: boolean;
  readonly isPicked: boolean;
  readonly onFree: (object: LessonObject) => void;
}

function Cell({ object, x, y, cell, colour, owner, isTouched, isPicked, onFree }: CellProps) {
  const { index, address, state, cpu } = object;
  const who = owner === undefined ? '' : `, #${owner.number}: click to free it`;
  const marks = [state, isTouched ? 'touched' : '', isPicked ? 'picked' : ''];
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: what the pointer does here the arrow keys and f do for who has none.
    <g
      class={`learn-object ${marks.filter((mark) => mark !== '').join(' ')}`}
      data-index={index}
      data-object={owner?.number}
      onClick={() => owner && onFree(owner)}
    >
      <title>{`object ${index} at ${formatAddress(address)}: ${STATES[state]}${cpu === undefined ? '' : ` ${cpu}`}${who}`}</title>
      <rect
        class="learn-box"
        x={x + 0.5}
        y={y + 0.5}
        width={cell - 1}
        height={cell - 1}
        rx={2}
        style={state === 'live' ? { fill: colour } : {}}
      />
      {cell > 14 && (
        <text
          class="learn-number"
          x={x + cell / 2}
          y={y + cell / 2 + 3.5}
          style={state === 'live' ? { fill: inkOn(colour) } : {}}
        >
          {owner?.number ?? index}
        </text>
      )}
    </g>
  );
}

type List = 'cpu' | 'slab';

function Marker({ id, list }: { readonly id: string; readonly list: List }) {
  return (
    <defs>
      <marker id={id} viewBox="0 0 6 6" refX="5" refY="3" markerWidth="5" markerHeight="5" orient="auto">
        <path class={`learn-tip ${list}`} d="M0 0L6 3L0 6z" />
      </marker>
    </defs>
  );
}

interface ArrowsProps {
  readonly list: List;
  readonly marker: string;
  readonly order: readonly number[];
  readonly at: (index: number) => { readonly x: number; readonly y: number };
  readonly cell: number;
}

/** From the list's name to its first object, and from each to the next: a CPU's above the objects, a slab's own beneath them. */
function Arrows({ list, marker, order, at, cell }: ArrowsProps) {
  const up = list === 'cpu';
  const way = up ? -1 : 1;
  const edge = (index: number) => {
    const { x, y } = at(index);
    return { x: x + cell / 2, y: up ? y : y + cell };
  };
  const [head] = order;
  if (head === undefined) return null;
  const first = edge(head);
  const paths = [headPath(up, first)];
  for (let i = 1; i < Math.min(order.length, ARROWS_MAX); i++) {
    const [from, to] = [edge(order[i - 1]!), edge(order[i]!)];
    const lift = way * Math.min(5 + Math.abs(to.x - from.x) * 0.16 + Math.abs(to.y - from.y) * 0.3, 20);
    const [x1, x2] = [from.x + 2, to.x - 2];
    paths.push(`M${x1} ${from.y}C${x1} ${from.y + lift} ${x2} ${to.y + lift} ${x2} ${to.y + way}`);
  }
  return (
    <g>
      {paths.map((path) => (
        <path key={path} class={`learn-arrow ${list}`} d={path} marker-end={`url(#${marker})`} />
      ))}
    </g>
  );
}

/** From a list's name, on the left above or beneath, to its first object. */
function headPath(up: boolean, { x, y }: { readonly x: number; readonly y: number }): string {
  if (up) return `M62 7H${x - 12}Q${x} 7 ${x} ${y - 1}`;
  const rail = y + BELOW - 8;
  // Right above the words there is no room for more than a straight line.
  return x < 94 ? `M${x} ${rail - 5}V${y + 1}` : `M80 ${rail}H${x - 12}Q${x} ${rail} ${x} ${y + 1}`;
}
