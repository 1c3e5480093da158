/**
 * What if the machine had been another? Two configurations side by side, the same trace replayed on both, and what it comes to.
 *
 * In the address B is `set`, as it is on the command line, and A is `vs`, which stands there only if it is not what was recorded.
 */
import { useEffect, useRef } from 'preact/hooks';
import { formatCount } from '../../../base/index.js';
import { extras, opened, setExtra, whatIfs } from '../../state/store.js';
import type { OpenedTrace } from '../../worker/open-calls.js';
import { CurvesChart } from './chart.js';
import { SettingsForm } from './form.js';
import {
  CacheDifferences,
  FullnessTable,
  MachinesTable,
  Notes,
  type PairOfResults,
  PinsTables,
  Words,
  ZonesTable,
} from './report.js';
import { cancel, compare, forgetOthers, type Run, runs, SIDES, type SideName } from './runs.js';
import { problemOf } from './settings.js';
import '../../parts/facts.css';
import './whatif.css';

export function WhatIfView() {
  const open = opened.value;
  if (open?.kind !== 'trace') {
    return (
      <section class="empty-state" aria-label="What if">
        <h2>No trace is open</h2>
        <p>
          A recorded trace can be replayed on a machine that is another: with the other allocator, other slab
          orders, a struct that grew. <a href="#start">Open a trace or an example</a> first.
        </p>
      </section>
    );
  }
  return <Compare open={open} />;
}

/** Longer traces wait for a click: their replays take more than a moment. */
const ROWS_AT_ONCE = 3_000_000;

function Compare({ open }: { readonly open: OpenedTrace }) {
  const sets = { a: extras.value.get('vs') ?? '', b: whatIfs.value[0] ?? '' };
  const isRight = SIDES.every((side) => problemOf(sets[side]) === undefined);
  const asks = sets.a !== '' || sets.b !== '';
  useEffect(() => {
    forgetOthers();
    if (isRight && asks && open.rows <= ROWS_AT_ONCE) compare(sets);
  }, [open, sets.a, sets.b]);

  const { a, b } = { a: runs.a.value, b: runs.b.value };
  const isRunning = a?.state === 'running' || b?.state === 'running';
  const isCurrent = SIDES.every((side) => {
    const run = runs[side].value;
    return run?.set === sets[side] && (run.state === 'done' || run.state === 'running');
  });
  // While other settings are replayed what was found last stays in sight, greyed.
  const last = useRef<{ readonly pair: PairOfResults; readonly of: OpenedTrace } | undefined>(undefined);
  if (a?.state === 'done' && b?.state === 'done')
    last.current = { pair: { a: a.result, b: b.result }, of: open };
  const pair = asks && last.current?.of === open ? last.current.pair : undefined;
  return (
    <section class="whatif" aria-label="What if">
      <Forms open={open} sets={sets} />
      <div class="outcome">
        <div class="run-bar">
          <button
            type="button"
            class="primary"
            disabled={!isRight || !asks || isCurrent}
            onClick={() => compare(sets)}
          >
            Compare
          </button>
          <Progresses runs={{ a, b }} rows={open.rows} />
          {isRunning && (
            <button type="button" onClick={cancel}>
              Cancel
            </button>
          )}
        </div>
        {pair !== undefined && (
          <div class={`report ${isRunning || !isCurrent ? 'is-old' : ''}`} aria-busy={isRunning}>
            <Report pair={pair} open={open} sets={sets} />
          </div>
        )}
        {!asks && <Hint open={open} />}
      </div>
    </section>
  );
}

/** What to do first. */
function Hint({ open }: { readonly open: OpenedTrace }) {
  return (
    <div class="hint">
      <h2>What would these {formatCount(open.rows)} events cost on another machine?</h2>
      <p>
        B is the machine as it was recorded until you change something of it: the allocator, slab orders,
        merging, the number of CPUs, the size of a page, debugging, or one cache, whose objects may be larger
        or come from elsewhere. Both are then replayed here, each in a worker of its own, and held against
        each other. A can be changed as well.
      </p>
      <p class="ideas">
        {ideasFor(open).map((idea) => (
          <button
            key={idea}
            type="button"
            class="idea mono"
            onClick={() => {
              whatIfs.value = [idea];
            }}
          >
            {idea}
          </button>
        ))}
      </p>
    </div>
  );
}

type Sets = Readonly<Record<SideName, string>>;

