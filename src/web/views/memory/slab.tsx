/** One slab from within: its objects as boxes, live and free, the lists of free ones as arrows, and who allocated what is live. */
import { useState } from 'preact/hooks';
import { formatAddress, formatBytes } from '../../../base/index.js';
import type { ObjectMap, SlabMap } from '../../../lab/index.js';
import { shownCache } from '../../parts/cache-label.js';
import { Canvas } from '../../parts/canvas.js';
import { cacheColour, type Palette } from '../../parts/colours.js';
import { DataTable, type TableColumn } from '../../parts/data-table.js';
import { formatSpan } from '../../parts/format.js';
import { inkOn } from '../../parts/ink.js';
import { useKeys } from '../../parts/keys.js';
import { orderedRows, type TableOrder } from '../../parts/table-order.js';
import { goTo } from '../../state/link.js';
import { moveCursor, selection } from '../../state/store.js';
import { type Arrow, arrowsOf, boxAt, indexAt, neighbour, type SlabBoxes, slabBoxes } from './slab-boxes.js';
import { objectWords, pagesWords, rankWords } from './words.js';

interface SlabProps {
  readonly slab: SlabMap;
  /** Back to the map. */
  readonly leave: () => void;
}

export function SlabView({ slab, leave }: SlabProps) {
  const { object } = selection.value;
  const pick = (index: number) => {
    selection.value = { ...selection.peek(), object: index };
  };
  const picked = slab.objects[object ?? -1];
  const [width, setWidth] = useState(0);
  const boxes = slabBoxes(slab.objects.length, Math.max(width, 1));
  useKeys([
    {
      keys: 'ArrowLeft ArrowRight ArrowUp ArrowDown',
      shown: '← ↑ ↓ →',
      does: 'pick the next object',
      run: ({ key }) => pick(object === undefined ? 0 : neighbour(boxes, slab.objects.length, object, key)),
    },
    { keys: 's - Backspace', shown: 'S', does: 'back to the map', run: leave },
  ]);
  return (
    <section class="memory-slab" aria-label={`Slab ${slab.serial} of ${slab.cache}`}>
      <header class="toolbar">
        <button type="button" onClick={leave} title="Back to the map (S)">
          ← Map
        </button>
        <h2>
          <span class="swatch" style={{ background: cacheColour(slab.cache) }} />{' '}
          <span class="mono">{shownCache(slab.cache)}</span> slab {slab.serial}
        </h2>
      </header>
      <SlabFacts slab={slab} />
      <div class="memory-boxes" style={{ height: `${boxes.rows * boxes.height}px` }}>
        <Boxes {...{ slab, boxes, picked, pick, setWidth }} />
      </div>
      <Legend slab={slab} />
      {picked !== undefined && <PickedObject {...{ slab, picked }} />}
      <Objects {...{ slab, pick }} picked={object} />
    </section>
  );
}

export function SlabFacts({ slab }: { readonly slab: SlabMap }) {
  const { live, objects, state, cpu, order, bytes, zone, address, size, names, cache, cpuList, slabList } =
    slab;
  const owner = cpu === null ? '' : ` of CPU ${cpu}`;
  const lists = [
    ...(cpuList.length > 0 ? [`${cpuList.length} free on the list of CPU ${cpu}`] : []),
    ...(slabList.length > 0 ? [`${slabList.length} free on the slab's own list`] : []),
  ];
  const others = names.filter((name) => name !== cache);
  const spare = bytes - objects.length * size;
  return (
    <p>
      <strong>{live}</strong> of <strong>{objects.length}</strong> objects live
      {lists.length > 0 && `, ${lists.join(', ')}`}. {capital(state)}
      {owner}; {pagesWords(2 ** order)} ({formatBytes(bytes)}) at{' '}
      <span class="mono">{formatAddress(address)}</span>, zone {zone}; {size} bytes from one object to the
      next
      {spare > 0 && `, ${spare} bytes are no object's`}.
      {others.length > 0 && ` The cache is also ${others.join(', ')}.`}
      {slab.sparse && (
        <>
          {' '}
          <strong>
            {live === 1 ? 'One object keeps' : `${live} objects keep`} {formatBytes(bytes)}.
          </strong>
        </>
      )}
    </p>
  );
}

const capital = (text: string) => text[0]!.toUpperCase() + text.slice(1);

// ---- boxes -----------------------------------------------------------------------------------------------------------------

interface BoxesProps extends Pick<SlabProps, 'slab'> {
  readonly boxes: SlabBoxes;
  readonly picked: ObjectMap | undefined;
  readonly pick: (index: number) => void;
  readonly setWidth: (width: number) => void;
}

