/**
 * A grid of page table entries. Kinds differ in shape as well as in colour, and large cells have letters. The pointer names a cell, a click
 * or the arrow keys choose one.
 */
import { useCallback, useState } from 'preact/hooks';
import { Canvas } from '../../parts/canvas.js';
import type { Palette } from '../../parts/colours.js';
import { inkOn } from '../../parts/ink.js';
import { type Cell, type CellKind, LETTERS, moved } from './levels.js';

interface GridProps {
  readonly name: string;
  /** What there is, for who does not see it. */
  readonly label: string;
  readonly cells: readonly Cell[];
  readonly columns: number;
  /** The cell that is chosen. */
  readonly at: number | undefined;
  readonly onChoose: (index: number) => void;
  /** Enter, or a second click on the cell that is chosen. */
  readonly onEnter?: () => void;
  /** The cell under the pointer, and where the pointer is. */
  readonly onPoint?: (index: number | undefined, x: number, y: number) => void;
  /** What stands in front of a row; '' for nothing. */
  readonly rowLabel?: (row: number) => string;
}

/** Room for row labels, where there is room at all. */
const LABELS = 74;
const LABELS_FROM = 420;
/** From here on a cell is large enough for a letter. */
const LETTER_FROM = 12;

/** Around all cells, so that the cursor is whole at the edge. */
const EDGE = 2;

interface Geometry {
  readonly left: number;
  readonly cell: number;
}

function geometryOf(width: number, columns: number, hasLabels: boolean): Geometry {
  const left = hasLabels && width >= LABELS_FROM ? LABELS : EDGE;
  return { left, cell: Math.max(2, Math.floor((width - left - EDGE) / columns)) };
}

export function Grid(props: GridProps) {
  const { name, label, cells, columns, at, onChoose, onEnter, onPoint, rowLabel } = props;
  const [width, setWidth] = useState(0);
  const geometry = geometryOf(width, columns, rowLabel !== undefined);
  const rows = Math.ceil(cells.length / columns);
  const onSize = useCallback((measured: number) => setWidth(measured), []);

  function cellAt({ offsetX, offsetY }: MouseEvent): number | undefined {
    const column = Math.floor((offsetX - geometry.left) / geometry.cell);
    const row = Math.floor((offsetY - EDGE) / geometry.cell);
    const index = row * columns + column;
    return column >= 0 && column < columns && row >= 0 && index < cells.length ? index : undefined;
  }

  function onKeyDown(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const to = moved(event.key, at ?? 0, cells.length, columns);
    if (to !== undefined) onChoose(to);
    else if (event.key === 'Enter' && onEnter) onEnter();
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  return (
    <div
      class={`iommu-grid ${name}`}
      data-grid={name}
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it is moved about in with keys, which is what an application is.
      tabIndex={0}
      role="application"
      aria-label={label}
      style={{ height: `${rows * geometry.cell + 2 * EDGE}px` }}
      onKeyDown={onKeyDown}
      onPointerMove={(event) => onPoint?.(cellAt(event), event.clientX, event.clientY)}
      onPointerLeave={() => onPoint?.(undefined, 0, 0)}
      onClick={(event) => {
        const index = cellAt(event);
        if (index === undefined) return;
        if (index === at) onEnter?.();
        else onChoose(index);
      }}
    >
      <Canvas
        label={label}
        onSize={onSize}
        draw={(context, drawn, _, colours) => {
          const { left, cell } = geometryOf(drawn, columns, rowLabel !== undefined);
          context.font = '10px ui-monospace, monospace';
          context.textBaseline = 'middle';
          context.fillStyle = colours.muted;
          if (left > EDGE && rowLabel)
            for (let row = 0; row < rows; row++)
              context.fillText(rowLabel(row), 0, EDGE + (row + 0.5) * cell);
          cells.forEach((each, i) => {
            drawCell(context, each, {
              x: left + (i % columns) * cell,
              y: EDGE + Math.floor(i / columns) * cell,
              size: cell,
              colours,
            });
          });
          if (at !== undefined)
            drawCursor(
              context,
              left + (at % columns) * cell,
              EDGE + Math.floor(at / columns) * cell,
              cell,
              colours,
            );
        }}
      />
    </div>
  );
}

/** The colour of a kind. */
function kindColour(kind: CellKind, { accent, ranks, warn, muted }: Palette): string {
  switch (kind) {
    case 'table':
    case 'small page':
      return accent;
    case 'section':
    case 'large page':
      return ranks[2]!;
    case 'supersection':
      return ranks[6]!;
    case 'empty':
      return warn;
    case 'fault':
      return muted;
  }
}

interface Place {
  readonly x: number;
  readonly y: number;
  readonly size: number;
  readonly colours: Palette;
}

/** Nothing: a dot. An empty table: a frame. A table: a frame, full from below. Sections and pages: full, the larger ones with a cut. */
function drawCell(context: CanvasRenderingContext2D, { kind, share }: Cell, place: Place): void {
  const { x, y, size, colours } = place;
  const inner = size - 1;
  context.fillStyle = kindColour(kind, colours);
  context.strokeStyle = context.fillStyle;
  context.lineWidth = 1;
  if (kind === 'fault') {
    context.globalAlpha = 0.55;
    context.fillRect(x + size / 2 - 0.5, y + size / 2 - 0.5, 1, 1);
    context.globalAlpha = 1;
    return;
  }
  if (kind === 'empty') {
    context.strokeRect(x + 1.5, y + 1.5, size - 3, size - 3);
  } else if (kind === 'table') {
    context.strokeRect(x + 0.5, y + 0.5, inner - 0.5, inner - 0.5);
    const height = Math.max(1.5, (inner - 1) * share);
    context.fillRect(x + 0.5, y + inner - height, inner - 0.5, height);
  } else {
    context.fillRect(x, y, inner, inner);
    if (kind === 'supersection' || kind === 'large page') cutCorner(context, x, y, inner, colours.bg);
  }
  if (size >= LETTER_FROM && kind !== 'empty') {
    context.fillStyle = inkOn(String(context.fillStyle));
    context.textAlign = 'center';
    context.fillText(LETTERS[kind], x + inner / 2, y + inner / 2 + 0.5);
    context.textAlign = 'start';
  }
}

function cutCorner(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  size: number,
  colour: string,
): void {
  const cut = Math.max(2, size * 0.4);
  context.save();
  context.fillStyle = colour;
  context.beginPath();
  context.moveTo(x + size - cut, y);
  context.lineTo(x + size, y);
  context.lineTo(x + size, y + cut);
  context.fill();
  context.restore();
}

function drawCursor(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  size: number,
  colours: Palette,
): void {
  context.strokeStyle = colours.bg;
  context.lineWidth = 4;
  context.strokeRect(x - 1, y - 1, size + 1, size + 1);
  context.strokeStyle = colours.cursor;
  context.lineWidth = 2;
  context.strokeRect(x - 1, y - 1, size + 1, size + 1);
}

/** A cell by itself, for the legend. */
export function Sample({ kind, share = 0 }: { readonly kind: CellKind; readonly share?: number }) {
  return (
    <span class="iommu-sample" aria-hidden="true">
      <Canvas
        label=""
        draw={(context, width, _, colours) =>
          drawCell(context, { kind, share }, { x: 0, y: 0, size: Math.min(width, 11), colours })
        }
      />
    </span>
  );
}
