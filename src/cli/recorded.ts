/** The trace that a command is about, and the machine it was recorded on: what `replay`, `sweep` and `verify` have in common. */

import type { Command } from 'commander';
import { heldBackOf, type PlanOptions, prepareReplay, type Recorded, readSnapshots } from '../lab/index.js';
import { USUAL_BOARD } from '../machine/index.js';
import { inputName, type OpenedTrace, type OpenTraceOptions, openTrace, readInput } from '../node/index.js';
import type { AllocatorName } from '../slab/index.js';
import { addMachineOptions, allocator, checkMachine, machineOf } from './options.js';
import { createMeter } from './progress.js';
import type { Terminal } from './terminal.js';

export interface RecordedFlags {
  readonly snapshots?: string;
  readonly machine?: string;
  readonly memory?: number;
  readonly ram?: string;
  readonly cpus?: number;
  readonly kernel?: string;
  readonly allocator?: AllocatorName;
  readonly kallsyms?: string;
}

export function addRecordedOptions(command: Command): Command {
  command.option(
    '--snapshots <file>',
    "what the recorded machine's /proc/slabinfo and /sys/kernel/slab said, as JSON",
  );
  addMachineOptions(command, {
    machine: `${USUAL_BOARD}, without snapshots`,
    about: 'the recorded machine',
  });
  return command
    .option('--allocator <name>', 'its allocator: slub, or slab', allocator)
    .option('--kallsyms <file>', 'its /proc/kallsyms or System.map, to name call sites that are addresses');
}

/** What the options say of the recorded machine. Throws ArgumentError for what makes none. */
export function planOptions(flags: RecordedFlags): PlanOptions {
  const { machine, memory, ram, cpus, kernel, allocator: its } = flags;
  const isSaid = machine !== undefined || memory !== undefined || ram !== undefined;
  const options = {
    ...(isSaid && machineOf(flags, USUAL_BOARD)),
    ...(cpus !== undefined && { cpus }),
    ...(kernel !== undefined && { kernel }),
    ...(its !== undefined && { allocator: its }),
  };
  checkMachine(options);
  return options;
}

/** The same as a person would say it, `` where they said nothing. */
export function planWords({
  snapshots,
  machine,
  memory,
  ram,
  cpus,
  kernel,
  allocator: its,
}: RecordedFlags): string {
  const said = { snapshots, machine, memory, ram, cpus, kernel, allocator: its };
  return Object.entries(said)
    .flatMap(([name, value]) => (value === undefined ? [] : [`${name}=${value}`]))
    .join(' ');
}

/** What of kmem a recorder has to write down. */
export const RECORD_HELP = `
How to record (EVENTS are kmem:kmalloc, kmalloc_node, kfree, kmem_cache_alloc,
kmem_cache_alloc_node, kmem_cache_free, mm_page_alloc and mm_page_free):
  trace-cmd record -C mono -b 40000 -e kmem:kmalloc -e kmem:kfree … COMMAND
  perf record -a -m 8192 -k mono -e kmem:kmalloc,kmem:kfree,… COMMAND
  boot with no_hash_pointers trace_clock=mono trace_buf_size=40M
  trace_event=kmem:kmalloc,kmem:kfree,…; then read /sys/kernel/tracing/trace
`;

interface OpenedRecording {
  readonly recorded: Recorded;
  readonly opened: OpenedTrace;
  /** The text of the snapshots, if there are any. */
  readonly snapshots: string | undefined;
}

/**
 * Opens a trace and its snapshots, and finds out what a replay needs to know. `holdsBack` leaves a snapshot out that the replay can be held
 * against, where no other can.
 */
export async function openRecording(
  path: string,
  flags: RecordedFlags,
  terminal: Terminal,
  { holdsBack = false, ...options }: OpenTraceOptions & { readonly holdsBack?: boolean } = {},
): Promise<OpenedRecording> {
  // Found out before a large file is read.
  const plan = planOptions(flags);
  const text = flags.snapshots === undefined ? undefined : await readInput(flags.snapshots);
  const snapshots = text === undefined ? undefined : readSnapshots(text, inputName(flags.snapshots!));
  const meter = createMeter(terminal, `reading ${inputName(path)}`);
  try {
    const opened = await openTrace(path, {
      ...options,
      ...(flags.kallsyms !== undefined && { kallsyms: flags.kallsyms }),
      onProgress: meter.tell,
    });
    meter.done();
    const { trace } = opened;
    const { tell, done } = rowsMeter(terminal, 'finding out what was there before', trace.rows);
    const heldBack = holdsBack && snapshots !== undefined ? heldBackOf(trace, snapshots) : undefined;
    const recorded = prepareReplay({ ...plan, trace, snapshots, heldBack, onProgress: tell });
    done();
    return { recorded, opened, snapshots: text };
  } finally {
    meter.done();
  }
}

interface RowsMeter {
  readonly tell: (rows: number) => void;
  readonly done: () => void;
}

/** Progress of a step that goes through a trace's rows, perhaps more than once. */
export function rowsMeter(terminal: Terminal, what: string, rows: number): RowsMeter {
  let meter = createMeter(terminal, what);
  let before = 0;
  return {
    tell(done) {
      if (done < before) {
        meter.done();
        meter = createMeter(terminal, what);
      }
      before = done;
      meter.tell({ events: done, bytes: done, size: rows });
    },
    done: () => meter.done(),
  };
}
