/**
 * `slablab info`: the slabinfo tool's reports on a machine that a script or a workload has built. The tool reads /sys/kernel/slab, which
 * SLAB has not: of a machine with SLAB, and with --proc, it is /proc/slabinfo.
 */

import type { Command } from 'commander';
import { ArgumentError, formatCount, lookUp } from '../../base/index.js';
import { machineAtPeak } from '../../lab/index.js';
import { DRIVER_BOARD, USUAL_BOARD } from '../../machine/index.js';
import { loadWorkload, WORKLOADS } from '../../node/index.js';
import { capabilitiesOf, type Machine } from '../../slab/index.js';
import {
  aliasGroups,
  aliasLines,
  formatSlabinfo,
  SLABINFO_SORTS,
  type SlabinfoCache,
  type SlabinfoSort,
  type SysfsTree,
  slabinfoCaches,
  slabinfoList,
  slabinfoReport,
  slabinfoRows,
  slabinfoTotals,
  sortCaches,
  sysfsTree,
  totalsLines,
} from '../../text/index.js';
import {
  addBootOptions,
  type MachineFlags,
  machineOptions,
  machineParts,
  merges,
  scriptedMachine,
} from '../built-machine.js';
import { withExamples, withExplanation } from '../examples.js';
import { checkMachine, wholeNumber } from '../options.js';
import { procScreen, sortRows } from '../render/proc-screen.js';
import { wrap, wrapCommand, wrapParts } from '../render/text.js';
import type { OpenSession, Session } from '../session.js';

interface InfoFlags extends MachineFlags {
  readonly workload?: string;
  readonly live?: number;
  readonly seed?: number;
  readonly report?: string;
  readonly totals?: true;
  readonly aliases?: true;
  readonly sort: SlabinfoSort;
  readonly firstAlias?: true;
  readonly empty?: true;
  readonly bytes?: true;
  readonly proc?: true;
  readonly json?: true;
}

const SCRIPT_HELP = `
A script has an operation a line; # begins a comment:
  create NAME SIZE [align=N] [flags=A,B] [ctor] [usersize=N]
  alloc NAME [COUNT] [cpu=N] [gfp=A|B]     kmalloc SIZE [COUNT] [cpu=N]
  free NAME COUNT|all [order=lifo|fifo|random] [cpu=N]
  shrink NAME                              destroy NAME
  tune NAME LIMIT BATCHCOUNT SHARED        wait TIME     (both for SLAB)

Flags in the list: * shared, d DMA, D DMA32, A aligned to cache lines,
P poison, a reclaimable, Z red zones, F checks, U tracking, T trace. D came
with the series that slablab grew from; a released kernel's tool has no D.
`;

export function addInfo(program: Command, open: OpenSession): void {
  const command = program
    .command('info')
    .description(
      "Prints what the kernel's slabinfo tool would: all caches, one of them, totals, or which names share one. The " +
        'machine is built by a script, or by a workload up to the moment when most of its tables are live. With ' +
        'SLAB, which that tool knows nothing of, it is what /proc/slabinfo says.',
    )
    .argument('[script]', 'what happens on the machine, - for standard input (default: a workload)')
    .option('--workload <workload>', `${WORKLOADS.join(', ')} or a file (default: recorded)`)
    .option('--live <n>', 'steady: tables that are live at a time (default: 30)', wholeNumber('--live'))
    .option('--seed <n>', 'steady: where its random numbers begin (default: 1)', wholeNumber('--seed'))
    .option('--report <cache>', 'one cache in detail, by any of its names')
    .option('--totals', 'averages, least, most and sums over all caches')
    .option('--aliases', 'which names share a cache')
    .option(
      '--sort <what>',
      [...SLABINFO_SORTS.keys()].join(', '),
      (text) => lookUp('order', text, SLABINFO_SORTS),
      'name',
    )
    .option('--first-alias', 'show shared caches by one of their names')
    .option('--empty', 'also caches that have no slab')
    .option('--bytes', 'whole bytes instead of K, M and G')
    .option('--proc', 'the text of /proc/slabinfo instead, as a kernel prints it');
  addBootOptions(command, `${USUAL_BOARD}, for a workload ${DRIVER_BOARD}`);
  withExamples(command, [
    ['slablab info', 'at the peak of what a real driver did'],
    ['slablab info tables.slab --sort loss', 'after what a script does'],
    ['slablab info --report :D-0001024', 'one cache'],
    ['slablab info --totals', 'all of them together'],
    ['slablab info --aliases', 'which names share a cache'],
    ['slablab info --allocator slab', "with the kernel's other allocator"],
    ['echo alloc dentry 100 | slablab info -', 'a script of one line'],
  ]);
  withExplanation(command, SCRIPT_HELP);
  command.action(async (script: string | undefined, flags: InfoFlags) => {
    await runInfo(script, { ...command.optsWithGlobals<InfoFlags>(), ...flags }, open(command));
  });
}