function Boxes({ slab, boxes, picked, pick, setWidth }: BoxesProps) {
  const [over, setOver] = useState<{ readonly index: number; readonly x: number; readonly y: number }>();
  const indexOf = (event: MouseEvent) => {
    const { left, top } = (event.currentTarget as HTMLElement).getBoundingClientRect();
    const [x, y] = [event.clientX - left, event.clientY - top];
    const index = indexAt(boxes, slab.objects.length, x, y);
    return index === undefined ? undefined : { index, x, y };
  };
  const words = `${slab.live} live and ${slab.objects.length - slab.live} free objects, with arrows along the lists of free ones`;
  return (
    // biome-ignore lint/a11y/useSemanticElements: a picture whose parts can be picked; the table below it is the same in words.
    // biome-ignore lint/a11y/useKeyWithClickEvents: arrow keys pick objects wherever the focus is.
    <div
      class="memory-boxes-surface"
      role="group"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it has keys of its own.
      tabIndex={0}
      aria-label={`Objects of the slab: ${words}. Arrow keys pick one.`}
      onPointerMove={(event) => setOver(event.pointerType === 'touch' ? undefined : indexOf(event))}
      onPointerLeave={() => setOver(undefined)}
      onClick={(event) => {
        const at = indexOf(event);
        if (at !== undefined) pick(at.index);
      }}
    >
      <Canvas
        draw={(context, _width, _height, palette) => drawBoxes(context, slab, boxes, picked?.index, palette)}
        label={words}
        onSize={setWidth}
      />
      {over !== undefined && (
        <div
          class="tooltip memory-words"
          style={{
            top: `${over.y + 14}px`,
            ...(over.x > (boxes.columns * boxes.width) / 2
              ? { right: `${boxes.columns * boxes.width - over.x + 12}px` }
              : { left: `${over.x + 12}px` }),
          }}
        >
          {objectWords(slab.objects[over.index]!, slab.cache).map((line) => (
            <div key={line}>{line}</div>
          ))}
        </div>
      )}
    </div>
  );
}

const GAP = 3;
const WORDS_WIDTH = 96;
const RANK_WIDTH = 60;
const LINE = 15;

function drawBoxes(
  context: CanvasRenderingContext2D,
  slab: SlabMap,
  boxes: SlabBoxes,
  picked: number | undefined,
  palette: Palette,
): void {
  const colour = cacheColour(slab.cache);
  for (const object of slab.objects) drawBox(context, object, boxes, { colour, palette });
  drawArrows(context, arrowsOf(boxes, slab.cpuList), palette.accent, false);
  drawArrows(context, arrowsOf(boxes, slab.slabList), palette.text, true);
  if (picked === undefined) return;
  const { x, y } = boxAt(boxes, picked);
  context.strokeStyle = palette.cursor;
  context.lineWidth = 2.5;
  context.strokeRect(x + 1, y + 1, boxes.width - GAP + 1, boxes.height - GAP + 1);
}

function drawBox(
  context: CanvasRenderingContext2D,
  { index, state, place, by }: ObjectMap,
  boxes: SlabBoxes,
  { colour, palette }: { readonly colour: string; readonly palette: Palette },
): void {
  const { x, y } = boxAt(boxes, index);
  const [left, top] = [x + 1.5, y + 1.5];
  const [width, height] = [boxes.width - GAP, boxes.height - GAP];
  const isLive = state === 'live';
  context.fillStyle = isLive ? colour : palette.bg;
  context.fillRect(left, top, width, height);
  context.lineWidth = 1;
  context.setLineDash(state === 'cached' || state === 'lost' ? [3, 3] : []);
  context.strokeStyle = isLive ? colour : palette.muted;
  context.strokeRect(left + 0.5, top + 0.5, width - 1, height - 1);
  context.setLineDash([]);
  context.save();
  context.beginPath();
  context.rect(left, top, width - 3, height);
  context.clip();
  context.fillStyle = isLive ? inkOn(colour) : palette.muted;
  context.textBaseline = 'top';
  context.font = `${isLive ? '600 ' : ''}11px system-ui, sans-serif`;
  context.fillText(String(index), left + 4, top + 4);
  if (place !== null && boxes.width >= RANK_WIDTH) {
    context.textAlign = 'right';
    context.fillText(rankWords(place), left + width - 5, top + 4);
    context.textAlign = 'left';
  }
  if (isLive && boxes.width >= WORDS_WIDTH) {
    context.font = '11px system-ui, sans-serif';
    const lines =
      by === null ? ['before the trace'] : [by.site.split('+')[0]!, `${by.comm}, ${formatSpan(by.age)}`];
    const room = Math.floor((height - 20) / LINE);
    for (const [line, words] of lines.slice(0, room).entries())
      context.fillText(words, left + 4, top + 20 + line * LINE);
  }
  context.restore();
}

