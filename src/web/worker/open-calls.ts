/**
 * Opening what a person gives the page: a trace of any format, snapshots of its machine beside it or alone, the text of /proc/slabinfo, or
 * a workload of IOMMU tables. What each file is, its bytes say.
 */
import { ArgumentError, InputError } from '../../base/index.js';
import {
  type CompareResult,
  compare,
  prepareReplay,
  type ReplayResult,
  readSnapshots,
  readV7sWorkload,
  resultWords,
  type Snapshots,
} from '../../lab/index.js';
import { parseSlabinfo, type SlabinfoRow } from '../../text/index.js';
import {
  createResolver,
  createTraceFile,
  createTraceStore,
  openTraceFile,
  type ResolveReport,
  readEvents,
  type SavedTrace,
  type TraceMark,
  type TraceSource,
  withKmem,
} from '../../trace/index.js';
import { MemorySpool } from './bytes.js';
import type { Call, CallContext, Handlers, Progress } from './call.js';
import { eventSource, type FileGiven, type OpenFile, openFile, PART_UNPACKERS, wholeText } from './files.js';
import type { Session } from './session.js';

/** A trace, replayed as it was recorded. */
export interface OpenedTrace {
  readonly kind: 'trace';
  readonly file: string;
  /** How it was packed, the outermost first. */
  readonly packed: readonly string[];
  /** The file of its snapshots. */
  readonly snapshots: string | undefined;
  readonly rows: number;
  readonly cpus: number;
  /** Nanoseconds of the trace's clock. */
  readonly firstTime: number;
  readonly lastTime: number;
  /** What it was read from, and what could not be read there. */
  readonly source: TraceSource;
  readonly report: ResolveReport;
  readonly marks: readonly TraceMark[];
  readonly result: ReplayResult;
  /** The result in sentences. */
  readonly words: readonly string[];
  /** Where the file stops in the middle: a sentence. */
  readonly cut: string | undefined;
  /** Milliseconds from the first byte to the result, and of those for reading. */
  readonly took: { readonly all: number; readonly reading: number };
}

/** What a kernel said of its caches, without a trace. */
export interface OpenedSnapshots {
  readonly kind: 'snapshots';
  readonly file: string;
  readonly kernel: string;
  readonly all: readonly NamedSlabinfo[];
}

interface NamedSlabinfo {
  readonly name: string;
  /** Nanoseconds of the machine's clock; 0 where nobody knows. */
  readonly time: number;
  readonly rows: readonly SlabinfoRow[];
}

/** A workload of IOMMU tables, put to every strategy. */
export interface OpenedWorkload {
  readonly kind: 'workload';
  readonly file: string;
  readonly result: CompareResult;
}

export type Opened = OpenedTrace | OpenedSnapshots | OpenedWorkload;

export interface OpenCalls {
  /** Opens one trace with its snapshots, or one other thing. Throws for what is none, and what was open stays open. */
  open: Call<{ readonly files: readonly FileGiven[] }, Opened>;
  /** The open trace as a .slt. */
  save: Call<null, Blob>;
}

/** Rows that stay as they are in memory; more are packed, which takes a quarter of it. */
const ROWS_IN_MEMORY = 4_000_000;
const TELL_MS = 60;

export function openHandlers(session: Session): Handlers<OpenCalls> {
  return {
    async open({ files }, context) {
      const begun = performance.now();
      const inputs: OpenFile[] = [];
      for (const given of files) inputs.push(await openFile(given));
      const traces = inputs.filter(({ format }) => format !== 'json' && format !== 'slabinfo');
      const others = inputs.filter((input) => !traces.includes(input));
      const [trace, second] = traces;
      if (second !== undefined)
        throw new ArgumentError(`${trace!.file} and ${second.file} are two traces: open one at a time`);
      if (trace === undefined) {
        const other = await openOther(others, context);
        session.close();
        return other;
      }
      if (others.length > 1)
        throw new ArgumentError(
          `a trace takes one file of snapshots, not ${others.map(({ file }) => file).join(', ')}`,
        );
      return openTrace(session, trace, others[0], { context, begun });
    },
    save() {
      const { trace } = session;
      const parts: Uint8Array<ArrayBuffer>[] = [];
      const writer = createTraceFile((bytes) => parts.push(new Uint8Array(bytes)));
      for (const chunk of trace.chunks()) writer.chunk(chunk);
      const { chunks: _, source, ...head } = trace;
      writer.finish(head, source);
      return new Blob(parts, { type: 'application/octet-stream' });
    },
  };
}

