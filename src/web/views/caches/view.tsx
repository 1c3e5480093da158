/**
 * The caches of the machine in front of the cursor's event: a table like slabtop's, and beside it the one that is picked.
 */
import { formatBytes, formatCount, formatShare } from '../../../base/index.js';
import type { CacheAt } from '../../../lab/index.js';
import { DataTable } from '../../parts/data-table.js';
import { orderedRows, orderFrom, orderText, passes } from '../../parts/table-order.js';
import { useAnswer } from '../../parts/use-answer.js';
import { extras, filter, opened, selection, setExtra, shownCursor, whatIfs } from '../../state/store.js';
import type { CachesAt } from '../../worker/caches-calls.js';
import { engine } from '../../worker/client.js';
import '../../parts/facts.css';
import './caches.css';
import { CACHE_COLUMNS, FIRST_ORDER } from './columns.js';
import { CacheDetailPanel } from './detail.js';
import { FilterInput } from './filter-input.js';
import { SnapshotCaches } from './snapshots.js';

export function CachesView() {
  const open = opened.value;
  if (open?.kind === 'trace') return <CachesOfTrace key={open.took.all} />;
  return open?.kind === 'snapshots' ? <SnapshotCaches open={open} /> : <NothingOpen />;
}

function NothingOpen() {
  return (
    <section class="empty-state" aria-label="Caches">
      <h2>No trace is open</h2>
      <p>
        The caches are those of a recorded machine. <a href="#start">Open a trace or an example</a>, then they
        are here: what each holds, how full its slabs are, who allocates.
      </p>
    </section>
  );
}

function CachesOfTrace() {
  const row = shownCursor.value;
  const set = shownMachine();
  const { value, failure, isWaiting } = useAnswer(
    () => engine.call('caches', { set, row }),
    String(row),
    set,
  );
  const picked = selection.value.cache;
  // A link may name a cache by any of its names.
  const pickedName = value?.caches.find(
    ({ name, names }) => name === picked || names.includes(picked ?? ''),
  )?.name;
  if (failure !== undefined)
    return (
      <div class="caches">
        <p class="failure">The caches cannot be shown: {failure.message}</p>
        <MachineChoice set={set} />
      </div>
    );
  if (value === undefined) return <p class="waiting">Replaying up to event {formatCount(row)} …</p>;
  const order = orderFrom(extras.value.get('sort'), CACHE_COLUMNS) ?? FIRST_ORDER;
  const shown = orderedRows(
    value.caches.filter(({ name, names, flags }) => passes(filter.value, [name, ...names, flags])),
    CACHE_COLUMNS,
    order,
  );
  return (
    <section
      class={`caches ${picked === undefined ? '' : 'with-detail'}`}
      aria-label="Caches"
      aria-busy={isWaiting}
    >
      <div class="caches-list">
        <Toolbar at={value} shown={shown} set={set} />
        <DataTable<CacheAt>
          label="Caches"
          columns={CACHE_COLUMNS}
          rows={shown}
          keyOf={({ name }) => name}
          order={order}
          onOrder={(next) => setExtra('sort', orderText(next))}
          picked={pickedName}
          onPick={({ name }) => {
            selection.value = { cache: name };
          }}
          empty={
            filter.value === ''
              ? 'No cache has had a slab yet: move the cursor on in the time view.'
              : `No cache has '${filter.value}' in a name or its flags.`
          }
        />
      </div>
      {picked !== undefined && <CacheDetailPanel name={picked} row={row} set={set} />}
    </section>
  );
}

/** The name in the address of the what-if whose machine is shown. */
const MACHINE = 'machine';

/** The what-if whose machine is shown: one of those in the address, or '' for what was recorded. */
function shownMachine(): string {
  const set = extras.value.get(MACHINE) ?? '';
  return whatIfs.value.includes(set) ? set : '';
}

/** Where there are what-ifs the caches of their machines can be looked at too. */
function MachineChoice({ set }: { readonly set: string }) {
  if (whatIfs.value.length === 0) return null;
  return (
    <label>
      machine{' '}
      <select
        class="machine-choice"
        value={set}
        onChange={(event) => setExtra(MACHINE, event.currentTarget.value || undefined)}
      >
        <option value="">as recorded</option>
        {whatIfs.value.map((each) => (
          <option key={each} value={each}>
            what if {each}
          </option>
        ))}
      </select>
    </label>
  );
}

function Toolbar({
  at,
  shown,
  set,
}: {
  readonly at: CachesAt;
  readonly shown: readonly CacheAt[];
  readonly set: string;
}) {
  const sum = (of: (cache: CacheAt) => number) => shown.reduce((total, cache) => total + of(cache), 0);
  const [memory, wasted, recoverable] = [
    sum(({ bytes }) => bytes),
    sum((cache) => cache.wasted),
    sum((cache) => cache.recoverable),
  ];
  const part = memory === 0 ? '' : ` (${formatShare(wasted / memory)})`;
  return (
    <div class="toolbar">
      <FilterInput />
      <MachineChoice set={set} />
      <p class="sum" role="status">
        <strong>{formatCount(shown.length)}</strong>
        {shown.length === at.caches.length ? '' : ` of ${formatCount(at.caches.length)}`} caches ·{' '}
        <strong title={`${formatCount(memory)} bytes`}>{formatBytes(memory)}</strong> · {formatBytes(wasted)}{' '}
        wasted
        {part} · {formatBytes(recoverable)} could be freed by packing live objects side by side
      </p>
    </div>
  );
}