const HEAD_LENGTH = 6;

function drawArrows(
  context: CanvasRenderingContext2D,
  arrows: readonly Arrow[],
  colour: string,
  isDashed: boolean,
): void {
  context.strokeStyle = colour;
  context.fillStyle = colour;
  context.lineWidth = 1.3;
  for (const { from, bend, to } of arrows) {
    context.setLineDash(isDashed ? [4, 3] : []);
    context.beginPath();
    context.moveTo(...from);
    context.quadraticCurveTo(...bend, ...to);
    context.stroke();
    context.setLineDash([]);
    const angle = Math.atan2(to[1] - bend[1], to[0] - bend[0]);
    context.beginPath();
    context.moveTo(...to);
    for (const side of [-0.45, 0.45])
      context.lineTo(
        to[0] - HEAD_LENGTH * Math.cos(angle + side),
        to[1] - HEAD_LENGTH * Math.sin(angle + side),
      );
    context.fill();
  }
}

function Legend({ slab }: { readonly slab: SlabMap }) {
  const { cpu, cpuList, slabList, cache } = slab;
  return (
    <ul class="memory-legend inline">
      <li>
        <span class="swatch" style={{ background: cacheColour(cache) }} /> live
      </li>
      <li>
        <span class="swatch" /> free, dashed if kept in an array or a sheaf
      </li>
      {cpuList.length > 1 && (
        <li>
          <span class="arrow" /> list of CPU {cpu}: what it hands out next
        </li>
      )}
      {slabList.length > 1 && (
        <li>
          <span class="arrow dashed" /> list of the slab
        </li>
      )}
    </ul>
  );
}

// ---- one of them, and all of them ------------------------------------------------------------------------------------------

function PickedObject({ slab, picked }: { readonly slab: SlabMap; readonly picked: ObjectMap }) {
  const { by } = picked;
  return (
    <div class="memory-picked" role="status">
      {objectWords(picked, slab.cache).map((line) => (
        <div key={line}>{line}</div>
      ))}
      {by !== null && (
        <div class="toolbar">
          <button
            type="button"
            onClick={() => {
              moveCursor(by.row);
              goTo('time');
            }}
          >
            To event {by.row}, its allocation
          </button>
        </div>
      )}
    </div>
  );
}

const siteOf = ({ by, state }: ObjectMap) =>
  by === null ? (state === 'live' ? '(before the trace, or no event)' : '') : by.site;

const COLUMNS: readonly TableColumn<ObjectMap>[] = [
  { id: 'index', head: 'object', value: ({ index }) => index, cell: ({ index }) => index, width: '4.5rem' },
  {
    id: 'state',
    head: 'state',
    value: ({ state, place }) => `${state} ${place ?? ''}`,
    cell: ({ state, place }) =>
      place === null ? state : `${state}, ${place === 0 ? 'next' : `${place + 1}.`}`,
    left: true,
    width: '6.5rem',
  },
  {
    id: 'site',
    head: 'allocated by',
    value: siteOf,
    cell: (object) => <span class="mono">{siteOf(object)}</span>,
    title: siteOf,
    left: true,
    width: '13rem',
  },
  {
    id: 'task',
    head: 'task',
    value: ({ by }) => (by === null ? '' : `${by.comm} ${by.pid}`),
    cell: ({ by }) => (by === null ? '' : `${by.comm}, ${by.pid}`),
    left: true,
    width: '8rem',
  },
  {
    id: 'age',
    head: 'age',
    value: ({ by }) => by?.age ?? -1,
    cell: ({ by }) => (by === null ? '' : formatSpan(by.age)),
    width: '6rem',
  },
  {
    id: 'address',
    head: 'address',
    value: ({ address }) => address,
    cell: ({ address }) => <span class="mono">{formatAddress(address)}</span>,
    left: true,
    wide: true,
    width: '8rem',
  },
];

function Objects({
  slab,
  picked,
  pick,
}: {
  readonly slab: SlabMap;
  readonly picked: number | undefined;
  readonly pick: (index: number) => void;
}) {
  const [order, setOrder] = useState<TableOrder>({ column: 'index', descending: false });
  return (
    <div class="memory-objects">
      <DataTable<ObjectMap>
        label="Objects of the slab"
        columns={COLUMNS}
        rows={orderedRows(slab.objects, COLUMNS, order)}
        keyOf={({ index }) => String(index)}
        order={order}
        onOrder={setOrder}
        picked={picked === undefined ? undefined : String(picked)}
        onPick={({ index }) => pick(index)}
      />
    </div>
  );
}
