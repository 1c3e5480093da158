/**
 * # Rows in a file, as CSV or Parquet
 *
 * The results of many runs are a table, for other programs to read: CSV where text will do, Parquet (by its name, `.parquet`) for DuckDB,
 * ClickHouse and Spark, with types. A row that was once written is found again, so that what was computed need not be computed twice:
 *
 *     const file = await openRows('sweep.csv', columns);      // what is there already is in file.rows
 *     file.add(row);                                          // it is on disk
 *     file.finish(inOrder);
 *
 * A CSV grows row by row. Parquet is written once, when all rows are there; until then they lie beside it, in `NAME.partial.csv`. A last
 * line that was cut off is no row.
 */
import { appendFileSync, existsSync, readFileSync, rmSync, truncateSync } from 'node:fs';
import { parquetReadObjects } from 'hyparquet';
import { type ColumnSource, parquetWriteBuffer } from 'hyparquet-writer';
import { ArgumentError, InputError } from '../base/index.js';
import { readError } from './files.js';
import { withOutput } from './output.js';

/** A cell of a table; null where there is nothing to say. */
export type RowValue = string | number | null;
/** A row of a table, by column. */
export type Row = Readonly<Record<string, RowValue>>;

/** A column of a table. */
export interface RowColumn {
  readonly name: string;
  /** Words, whole numbers, any numbers. */
  readonly type: 'text' | 'count' | 'number';
}

/** A table on disk that can be gone on with after a break. */
export interface RowFile {
  /** What was there when it was opened. */
  readonly rows: readonly Row[];
  /** Puts a row onto the disk. */
  add(row: Row): void;
  /** All rows are there: writes them in this order, whole or not at all. */
  finish(rows: readonly Row[]): Promise<void>;
}

/** Whether a path ends in `.parquet`; else its table is CSV. */
export function isParquet(path: string): boolean {
  return /\.parquet$/i.test(path);
}

/** Throws InputError for a file that holds something else, ArgumentError for rows of other columns. */
export async function openRows(path: string, columns: readonly RowColumn[]): Promise<RowFile> {
  const journal = isParquet(path) ? `${path}.partial.csv` : path;
  const whole = isParquet(path) && existsSync(path) ? await readParquet(path, columns) : [];
  const begun = existsSync(journal) ? readCsv(journal, columns) : undefined;
  return {
    rows: [...whole, ...(begun ?? [])],
    add(row) {
      if (!existsSync(journal)) appendText(journal, `${csvLine(columns.map(({ name }) => name))}\n`);
      appendText(journal, `${csvRow(columns, row)}\n`);
    },
    async finish(rows) {
      await withOutput(path, (file) => file.write(rowBytes(path, columns, rows)));
      if (journal !== path) rmSync(journal, { force: true });
    },
  };
}

/** The bytes of a file of rows: CSV, or Parquet if its name says so. */
export function rowBytes(path: string, columns: readonly RowColumn[], rows: readonly Row[]): Uint8Array {
  if (isParquet(path)) return parquetBytes(columns, rows);
  const lines = [csvLine(columns.map(({ name }) => name)), ...rows.map((row) => csvRow(columns, row))];
  return Buffer.from(`${lines.join('\n')}\n`);
}

// ---- CSV -----------------------------------------------------------------------------------------------------------------

function csvRow(columns: readonly RowColumn[], row: Row): string {
  return csvLine(columns.map(({ name }) => row[name] ?? null));
}

/** RFC 4180, with plain newlines. */
function csvLine(values: readonly RowValue[]): string {
  return values
    .map((value) => {
      const text = value === null ? '' : String(value);
      return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
    })
    .join(',');
}

function readCsv(path: string, columns: readonly RowColumn[]): Row[] {
  const text = readText(path);
  const whole = text.slice(0, text.lastIndexOf('\n') + 1);
  // The program that wrote it was stopped within a line: the next row begins a new one.
  if (whole !== text) truncateSync(path, Buffer.byteLength(whole));
  const [head, ...lines] = parseCsv(whole);
  if (head === undefined) return [];
  checkColumns(path, columns, head);
  return lines.map((values, i) => {
    if (values.length !== columns.length)
      throw new InputError(path, i + 2, `expected ${columns.length} fields, but there are ${values.length}`);
    return Object.fromEntries(columns.map(({ name, type }, at) => [name, fieldValue(values[at]!, type)]));
  });
}

function fieldValue(text: string, type: RowColumn['type']): RowValue {
  return type === 'text' ? text : text === '' ? null : Number(text);
}

const FIELD = /"((?:[^"]|"")*)"?|[^,\n]*/y;

/** Lines of fields; a quoted one may hold commas, quotes and newlines. */
function parseCsv(text: string): string[][] {
  const lines: string[][] = [];
  let fields: string[] = [];
  for (let at = 0; at < text.length; at++) {
    FIELD.lastIndex = at;
    const [field, quoted] = FIELD.exec(text)!;
    fields.push(quoted === undefined ? field : quoted.replaceAll('""', '"'));
    at += field.length;
    if (text[at] === ',') continue;
    lines.push(fields);
    fields = [];
  }
  return lines;
}

function checkColumns(path: string, columns: readonly RowColumn[], found: readonly string[]): void {
  const wanted = columns.map(({ name }) => name);
  const missing = wanted.find((name, i) => found[i] !== name);
  if (missing === undefined && found.length === wanted.length) return;
  throw new ArgumentError(
    `${path} holds rows of another sweep: expected the columns ${wanted.join(', ')}, but there are ${found.join(', ')}`,
  );
}

function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw readError(path, error);
  }
}

function appendText(path: string, text: string): void {
  try {
    appendFileSync(path, text);
  } catch (error) {
    throw new InputError(path, 0, `cannot be written: ${(error as Error).message}`);
  }
}

// ---- Parquet -------------------------------------------------------------------------------------------------------------

const PARQUET_TYPES = { text: 'STRING', count: 'INT64', number: 'DOUBLE' } as const;

function parquetBytes(columns: readonly RowColumn[], rows: readonly Row[]): Uint8Array {
  const columnData = columns.map(({ name, type }): ColumnSource => {
    const data = rows.map((row) => {
      const value = row[name] ?? null;
      return type === 'count' && typeof value === 'number' ? BigInt(Math.round(value)) : value;
    });
    return { name, data, type: PARQUET_TYPES[type] };
  });
  return new Uint8Array(parquetWriteBuffer({ columnData, createdBy: 'slablab' }));
}

async function readParquet(path: string, columns: readonly RowColumn[]): Promise<Row[]> {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    throw readError(path, error);
  }
  const file = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) as ArrayBuffer;
  const objects = await parquetReadObjects({ file }).catch((error: unknown) => {
    throw new InputError(
      path,
      0,
      `is no Parquet file: ${error instanceof Error ? error.message : String(error)}`,
    );
  });
  if (objects.length > 0) checkColumns(path, columns, Object.keys(objects[0]!));
  return objects.map((object) =>
    Object.fromEntries(
      columns.map(({ name }) => {
        const value = object[name] as RowValue | bigint | undefined;
        return [name, typeof value === 'bigint' ? Number(value) : (value ?? null)];
      }),
    ),
  );
}
