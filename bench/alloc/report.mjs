// The tables as a terminal shows them. page.mjs writes the same ones as a page.
import { NOT_ASKED } from './targets.mjs';

const NAME_WIDTH = 25;
const CELL_WIDTH = 10;
const TERMINAL_WIDTH = 100;
export const HOW = ['objects left alone', 'each object written after alloc and read before free'];

/** Nanoseconds, three figures. */
export function ns(value) {
  if (value === undefined) return '—';
  if (value < 10) return value.toFixed(2);
  if (value < 100) return value.toFixed(1);
  if (value < 9999.5) return value.toFixed(0);
  return `${(value / 1000).toFixed(0)} µs`;
}

export function ratio(value) {
  return value === undefined || value === null ? '—' : value.toFixed(2);
}

/** A cell without samples says which kind of note it has. */
export function cell(result, key) {
  if (result === undefined) return '';
  if (result.wrong) return 'wrong';
  if (result.note?.startsWith('too slow')) return 'too slow';
  return ns(result[key]);
}

/** Rows of columns as text: the first to the left, the others to the right. `heads` are lines of their own. */
function columns(heads, lines) {
  const width = (line) =>
    line
      .map((text, at) => (at === 0 ? text.padEnd(NAME_WIDTH) : text.padStart(CELL_WIDTH)))
      .join('')
      .trimEnd();
  return [...heads.map(width), ...lines.map(width)];
}

/** What has no number in these rows, and why: one line for each reason, with the workloads if not all have it. */
function notesOf(rows) {
  const notes = new Map();
  for (const { workload, touched, results } of rows) {
    for (const { title, note } of results) {
      if (note === undefined) continue;
      const where = workload === undefined ? 'handed over' : workload.head.join(' ');
      const key = `${title}: ${note}`;
      notes.set(key, [...(notes.get(key) ?? []), touched ? `${where}, touched` : where]);
    }
  }
  return [...notes].map(([text, wheres]) =>
    wheres.length === rows.length ? text : `${text} (${wheres.join('; ')})`,
  );
}

export function allNotes({ rows, local, exchange, alone }) {
  const parallel = notesOf([...local, ...exchange]);
  if (local.length + exchange.length > 0) parallel.push(...alone.map(({ title, why }) => `${title}: ${why}`));
  return [...notesOf(rows), ...parallel.map((note) => `two at a time: ${note}`)];
}

function timeTable(rows, touched, key) {
  const chosen = rows.filter((row) => row.touched === touched);
  if (chosen.length === 0) return [];
  const heads = [0, 1].map((line) => ['', ...chosen.map(({ workload }) => workload.head[line])]);
  const lines = chosen[0].results.map(({ title }, at) => [
    title,
    ...chosen.map(({ results }) => cell(results[at], key)),
  ]);
  return [`${HOW[Number(touched)]}`, ...columns(heads, lines), ''];
}

export function memoryTable(rows) {
  const chosen = ['random', 'mixed'].map((id) => rows.find((row) => row.workload.id === id && !row.touched));
  const [random, mixed] = chosen;
  if (random === undefined || mixed === undefined) return [];
  const lines = random.results
    .map(({ title, held }, at) => [title, held, mixed.results[at].held])
    .filter(([, ...both]) => both.some((held) => held !== undefined))
    .map(([title, one, two]) => [
      title,
      ...[one, two].flatMap((held) => [ratio(held?.filled), ratio(held?.end)]),
    ]);
  return [['', '1 KiB', 'later', 'mixed', 'later'], lines];
}

export function parallelLines(local, exchange, touched) {
  const chosen = local.filter((row) => row.touched === touched);
  const handed = exchange.find((row) => row.touched === touched);
  const first = chosen[0] ?? handed;
  if (first === undefined) return undefined;
  const lines = first.results.map(({ id, title }) => [
    title,
    ...chosen.flatMap(({ results }) => {
      const result = results.find((one) => one.id === id);
      return [ns(result.oneMedian), ns(result.twoMedian), ratio(result.factor)];
    }),
    ...(handed === undefined
      ? []
      : [
          cell(
            handed.results.find((one) => one.id === id),
            'median',
          ),
        ]),
  ]);
  // Each figure, with what it is a figure of.
  const figures = [
    ...chosen.flatMap(({ workload }) =>
      ['one', 'two', 'ratio'].map((word) => [workload.head.join(' '), word]),
    ),
    ...(handed === undefined ? [] : [['handed', 'over']]),
  ];
  return { figures, lines };
}

/** A run of some workloads speaks of their targets only. */
function targetLines(all) {
  const targets = all.filter(({ reason }) => reason !== NOT_ASKED);
  const width = Math.max(...targets.map(({ name }) => name.length));
  const head = `${'target'.padEnd(width)}   ratio  minima  limit`;
  return [
    head,
    ...targets.map(({ name, ratio: is, minima, limit, held }) => {
      const numbers = [ratio(is).padStart(8), ratio(minima).padStart(8), ratio(limit).padStart(7)].join('');
      return `${name.padEnd(width)}${numbers}  ${is === null ? 'not measured' : held ? 'held' : 'MISSED'}`;
    }),
  ];
}

export function summary(targets) {
  const held = targets.filter((one) => one.held).length;
  const absent = targets.filter((one) => one.reason === NOT_ASKED).length;
  const unmeasured = targets.filter((one) => one.ratio === null).length - absent;
  const missed = targets.length - held - unmeasured - absent;
  const rest = absent > 0 ? `, ${absent} ${NOT_ASKED}` : '';
  return `${held} of ${targets.length} targets held, ${missed} missed, ${unmeasured} not measured${rest}`;
}

/** A line as several of at most so many characters. */
function wrap(line, width) {
  const lines = [''];
  for (const word of line.split(' ')) {
    const last = lines.at(-1);
    if (last !== '' && last.length + 1 + word.length > width) lines.push(`  ${word}`);
    else lines[lines.length - 1] = last === '' ? word : `${last} ${word}`;
  }
  return lines;
}

/** Everything as lines for a terminal of 100 columns. `key` is 'median' or 'minimum'. */
export function terminalReport(report, key) {
  const { rows, local, exchange, targets, machine } = report;
  const lines = [...machine.flatMap((line) => wrap(line, TERMINAL_WIDTH)), ''];
  if (rows.length > 0) lines.push(`nanoseconds for an object, alloc and free: ${key} of the rounds`, '');
  for (const touched of [false, true]) lines.push(...timeTable(rows, touched, key));
  const memory = memoryTable(rows);
  if (memory.length > 0)
    lines.push('bytes held for each byte asked for', ...columns([memory[0]], memory[1]), '');
  for (const touched of [false, true]) {
    const table = parallelLines(local, exchange, touched);
    if (table === undefined) continue;
    // A workload's name stands above the middle one of its three figures.
    const names = table.figures.map(([name, word]) => (word === 'one' || word === 'ratio' ? '' : name));
    const heads = [names, table.figures.map(([, word]) => word)].map((head) => ['', ...head]);
    lines.push(`two at a time, ${HOW[Number(touched)]}`, ...columns(heads, table.lines), '');
  }
  const notes = allNotes(report).flatMap((note) => wrap(`- ${note}`, TERMINAL_WIDTH));
  if (notes.length > 0) lines.push('without a number:', ...notes, '');
  return [...lines, ...targetLines(targets), '', summary(targets)];
}
