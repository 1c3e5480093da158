/**
 * IOMMU: what the driver for ARMv7 short descriptors makes of a load of maps and unmaps. Its first level as a grid, each second-level table
 * where it lies in memory, and how any address is read. Needs no file.
 */
import { signal, useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { formatAddress, formatCount } from '../../../base/index.js';
import type { IommuResult } from '../../../lab/index.js';
import { FailureNote } from '../../parts/failure-note.js';
import { useKeys } from '../../parts/keys.js';
import { useAnswer } from '../../parts/use-answer.js';
import { useExtras } from '../../parts/use-extras.js';
import type { Progress } from '../../worker/call.js';
import type { IommuReply, WalkSteps } from '../../worker/iommu-calls.js';
import { type Choice, choiceOf, commandOf, Desk, EXTRAS, extrasOf } from './desk.js';
import { Grid, Sample } from './grid.js';
import './iommu.css';
import {
  type CellKind,
  COLUMNS,
  cellWords,
  countKinds,
  firstCells,
  rangeWords,
  SPAN,
  secondCells,
  TABLE_ENTRIES,
} from './levels.js';
import { LoadForm } from './load-form.js';
import { Pages, Ram } from './memory.js';
import { Facts, FreeEmpty, Troubles, Words } from './report.js';
import { Walk } from './walk.js';

/** What was run is still there when one comes back to the view. */
const desk = new Desk();

export function IommuView() {
  const { value: choice } = desk.choice;
  const { value: at } = desk.at;
  useExtras(EXTRAS, () => extrasOf(choice, at), follow);
  const run = desk.run.value;
  const done = desk.done.value;
  return (
    <section
      class="iommu"
      aria-label="IOMMU"
      aria-busy={run.kind === 'running'}
      onDragOver={(event) => event.preventDefault()}
      onDrop={(event) => {
        const [blob, ...others] = event.dataTransfer?.files ?? [];
        if (blob === undefined || others.length > 0) return;
        event.preventDefault();
        desk.open({ name: blob.name, blob });
      }}
    >
      <LoadForm desk={desk} />
      {run.kind === 'failed' && <FailureNote failure={run.failure} />}
      {run.kind === 'cancelled' && (
        <p class="notice">Cancelled. Choose a load, or change an option, to run again.</p>
      )}
      {run.kind === 'running' && <Running progress={run.progress} />}
      {done !== undefined && <Done reply={done} choice={done.choice} />}
      {done === undefined && run.kind === 'running' && <p class="waiting">Running the load …</p>}
    </section>
  );
}

function follow(words: ReadonlyMap<string, string>): void {
  const { choice, at } = choiceOf(words);
  desk.at.value = at;
  // A file is in no address: it stays until something else is chosen.
  if (desk.choice.value.load !== 'file' || words.has('load')) desk.start(choice);
}

/** What takes less is not worth a bar that comes and goes. */
const SHOW_AFTER_MS = 200;

function Running({ progress }: { readonly progress: Progress | undefined }) {
  const late = useSignal(false);
  useEffect(() => {
    const timer = setTimeout(() => {
      late.value = true;
    }, SHOW_AFTER_MS);
    return () => clearTimeout(timer);
  }, []);
  if (!late.value) return null;
  const { events = 0, elapsed = 0 } = progress ?? {};
  const rate = elapsed === 0 ? '' : ` · ${formatCount(Math.round(events / (elapsed / 1000)))} a second`;
  return (
    <div class="iommu-running toolbar" role="status">
      <progress aria-label="Progress" max={1} value={progress?.share} />
      <span>
        {progress?.what ?? 'starting'}: {formatCount(events)} operations{rate}
      </span>
      <button type="button" onClick={() => desk.cancel()}>
        Cancel
      </button>
    </div>
  );
}

function Done({ reply, choice }: { readonly reply: IommuReply; readonly choice: Choice }) {
  const { result } = reply;
  const iova = desk.at.value;
  const index = Math.floor(iova / SPAN.first);
  const table = result.tables.find((each) => each.iova === index * SPAN.first);
  const go = (to: number) => {
    desk.at.value = to;
  };
  const walked = useAnswer(() => desk.engine.call('iommuWalk', { iova }), `walk ${iova}`, reply);
  return (
    <>
      <Facts result={result} />
      <Words words={result.words} />
      {result.firstLevel !== null && (
        <>
          <Ram result={result} chosen={table?.id} />
          <div class="iommu-levels">
            <First reply={reply} iova={iova} onGo={go} />
            <Second reply={reply} iova={iova} onGo={go} />
            <Walk iova={iova} ias={result.domain.ias} steps={walked.value} onGo={go} />
          </div>
          <Pages result={result} chosen={table?.id} onChoose={go} />
        </>
      )}
      <FreeEmpty freeEmpty={result.freeEmpty} />
      <Troubles result={result} />
      <p class="muted">
        The same on a command line: <code>{commandOf(choice)}</code>
      </p>
    </>
  );
}

interface LevelProps {
  readonly reply: IommuReply;
  readonly iova: number;
  readonly onGo: (iova: number) => void;
}

/** The second level is to have the keys as soon as it is there. */
const entering = signal(false);

// ---- the first level -------------------------------------------------------------------------------------------------------

interface Pointed {
  readonly index: number;
  readonly x: number;
  readonly y: number;
}

function First({ reply, iova, onGo }: LevelProps) {
  const { result, words } = reply;
  const cells = firstCells(result);
  const at = Math.floor(iova / SPAN.first);
  const pointed = useSignal<Pointed | undefined>(undefined);
  const over = pointed.value;
  const cell = cells[at];
  useKeys([
    {
      keys: 't',
      does: 'to the next live table',
      run: () => onGo(nextTable(result, at)),
    },
  ]);
  return (
    <section class="iommu-first" aria-label="First level">
      <h3>
        First level <span class="iommu-about">{formatCount(cells.length)} entries of 1 MiB, 64 in a row</span>
      </h3>
      <Grid
        name="first"
        label={`First level: ${countWords(countKinds(cells))}. Arrow keys choose an entry, Enter goes to its table.`}
        cells={cells}
        columns={COLUMNS.first}
        at={at}
        onChoose={(index) => {
          entering.value = false;
          onGo(index * SPAN.first);
        }}
        onEnter={() => {
          entering.value = true;
        }}
        onPoint={(index, x, y) => {
          pointed.value = index === undefined ? undefined : { index, x, y };
        }}
        rowLabel={(row) =>
          row % 4 === 0 ? `0x${(row * COLUMNS.first * SPAN.first).toString(16).padStart(8, '0')}` : ''
        }
      />
      <Legend kinds={['fault', 'empty', 'table', 'section', 'supersection']} />
      <p class="iommu-named" aria-live="polite" data-named="first">
        {cell &&
          `entry ${formatCount(at)}, ${rangeWords(at * SPAN.first, SPAN.first)}: ${wordText(words[at])}, ${cellWords(cell)}`}
      </p>
      {over !== undefined && cells[over.index] !== undefined && (
        <Tip x={over.x} y={over.y}>
          <strong>
            entry {formatCount(over.index)}: {rangeWords(over.index * SPAN.first, SPAN.first)}
          </strong>
          <br />
          <code>{wordText(words[over.index])}</code>, {cellWords(cells[over.index]!)}
          <Fields iova={over.index * SPAN.first} reply={reply} />
        </Tip>
      )}
    </section>
  );
}

/** Where the next table that maps something begins, round and round. */
function nextTable({ tables }: IommuResult, at: number): number {
  const starts = tables.flatMap(({ iova, used }) => (iova !== null && used > 0 ? [iova] : []));
  return starts.find((iova) => iova > at * SPAN.first) ?? starts[0] ?? at * SPAN.first;
}

function wordText(word: number | undefined): string {
  return `0x${((word ?? 0) >>> 0).toString(16).padStart(8, '0')}`;
}

function countWords(counts: readonly (readonly [kind: CellKind, count: number])[]): string {
  const names: Readonly<Partial<Record<CellKind, string>>> = { fault: 'faults', empty: 'empty tables' };
  return counts.map(([kind, count]) => `${formatCount(count)} ${names[kind] ?? `${kind}s`}`).join(', ');
}

/** The fields of a first-level descriptor under the pointer. */
function Fields({ iova, reply }: { readonly iova: number; readonly reply: IommuReply }) {
  const { value } = useAnswer(() => desk.engine.call('iommuWalk', { iova }), `point ${iova}`, reply);
  const fields = value?.[0]?.fields ?? [];
  return (
    <table class="iommu-fields">
      <tbody>
        {fields.map(({ name, bits: [high, low], meaning }) => (
          <tr key={`${name} ${high}`}>
            <td class="mono num">{high === low ? high : `${high}:${low}`}</td>
            <th scope="row">{name}</th>
            <td>{meaning}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Tip({
  x,
  y,
  children,
}: {
  readonly x: number;
  readonly y: number;
  readonly children: preact.ComponentChildren;
}) {
  // On the other side of the pointer where there is no room.
  const right = x > innerWidth / 2 ? { right: `${innerWidth - x + 14}px` } : { left: `${x + 14}px` };
  const below = y > innerHeight / 2 ? { bottom: `${innerHeight - y + 10}px` } : { top: `${y + 10}px` };
  return (
    <div class="tooltip" style={{ ...right, ...below }}>
      {children}
    </div>
  );
}

const NAMES: Readonly<Record<CellKind, string>> = {
  fault: 'nothing',
  empty: 'empty table',
  table: 'table, by how full it is',
  section: 'section',
  supersection: 'supersection',
  'small page': 'small page',
  'large page': 'large page',
};

function Legend({ kinds }: { readonly kinds: readonly CellKind[] }) {
  return (
    <ul class="iommu-legend">
      {kinds.map((kind) => (
        <li key={kind}>
          <Sample kind={kind} share={0.6} /> {NAMES[kind]}
        </li>
      ))}
    </ul>
  );
}

// ---- a second-level table --------------------------------------------------------------------------------------------------

function Second({ reply, iova, onGo }: LevelProps) {
  const { result } = reply;
  const index = Math.floor(iova / SPAN.first);
  const start = index * SPAN.first;
  const table = result.tables.find((each) => each.iova === start);
  const { value: steps } = useAnswer(
    () => desk.engine.call('iommuTable', { index }),
    `table ${index}`,
    reply,
  );
  const page = Math.floor((iova - start) / SPAN.second);
  return (
    <section class="iommu-second" aria-label="Second level">
      <h3>
        Second level{' '}
        <span class="iommu-about">
          {table === undefined
            ? `entry ${formatCount(index)} has no table`
            : `table ${formatCount(table.id)}`}
        </span>
      </h3>
      {steps === undefined || table === undefined ? (
        <p class="iommu-no-table muted">
          <span>
            Choose an entry that is a table, or press <kbd>t</kbd>: its {TABLE_ENTRIES} entries of 4 KiB are
            here then.
          </span>
        </p>
      ) : (
        <Table steps={steps} table={table} page={page} start={start} onGo={onGo} />
      )}
    </section>
  );
}

interface TableProps {
  readonly steps: WalkSteps;
  readonly table: IommuResult['tables'][number];
  readonly page: number;
  readonly start: number;
  readonly onGo: (iova: number) => void;
}

function Table({ steps, table, page, start, onGo }: TableProps) {
  const cells = secondCells(steps);
  const step = steps[page];
  const place = useRef<HTMLDivElement>(null);
  const isEntered = entering.value;
  useEffect(() => {
    if (!isEntered) return;
    entering.value = false;
    place.current?.querySelector<HTMLElement>('[data-grid=second]')?.focus();
  }, [isEntered]);
  return (
    <div ref={place}>
      <Grid
        name="second"
        label={`Second-level table: ${countWords(countKinds(cells))}. Arrow keys choose an entry.`}
        cells={cells}
        columns={COLUMNS.second}
        at={page}
        onChoose={(to) => onGo(start + to * SPAN.second)}
      />
      <p class="muted iommu-used">
        at {formatAddress(table.address)}, {table.used} of {TABLE_ENTRIES} entries in use
      </p>
      <Legend kinds={['fault', 'small page', 'large page']} />
      <p class="iommu-named" aria-live="polite" data-named="second">
        {step &&
          `entry ${page}, ${rangeWords(start + page * SPAN.second, SPAN.second)}: ${wordText(step.descriptor)}, ` +
            (step.output === undefined
              ? 'nothing is mapped'
              : `${step.kind}, physical ${formatAddress(step.output)}`)}
      </p>
    </div>
  );
}