/** The machine that is looked at, and what is to be said about it. */
interface Built {
  readonly machine: Machine;
  readonly state: string;
  readonly parts: readonly string[];
}

async function runInfo(script: string | undefined, flags: InfoFlags, session: Session): Promise<void> {
  refuseBoth(script, flags);
  const built = await build(script, flags, session);
  if (flags.proc || !built.machine.kernel.has.sysfsTree) return printProc(built, flags, session);
  const tree = sysfsTree(built.machine, { cacheDma32: true });
  const { pageSize } = built.machine.kernel;
  const caches = slabinfoCaches(tree, pageSize, { firstAlias: flags.firstAlias === true });
  const one = flags.report === undefined ? undefined : findCache(flags.report, tree, caches);
  if (flags.json) return printJson(built, tree, one === undefined ? caches : [one], flags, session);
  const lines =
    one === undefined ? allLines(tree, caches, { ...flags, pageSize }, session) : slabinfoReport(one);
  const { terminal, typed } = session;
  const width = terminal.textWidth;
  terminal.print([
    ...wrap(built.state, width),
    ...wrapParts(built.parts, width),
    '',
    ...lines,
    '',
    ...nextSteps(caches, flags, typed, width),
  ]);
}

function refuseBoth(script: string | undefined, flags: InfoFlags): void {
  if (script !== undefined && flags.workload !== undefined)
    throw new ArgumentError(`which state: of the script '${script}' or of --workload ${flags.workload}?`);
  if (script !== undefined && (flags.live ?? flags.seed) !== undefined)
    throw new ArgumentError("--live and --seed belong to the workload 'steady', not to a script");
  const views = [flags.report && '--report', flags.totals && '--totals', flags.aliases && '--aliases'];
  const given = views.filter((view) => view);
  const { sysfsTree } = capabilitiesOf(flags.kernel, flags.allocator);
  const noTool = flags.proc
    ? '--proc is /proc/slabinfo'
    : `there is no /sys/kernel/slab with ${flags.allocator.toUpperCase()}`;
  if ((flags.proc || !sysfsTree) && given.length > 0)
    throw new ArgumentError(`${given[0]} is of the slabinfo tool, which reads /sys/kernel/slab: ${noTool}`);
  if (given.length > 1)
    throw new ArgumentError(`${given.join(' and ')} are reports of their own: choose one`);
}

async function build(script: string | undefined, flags: InfoFlags, { terminal }: Session): Promise<Built> {
  if (script !== undefined) {
    const machine = await scriptedMachine(script, machineOptions(flags, USUAL_BOARD));
    const state = `After ${script === '-' ? 'the script' : script}.`;
    return { machine, state, parts: machineParts(flags, USUAL_BOARD) };
  }
  const { live, seed } = flags;
  const options = machineOptions(flags, DRIVER_BOARD);
  checkMachine(options);
  const workload = await loadWorkload(flags.workload, {
    ...(live !== undefined && { live }),
    ...(seed !== undefined && { seed }),
  });
  const done = terminal.progress(`replaying up to ${formatCount(workload.peakLive)} live tables …`);
  const machine = machineAtPeak(workload, options, (booted) => {
    // A word that names no cache, before what takes seconds.
    if (flags.report !== undefined && booted.kernel.has.sysfsTree) reportedCache(flags.report, booted, flags);
  });
  done();
  const state = `${workload.title}: at the peak, with ${formatCount(workload.peakLive)} tables live.`;
  return {
    machine,
    state: state[0]!.toUpperCase() + state.slice(1),
    parts: machineParts(flags, DRIVER_BOARD),
  };
}

function reportedCache(name: string, machine: Machine, { firstAlias }: InfoFlags): SlabinfoCache {
  const tree = sysfsTree(machine, { cacheDma32: true });
  return findCache(
    name,
    tree,
    slabinfoCaches(tree, machine.kernel.pageSize, { firstAlias: firstAlias === true }),
  );
}

