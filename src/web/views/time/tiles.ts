/**
 * Columns of curves on their way from the worker: a *tile* is wider than the screen and finer than it, so that moving and zooming draw from
 * what is there, and a better one is asked for meanwhile. One is asked for at a time; of what is wanted meanwhile only the last is.
 */
import type { LevelColumns } from '../../../lab/index.js';
import type { Stretch } from './scale.js';

/** A tile reaches so many screens to each side, and has so many columns a pixel. */
const BESIDE = 1;
const COLUMNS_PER_PIXEL = 1.5;
/** Where a screen holds fewer rows than columns of the whole trace can show, the stretch is replayed: so many screens at a time. */
const BESIDE_EXACT = 0.5;

export interface TileAsk {
  readonly from: number;
  readonly to: number;
  readonly columns: number;
  /** Finer than the levels of the whole trace: replayed. */
  readonly exact: boolean;
}

/** What is best for a stretch on a screen of so many pixels. `bucket` is the fewest rows that a column has without replaying. */
export function bestTile({ from, to }: Stretch, rows: number, width: number, bucket: number): TileAsk {
  const span = to - from;
  const exact = span / width < bucket / 2;
  const beside = exact ? BESIDE_EXACT : BESIDE;
  const ask = {
    from: Math.max(0, Math.floor(from - beside * span)),
    to: Math.min(rows, Math.ceil(to + beside * span)),
  };
  const columns = Math.ceil(((ask.to - ask.from) / Math.max(span, 1)) * width * COLUMNS_PER_PIXEL);
  return { ...ask, columns: Math.max(columns, 1), exact };
}

/** Whether a tile does for a stretch: it reaches as far, and its columns are neither too wide nor far too many. */
export function serves(
  { from, step, columns }: Pick<LevelColumns, 'from' | 'step' | 'columns'>,
  stretch: Stretch,
  rows: number,
  width: number,
): boolean {
  const perPixel = (stretch.to - stretch.from) / width;
  const reaches = from <= stretch.from && from + step * columns >= Math.min(stretch.to, rows);
  return reaches && step <= Math.max(2 * perPixel, 1) && step >= perPixel / 8;
}

interface TileLoader {
  /** Asks for what serves a stretch, if nothing that is there does. */
  want(stretch: Stretch, width: number): void;
  readonly tile: LevelColumns | undefined;
}

interface TileOptions {
  readonly rows: number;
  readonly bucket: number;
  readonly ask: (ask: TileAsk) => Promise<LevelColumns>;
  /** There is a new one. */
  readonly onTile: () => void;
}

export function createTiles({ rows, bucket, ask, onTile }: TileOptions): TileLoader {
  let tile: LevelColumns | undefined;
  let isBusy = false;
  let wanted: { stretch: Stretch; width: number } | undefined;
  /** What was asked for last: where the best is no better than that, it is not asked for again. */
  let last = '';

  function next(): void {
    if (isBusy || wanted === undefined) return;
    const { stretch, width } = wanted;
    wanted = undefined;
    if (tile !== undefined && serves(tile, stretch, rows, width)) return;
    const best = bestTile(stretch, rows, width, bucket);
    const key = JSON.stringify(best);
    if (key === last) return;
    last = key;
    isBusy = true;
    const done = () => {
      isBusy = false;
      next();
    };
    ask(best).then((reply) => {
      tile = reply;
      onTile();
      done();
    }, done);
  }

  return {
    get tile() {
      return tile;
    },
    want(stretch, width) {
      wanted = { stretch, width };
      next();
    },
  };
}