function Forms({ open, sets }: { readonly open: OpenedTrace; readonly sets: Sets }) {
  const [, ...others] = whatIfs.value;
  const setB = (text: string) => {
    whatIfs.value = text === '' ? others : [text, ...others];
  };
  const caches = open.result.caches.flatMap(({ names }) => names);
  const failureOf = (side: SideName) => {
    const run = runs[side].value;
    return run?.state === 'failed' && run.set === sets[side] ? run.why : undefined;
  };
  return (
    <div class="sides">
      <SettingsForm
        name="A"
        text={sets.a}
        onText={(text) => setExtra('vs', text === '' ? undefined : text)}
        failure={failureOf('a')}
        caches={caches}
      />
      <SettingsForm name="B" text={sets.b} onText={setB} failure={failureOf('b')} caches={caches} />
      {others.length > 0 && (
        <p class="ideas">
          Also in the address:{' '}
          {others.map((other) => (
            <button
              key={other}
              type="button"
              class="idea mono"
              onClick={() => {
                whatIfs.value = [other, ...whatIfs.value.filter((each) => each !== other)];
              }}
            >
              {other}
            </button>
          ))}
        </p>
      )}
    </div>
  );
}

/** What asks for the one that it was not. */
const OTHER_ALLOCATOR = { slub: 'allocator=slab', slab: 'allocator=slub' } as const;

/** Settings worth a try, some of them of the cache that held most of those whose objects are not kmalloc's. */
function ideasFor({ result }: OpenedTrace): string[] {
  const { allocator } = result.machine;
  const largest = result.caches.find(({ name }) => !/(^|-)kmalloc-/.test(name));
  return [
    OTHER_ALLOCATOR[allocator],
    'slub_max_order=0',
    'slab_nomerge',
    'slub_debug=FZPU',
    'page_size=64K',
    'sheaves',
    ...(largest === undefined
      ? []
      : [`${largest.name}.size=${largest.size + 8}`, `${largest.name}.strategy=page_frag-4k`]),
  ];
}

function Progresses({
  runs: each,
  rows,
}: {
  readonly runs: Readonly<Record<SideName, Run | undefined>>;
  readonly rows: number;
}) {
  return (
    <p class="progresses" role="status">
      {SIDES.map((side) => {
        const run = each[side];
        if (run === undefined) return null;
        return (
          <span key={side} class="progress-of">
            <span class={`side-mark side-${side}`}>{side.toUpperCase()}</span>{' '}
            <ProgressOf run={run} rows={rows} />
          </span>
        );
      })}
    </p>
  );
}

function ProgressOf({ run, rows }: { readonly run: Run; readonly rows: number }) {
  if (run.state === 'done') return <>{formatCount(rows)} events replayed</>;
  if (run.state === 'cancelled') return <>cancelled</>;
  if (run.state === 'failed') return <>✗ does not work</>;
  const { progress } = run;
  if (progress === undefined) return <>starting …</>;
  const rate = progress.elapsed > 0 ? (progress.events / progress.elapsed) * 1000 : 0;
  return (
    <>
      <progress value={progress.share ?? 0} max={1} aria-label="replayed" /> {formatCount(progress.events)}{' '}
      events, {formatCount(Math.round(rate))} a second
    </>
  );
}

function Report({
  pair,
  open,
  sets,
}: {
  readonly pair: PairOfResults;
  readonly open: OpenedTrace;
  readonly sets: Sets;
}) {
  return (
    <>
      <Words {...pair} />
      <MachinesTable {...pair} />
      <CurvesChart {...pair} />
      <CacheDifferences {...pair} />
      <div class="pair">
        <ZonesTable {...pair} />
        <FullnessTable {...pair} />
      </div>
      <PinsTables {...pair} />
      <Notes {...pair} />
      <p class="command muted">
        The same on the command line: <code>{commandOf(open, sets)}</code>
      </p>
    </>
  );
}

function commandOf({ file, snapshots }: OpenedTrace, { a, b }: Sets): string {
  const quoted = (text: string) => (/^[\w./=+:-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
  return [
    `slablab replay ${quoted(file)}`,
    ...(snapshots === undefined ? [] : [`--snapshots ${quoted(snapshots)}`]),
    ...(a === '' ? [] : [`--vs ${quoted(a)}`]),
    ...(b === '' ? [] : [`--set ${quoted(b)}`]),
  ].join(' ');
}