/** By its directory or by any name that leads there. */
function findCache(name: string, tree: SysfsTree, caches: readonly SlabinfoCache[]): SlabinfoCache {
  const known = new Map<string, SlabinfoCache>();
  for (const cache of caches) {
    known.set(cache.id, cache);
    for (const each of cache.names) known.set(each, cache);
  }
  const dangling = tree.links.get(name);
  if (dangling !== undefined && !known.has(name))
    throw new ArgumentError(`${name} is a link to ${dangling}, and that cache was destroyed`);
  return lookUp('cache', name, known);
}

function allLines(
  tree: SysfsTree,
  caches: readonly SlabinfoCache[],
  flags: InfoFlags & { readonly pageSize: number },
  session: Session,
): string[] {
  const { width } = session.terminal;
  const bytes = flags.bytes === true;
  if (flags.totals) return totalsLines(slabinfoTotals(tree, flags.pageSize), bytes);
  if (flags.aliases) {
    const groups = aliasGroups(tree);
    if (groups.length === 0) return ['No cache has more than one name.'];
    return aliasLines(groups).flatMap((line) => {
      const [id = '', names = ''] = line.split(' <- ');
      return wrap(names, width, '    ', `${id} <-`);
    });
  }
  const shown = caches.filter(({ slabs }) => flags.empty || slabs > 0);
  if (shown.length === 0) return ['No cache has a slab.'];
  const activity = flags.sort === 'activity' && caches.some(({ hasStats }) => hasStats);
  const options = { loss: flags.sort === 'loss', activity, bytes, width };
  const lines = slabinfoList(sortCaches(shown, flags.sort), options);
  if (flags.sort !== 'activity' || activity) return lines;
  const why = 'Nothing was counted, so the order is by name: activity needs --statistics.';
  return [...lines, '', ...wrap(why, session.terminal.textWidth)];
}

/** The command goes on with its largest cache. */
function nextSteps(
  caches: readonly SlabinfoCache[],
  flags: InfoFlags,
  typed: string,
  width: number,
): string[] {
  if (flags.report !== undefined || flags.totals || flags.aliases)
    return ['All caches:', ...wrapCommand(withoutViews(typed), width)];
  const [largest] = sortCaches(caches, 'size');
  if (largest === undefined || largest.slabs === 0)
    return ['Which names share a cache:', ...wrapCommand(`${typed} --aliases`, width)];
  return ['The largest in detail:', ...wrapCommand(`${typed} --report ${largest.id}`, width)];
}

function withoutViews(typed: string): string {
  return typed.replace(/ --(report(=| )\S+|totals|aliases)/g, '');
}

function printJson(
  { machine, state }: Built,
  tree: SysfsTree,
  caches: readonly SlabinfoCache[],
  flags: InfoFlags,
  session: Session,
): void {
  session.printJson({
    state,
    machine: {
      kernel: machine.kernel.name,
      cpus: machine.cpus,
      pageSize: machine.kernel.pageSize,
      slubDebug: flags.debug,
      slubNomerge: !merges(flags),
    },
    caches: sortCaches(caches, flags.sort),
    aliases: aliasGroups(tree, true),
    totals: slabinfoTotals(tree, machine.kernel.pageSize) ?? null,
  });
}

/** /proc/slabinfo: its text, or for people the caches that have slabs. */
function printProc({ machine, state, parts }: Built, flags: InfoFlags, session: Session): void {
  const { terminal, typed } = session;
  const rows = slabinfoRows(machine);
  if (flags.json) {
    const { kernel, cpus, boot } = machine;
    const { pageSize } = kernel;
    const about = { kernel: kernel.name, allocator: boot.allocator, cpus, pageSize, nomerge: !merges(flags) };
    return session.printJson({ state, machine: about, slabinfo: rows });
  }
  if (flags.proc) return terminal.print(formatSlabinfo(rows).trimEnd().split('\n'));
  const { textWidth: width } = terminal;
  const shown = rows.filter(({ numSlabs }) => flags.empty || numSlabs > 0);
  terminal.print([
    ...wrap(state, width),
    ...wrapParts(parts, width),
    '',
    ...(shown.length === 0 ? ['No cache has a slab.'] : procScreen(sortRows(shown, flags.sort), terminal)),
    '',
    'The text of /proc/slabinfo:',
    ...wrapCommand(`${typed} --proc`, width),
  ]);
}
