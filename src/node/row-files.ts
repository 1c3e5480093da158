/**
 * # Rows in a file, as CSV or Parquet
 *
 * The results of many runs are a table, for other programs to read: CSV where text will do, Parquet (by its name, `.parquet`) for DuckDB,
 * ClickHouse and Spark, with types. A row that was once written is found again, so that what was computed need not be computed twice:
 *
 *     const file = await openRows('sweep.csv', columns, { placeOf });     // what is there already is in file.rows
 *     file.add(row);                                                      // it is on disk
 *     await file.finish(inOrder);
 *
 * A CSV grows row by row. Parquet is written once, when all rows are there; until then they lie beside it, in `NAME.partial.csv`. A last
 * line that was cut off is no row.
 *
 * Several programs may write one file, each a part of the rows. A row is added in one piece at the end of whatever lies there under the
 * name, with the column names where nothing does; and who writes the whole file takes over what the others have added: before, because
 * it reads the file again, and meanwhile, because afterwards it looks at what became of the one that it replaced. So a row can be there
 * twice for a while, and is never lost; of two of one place the later one counts.
 */
import {
  closeSync,
  constants,
  existsSync,
  fstatSync,
  linkSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import { parquetReadObjects } from 'hyparquet';
import { type ColumnSource, parquetWriteBuffer } from 'hyparquet-writer';
import { ArgumentError, InputError } from '../base/index.js';
import { readError } from './files.js';
import { type Output, partialName, prepareOutput } from './output.js';
import { OutputError, writeError } from './output-errors.js';

/** A cell of a table; null where there is nothing to say. */
export type RowValue = string | number | null;
/** A row of a table, by column. */
export type Row = Readonly<Record<string, RowValue>>;

/** A column of a table. */
export interface RowColumn {
  readonly name: string;
  /** Words, whole numbers, any numbers. */
  readonly type: 'text' | 'count' | 'number';
  /** It says what a row was computed from. Files that are older than such a column cannot be gone on with. */
  readonly isDigest?: true;
}

/** A table on disk that can be gone on with after a break. */
export interface RowFile {
  /** What was there when it was opened. */
  readonly rows: readonly Row[];
  /** Puts a row onto the disk. */
  add(row: Row): void;
  /** These rows are there: writes them first, in this order, and behind them all others that were there. Whole or not at all. */
  finish(rows: readonly Row[]): Promise<void>;
  /** This row, which was added or was there, is all that this program computes: other programs may add theirs at the same moment. */
  finishOne(row: Row): Promise<void>;
}

/** Whether a path ends in `.parquet`; else its table is CSV. */
function isParquet(path: string): boolean {
  return /\.parquet$/i.test(path);
}

/** What opening a file of rows needs to know. */
export interface RowFileOptions {
  /** Tells rows apart: of two of one place only the later is kept. */
  readonly placeOf: (row: Row) => string;
  /** Files that the command reads: none of them is written over. */
  readonly inputs?: readonly (string | undefined)[];
}

/**
 * Opens a file of rows before what they are computed from is read. Throws OutputError and NoPermissionError where it cannot be
 * written, InputError for a file that holds something else, ArgumentError for rows of other columns.
 */
export async function openRows(
  path: string,
  columns: readonly RowColumn[],
  { placeOf, inputs = [] }: RowFileOptions,
): Promise<RowFile> {
  const output = prepareOutput(path, { inputs, isBinary: isParquet(path) });
  const { file } = output;
  const save = (rows: readonly Row[]) => output.save((write) => write(rowBytes(path, columns, rows)));
  // A pipe holds nothing that could be found again.
  if (file === undefined) return { rows: [], add() {}, finish: save, finishOne: (row) => save([row]) };
  const kept = { output, path, columns, placeOf };
  return isParquet(path) ? await openParquet(kept, inputs) : openCsv(kept);
}

/** What both forms need to know. */
interface Kept {
  readonly output: Output;
  readonly path: string;
  readonly columns: readonly RowColumn[];
  readonly placeOf: (row: Row) => string;
}

function openCsv({ output, path, columns, placeOf }: Kept): RowFile {
  return {
    rows: readCsv(path, columns, { mend: true }),
    add: (row) => addRow(path, columns, row),
    // It lies where it belongs.
    finishOne: async () => {},
    async finish(rows) {
      const places = new Set(rows.map(placeOf));
      const isOther = (row: Row) => !places.has(placeOf(row));
      const fd = existsSync(path) ? openSync(path, 'r') : undefined;
      try {
        const text = fd === undefined ? '' : readFileSync(fd, 'utf8');
        const there = parseRows(path, columns, wholeLines(text));
        const all = joinRows([...rows, ...there.filter(isOther)], placeOf);
        await output.save((write) => write(rowBytes(path, columns, all)));
        if (fd === undefined) return;
        const late = readFrom(fd, Buffer.byteLength(text));
        for (const row of parseRows(path, columns, wholeLines(late), { hasHead: false }).filter(isOther))
          addRow(path, columns, row);
      } finally {
        if (fd !== undefined) closeSync(fd);
      }
    },
  };
}

async function openParquet(
  { output, path, columns, placeOf }: Kept,
  inputs: readonly (string | undefined)[],
): Promise<RowFile> {
  const journal = `${path}.partial.csv`;
  prepareOutput(journal, { inputs });
  const whole = () => (existsSync(path) ? readParquet(path, columns) : []);
  const told = <T>(step: () => T): T => {
    try {
      return step();
    } catch (error) {
      throw withJournal(journal, error);
    }
  };
  const finish = async (rows: readonly Row[]) => {
    const places = new Set(rows.map(placeOf));
    for (let size = -1; ; ) {
      // Another program may put its rows there meanwhile, and takes the journal away when it has: so the journal is read first.
      const begun = readCsv(journal, columns);
      if (begun.length === size) break;
      size = begun.length;
      const others = [...(await whole()), ...begun].filter((row) => !places.has(placeOf(row)));
      const all = joinRows([...rows, ...others], placeOf);
      await output
        .save((write) => write(parquetBytes(columns, all)))
        .catch((error: unknown) => {
          throw withJournal(journal, error);
        });
    }
    rmSync(journal, { force: true });
  };
  return {
    rows: [...(await whole()), ...readCsv(journal, columns, { mend: true })],
    add: (row) => told(() => addRow(journal, columns, row)),
    finish,
    finishOne: (row) => finish([row]),
  };
}

/** Of a failure after which the rows that were computed are still there. */
function withJournal(journal: string, error: unknown): unknown {
  if (!(error instanceof OutputError) || !existsSync(journal)) return error;
  const message = error.message.slice(error.file.length + 2);
  return new OutputError(
    error.file,
    message,
    `${error.hint}; ${journal} keeps the rows that are done, and the same command goes on from there`,
  );
}

/** Of rows of one place the last, where the first of them was. */
function joinRows(rows: readonly Row[], placeOf: (row: Row) => string): Row[] {
  return [...new Map(rows.map((row) => [placeOf(row), row])).values()];
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

const BOM = '\uFEFF';

/** The rows of a file; none where there is no file, or one that was cut off in its first line. */
function readCsv(path: string, columns: readonly RowColumn[], { mend = false } = {}): Row[] {
  if (!existsSync(path)) return [];
  const text = readText(path);
  const head = headLine(columns);
  const whole = wholeLines(text);
  // The program that wrote it was stopped within its first line.
  if (whole === '' && head.startsWith(text)) {
    if (mend && text !== '') truncateSync(path, 0);
    return [];
  }
  const rows = parseRows(path, columns, whole === '' ? `${text}\n` : whole);
  // Or within another: the next row begins a new one.
  if (mend && whole !== text) truncateSync(path, Buffer.byteLength(whole));
  return rows;
}

function wholeLines(text: string): string {
  return text.slice(0, text.lastIndexOf('\n') + 1);
}

function headLine(columns: readonly RowColumn[]): string {
  return `${csvLine(columns.map(({ name }) => name))}\n`;
}

function parseRows(
  path: string,
  columns: readonly RowColumn[],
  text: string,
  { hasHead = true } = {},
): Row[] {
  const all = parseCsv(text.replace(BOM, ''));
  const [head] = all;
  if (head === undefined) return [];
  if (hasHead) checkColumns(path, columns, head);
  // Two programs that found an empty file have each put the names of the columns into it.
  const isHead = (values: readonly string[]) => columns.every(({ name }, at) => values[at] === name);
  return all.flatMap((values, i) => {
    if (isHead(values)) return [];
    if (values.length !== columns.length)
      throw new InputError(path, i + 1, `expected ${columns.length} fields, but there are ${values.length}`);
    return [Object.fromEntries(columns.map(({ name, type }, at) => [name, fieldValue(values[at]!, type)]))];
  });
}

/** Puts a row at the end of a file, which is made with the names of its columns where there is none. */
function addRow(path: string, columns: readonly RowColumn[], row: Row): void {
  const [head, line] = [headLine(columns), `${csvRow(columns, row)}\n`];
  try {
    while (!appendLine(path, head, line));
  } catch (error) {
    throw writeError(path, error);
  }
}

/** Returns whether the line is in the file that now has the name: while it was written, another may have taken its place. */
function appendLine(path: string, head: string, line: string): boolean {
  if (!existsSync(path)) {
    // The first of several programs makes the file, with its head and a row at once.
    const partial = partialName(dirname(path));
    try {
      writeFileSync(partial, head + line, { flag: 'wx' });
      linkSync(partial, path);
      return true;
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code !== 'EEXIST' && !NO_LINKS.has(code ?? '')) throw error;
    } finally {
      rmSync(partial, { force: true });
    }
  }
  const fd = openSync(path, constants.O_WRONLY | constants.O_APPEND | constants.O_CREAT, 0o666);
  try {
    const { size, dev, ino } = fstatSync(fd);
    writeSync(fd, size === 0 ? head + line : line);
    const now = statSync(path, { throwIfNoEntry: false });
    return now?.dev === dev && now.ino === ino;
  } finally {
    closeSync(fd);
  }
}

/** What file systems say that have no links. */
const NO_LINKS: ReadonlySet<string> = new Set(['EPERM', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS', 'EMLINK']);

/** What follows in an open file. */
function readFrom(fd: number, offset: number): string {
  const pieces: Buffer[] = [];
  for (let at = offset; ; ) {
    const piece = Buffer.alloc(1 << 16);
    const got = readSync(fd, piece, 0, piece.length, at);
    if (got === 0) return Buffer.concat(pieces).toString();
    pieces.push(piece.subarray(0, got));
    at += got;
  }
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
  const before = columns.filter(({ isDigest }) => !isDigest).map(({ name }) => name);
  if (found.length === before.length && before.every((name, i) => found[i] === name))
    throw new ArgumentError(
      `${path} was written by an older slablab, whose rows do not say what they were computed from: name another file, or remove it`,
    );
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
