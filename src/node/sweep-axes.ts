/**
 * # A matrix of what-ifs
 *
 *     --set slub_max_order=0..3 --set cpus=1,2,4 --set 'dentry.size=192..256..32'
 *
 *     axis   slub_max_order    0 1 2 3
 *     axis   cpus              1 2 4
 *     axis   dentry.size       192 224 256          = 36 cells, numbered from 0, the last axis fastest
 *
 * An axis is a setting of `slablab replay` with several values: words with commas between them, and ranges `first..last` or
 * `first..last..step`. The value `-` leaves what was recorded as it is, so that it is a cell like the others.
 */
import { ArgumentError } from '../base/index.js';

/** A setting and the values that it takes. */
export interface SweepAxis {
  /** The setting up to its sign: `cpus`, `dentry.size`, `dentry.flags+`. */
  readonly name: string;
  readonly values: readonly string[];
}

/** One configuration of a matrix. */
export interface SweepCell {
  readonly index: number;
  /** A value for each axis; '' for what was recorded. */
  readonly values: readonly string[];
  /** As a what-if has them. */
  readonly settings: readonly string[];
}

/** More cells than a year has minutes are a mistake. */
const CELLS_MAX = 500_000;
const AS_RECORDED = '-';

/** Throws ArgumentError for what is no axis. */
export function parseAxes(sets: readonly string[]): SweepAxis[] {
  const axes = sets.map((text): SweepAxis => {
    const [, name = '', list = ''] = /^\s*([^=\s]+)=(.*)$/.exec(text) ?? [];
    if (name === '' || list.trim() === '') {
      throw new ArgumentError(
        `'${text}' is no axis: expected NAME=VALUES, such as slub_max_order=0..3 or cpus=1,2,4`,
      );
    }
    const values = list.split(',').flatMap((value) => valuesOf(value.trim(), text));
    return { name, values: [...new Set(values)] };
  });
  const twice = axes.find(({ name }, i) => axes.findIndex((axis) => axis.name === name) !== i);
  if (twice !== undefined)
    throw new ArgumentError(`the axis ${twice.name} is given twice: put all its values behind one`);
  const cells = axes.reduce((count, { values }) => count * values.length, 1);
  if (cells > CELLS_MAX)
    throw new ArgumentError(`these axes make ${cells} cells, and more than ${CELLS_MAX} are not swept`);
  return axes;
}

function valuesOf(value: string, text: string): string[] {
  const range = /^(\d+)\.\.(\d+)(?:\.\.(\d+))?$/.exec(value);
  if (range === null) {
    if (value === '' || value.includes('..'))
      throw new ArgumentError(
        `'${text}': expected a value or a range such as 0..3, but there stands '${value}'`,
      );
    return [value === AS_RECORDED ? '' : value];
  }
  const [first, last, step] = [Number(range[1]), Number(range[2]), Number(range[3] ?? 1)];
  if (step === 0 || last < first)
    throw new ArgumentError(
      `'${text}': the range ${value} goes nowhere: expected first..last or first..last..step`,
    );
  const count = Math.floor((last - first) / step) + 1;
  if (count > CELLS_MAX) throw new ArgumentError(`'${text}': the range ${value} has ${count} values`);
  return Array.from({ length: count }, (_, i) => String(first + i * step));
}

/** All cells; of no axes the one of what was recorded. */
export function cellsOf(axes: readonly SweepAxis[]): SweepCell[] {
  const rows = axes.reduce<string[][]>(
    (before, { values }) => before.flatMap((row) => values.map((value) => [...row, value])),
    [[]],
  );
  return rows.map((values, index) => ({
    index,
    values,
    settings: values.flatMap((value, i) => (value === '' ? [] : [`${axes[i]!.name}=${value}`])),
  }));
}
