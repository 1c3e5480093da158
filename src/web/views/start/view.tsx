/** Where one begins: a place for files, examples a click away, and, when a trace is open, what it is and what of it could not be read. */
import { useRef } from 'preact/hooks';
import { counted, formatBytes, formatCount } from '../../../base/index.js';
import { machineParts } from '../../../lab/index.js';
import { formatSpan } from '../../parts/format.js';
import { goTo } from '../../state/link.js';
import { openFiles } from '../../state/opening.js';
import { opened, type ViewName } from '../../state/store.js';
import { EngineFailure, engine } from '../../worker/client.js';
import type { FileGiven } from '../../worker/files.js';
import type { OpenedTrace } from '../../worker/open-calls.js';
import './start.css';

interface Example {
  readonly title: string;
  readonly about: string;
  readonly files: readonly string[];
  readonly view: ViewName;
}

const EXAMPLES: readonly Example[] = [
  {
    title: 'A recorded boot',
    about:
      'Linux 6.1 from its first event on, then find over its file system: 255,387 kmem events, with snapshots of the machine.',
    files: ['boot-find.slt', 'boot-find.snapshots.json.gz'],
    view: 'time',
  },
  {
    title: 'Where should IOMMU tables come from?',
    about:
      '337,378 table events of a real driver, put to nine strategies: kmem caches, page_frag, genalloc, whole pages.',
    files: ['v7s-workload.json.gz'],
    view: 'time',
  },
];

export function StartView() {
  const input = useRef<HTMLInputElement>(null);
  const { value } = opened;
  return (
    <section class="start" aria-label="Start">
      <div class="start-drop">
        <h1>What does a kernel's memory hold, and what if?</h1>
        <p>
          Drop a trace of kmem events anywhere: <code>ftrace</code> text, <code>trace-cmd report</code>,{' '}
          <code>trace.dat</code>, <code>perf script</code>, <code>perf.data</code> or <code>.slt</code>, as it
          is or packed with gzip or zstd; together with its snapshots, if you have them. Or{' '}
          <code>/proc/slabinfo</code>.
        </p>
        <p>
          <button type="button" class="primary" onClick={() => input.current?.click()}>
            Choose files …
          </button>
          <input
            ref={input}
            class="visually-hidden"
            type="file"
            multiple
            tabIndex={-1}
            aria-label="Files to open"
            onChange={(event) => {
              const { currentTarget } = event;
              const files = [...(currentTarget.files ?? [])].map((blob) => ({ name: blob.name, blob }));
              currentTarget.value = '';
              if (files.length > 0) void open(files);
            }}
          />
        </p>
        <p class="muted">Nothing leaves this page: the engine runs in it.</p>
      </div>
      {value?.kind === 'trace' && <TraceCard trace={value} />}
      <div class="start-cards">
        {EXAMPLES.map((example) => (
          <button
            type="button"
            class="start-card"
            key={example.title}
            onClick={() => void open(example.files.map(exampleFile), example.view)}
          >
            <strong>{example.title}</strong>
            <span>{example.about}</span>
          </button>
        ))}
        <button type="button" class="start-card" onClick={() => goTo('learn')}>
          <strong>Learn</strong>
          <span>How SLUB allocates and frees, step by step, on a machine of a few pages. Needs no file.</span>
        </button>
        <button type="button" class="start-card" onClick={() => goTo('iommu')}>
          <strong>IOMMU page tables</strong>
          <span>Why 32-bit descriptors need tables below 4 GiB, entry by entry. Needs no file.</span>
        </button>
      </div>
    </section>
  );
}

function exampleFile(name: string): FileGiven {
  return { name, url: new URL(`examples/${name}`, document.baseURI).href };
}

async function open(files: readonly FileGiven[], view?: ViewName): Promise<void> {
  if (!(await openFiles(files))) return;
  goTo(view ?? (opened.value?.kind === 'snapshots' ? 'caches' : 'time'));
}

/** What is open: figures, the result in sentences, and everything that was not understood. */
function TraceCard({ trace }: { readonly trace: OpenedTrace }) {
  const { source, result, took, words, cut } = trace;
  const { read } = source;
  const rate = trace.rows / Math.max(took.all / 1000, 1e-3);
  return (
    <div class="start-trace">
      <h2>{trace.file}</h2>
      <dl class="start-facts">
        <dt>events</dt>
        <dd>
          {formatCount(trace.rows)}, {formatSpan(trace.lastTime - trace.firstTime)},{' '}
          {counted(trace.cpus, 'CPU')}
        </dd>
        <dt>format</dt>
        <dd>{[read.format, ...trace.packed].join(', ')}</dd>
        <dt>machine</dt>
        <dd>
          {machineParts(result).join(', ')}
          {trace.snapshots === undefined ? '; no snapshots were given' : `; snapshots: ${trace.snapshots}`}
        </dd>
        <dt>peak</dt>
        <dd>{formatBytes(result.peak.bytes)}</dd>
        <dt>end</dt>
        <dd>{formatBytes(result.end.bytes)}</dd>
        <dt>took</dt>
        <dd>
          {formatSpan(took.all * 1e6)}
          {/* Of a handful of events it would tell how long a page takes to begin. */}
          {rate >= 1000 && `: ${formatCount(Math.round(rate / 1000) * 1000)} events a second`}
        </dd>
      </dl>
      {words.map((sentence) => (
        <p key={sentence}>{sentence}</p>
      ))}
      {result.mismatch.length > 0 && (
        <p class="notice">The snapshots are of another recording: {result.mismatch.join('; ')}.</p>
      )}
      {cut !== undefined && <p class="notice">{cut}. What came before is shown.</p>}
      <Problems trace={trace} />
      <p class="toolbar">
        <button type="button" class="primary" onClick={() => goTo('time')}>
          Bytes over time
        </button>
        <button type="button" onClick={() => void saveTrace(trace)}>
          Save as .slt
        </button>
      </p>
    </div>
  );
}

/** Lines that could not be read, each with its reason, and what the trace does not tell. */
function Problems({ trace }: { readonly trace: OpenedTrace }) {
  const { read, file } = trace.source;
  const { notUnderstood, notes } = trace.result;
  return (
    <>
      {read.damaged > 0 && (
        <div class="notice">
          <strong>{counted(read.damaged, read.lines > 0 ? 'line' : 'record')} could not be read</strong>, the
          rest is shown:
          <ul class="start-damage">
            {read.damage.map(({ line, offset, why }) => (
              <li key={offset}>
                <code>{line > 0 ? `${file}:${line}` : `${file}, byte ${formatCount(offset)}`}</code> {why}
              </li>
            ))}
          </ul>
        </div>
      )}
      <details>
        <summary>What was assumed, and what the trace does not tell</summary>
        <ul>
          {[...read.notes, ...notes, ...notUnderstood].map((sentence) => (
            <li key={sentence}>{sentence}</li>
          ))}
        </ul>
      </details>
    </>
  );
}

async function saveTrace(trace: OpenedTrace): Promise<void> {
  try {
    const blob = await engine.call('save', null);
    const link = document.createElement('a');
    link.href = URL.createObjectURL(blob);
    link.download = `${trace.file.replace(/(?:\.(?:gz|zst|txt|dat|data|slt))+$/, '')}.slt`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  } catch (error) {
    if (!(error instanceof EngineFailure)) throw error;
  }
}