/** A progress that is told now and then. */
function teller(context: CallContext, what: string): (events: number, share: number | undefined) => void {
  const begun = performance.now();
  let told = 0;
  return (events, share) => {
    const elapsed = performance.now() - begun;
    if (elapsed - told < TELL_MS) return;
    told = elapsed;
    const progress: Progress = { what, events, share, elapsed };
    context.tell(progress);
  };
}

async function openTrace(
  session: Session,
  input: OpenFile,
  beside: OpenFile | undefined,
  { context, begun }: { readonly context: CallContext; readonly begun: number },
): Promise<OpenedTrace> {
  const snapshots = beside === undefined ? undefined : await snapshotsOf(beside);
  let cut: string | undefined;
  const trace = await readTrace(input, context, (error) => {
    cut = error.message;
  });
  const reading = performance.now() - begun;
  const tell = teller(context, 'finding out what was there before');
  const rows = Math.max(trace.rows, 1);
  const recorded = prepareReplay({
    trace,
    snapshots,
    onProgress: (done) => tell(done, Math.min(done / rows, 1)),
  });
  const { result } = session.open(trace, recorded, () => session.look('', context));
  return {
    kind: 'trace',
    file: input.file,
    packed: input.packed,
    snapshots: beside?.file,
    rows: trace.rows,
    cpus: trace.cpus,
    firstTime: trace.report.firstTime,
    lastTime: trace.report.lastTime,
    source: trace.source,
    report: trace.report,
    marks: trace.marks,
    result,
    words: resultWords(result),
    cut,
    took: { all: performance.now() - begun, reading },
  };
}

async function readTrace(
  input: OpenFile,
  context: CallContext,
  onCut: (error: InputError) => void,
): Promise<SavedTrace> {
  const { file, size } = input;
  const source = eventSource(input, onCut);
  const tell = teller(context, `reading ${file}`);
  if (input.format === 'slt') {
    const { bytes } = await source.random();
    const saved = openTraceFile(bytes, file);
    withKmem(file, saved.source.read);
    return saved;
  }
  const store = createTraceStore(() => new MemorySpool(), { rowsInMemory: ROWS_IN_MEMORY });
  const resolver = createResolver({ chunk: (chunk) => store.chunk(chunk) });
  const read = await readEvents(source, resolver, {
    unpackers: PART_UNPACKERS,
    onProgress: ({ events, bytes }) =>
      tell(events, size === undefined ? undefined : Math.min(bytes / size, 1)),
  });
  return store.finish(resolver.finish(), { file, read }).trace;
}

async function snapshotsOf(input: OpenFile): Promise<Snapshots> {
  if (input.format === 'slabinfo')
    throw new InputError(
      input.file,
      1,
      'beside a trace expected its snapshots as JSON, with times; it is the text of one /proc/slabinfo',
    );
  return readSnapshots(await wholeText(input), input.file);
}

async function openOther(inputs: readonly OpenFile[], context: CallContext): Promise<Opened> {
  const [input, second] = inputs;
  if (input === undefined) throw new ArgumentError('there is no file to open');
  if (second !== undefined)
    throw new ArgumentError(`${input.file} and ${second.file} are no traces: open one at a time`);
  const { file } = input;
  const text = await wholeText(input);
  if (input.format === 'slabinfo')
    return {
      kind: 'snapshots',
      file,
      kernel: '',
      all: [{ name: file, time: 0, rows: parseSlabinfo(text, file) }],
    };
  if (/"schema"\s*:\s*"v7s-workload/.test(text.slice(0, 2000))) {
    context.tell({ what: 'comparing strategies', events: 0, share: undefined, elapsed: 0 });
    const workload = readV7sWorkload(text, file);
    return { kind: 'workload', file, result: compare(workload, { machine: { cpus: 4 } }) };
  }
  const { kernel, all } = readSnapshots(text, file);
  return {
    kind: 'snapshots',
    file,
    kernel,
    all: all.map(({ name, begin, slabinfo }) => ({ name, time: begin, rows: slabinfo })),
  };
}
