/** `slablab replay`: a recorded trace through the engine, as it was recorded and under other configurations. */
import type { Command } from 'commander';
import { ArgumentError } from '../../base/index.js';
import { AS_RECORDED, type ReplayResult, replay, replayName, type WhatIf } from '../../lab/index.js';
import { prepareOutput } from '../../node/index.js';
import { withExamples, withExplanation } from '../examples.js';
import { type Format, format, formatOf } from '../options.js';
import { addRecordedOptions, openRecording, type RecordedFlags, rowsMeter } from '../recorded.js';
import { replayColumns, replayJson, replayRowsOf } from '../render/replay-export.js';
import { replayHtml } from '../render/replay-html.js';
import type { ReplayReport } from '../render/replay-report.js';
import { replayScreen } from '../render/replay-screen.js';
import { renderCsv, renderMarkdown } from '../render/table.js';
import type { OpenSession, Session } from '../session.js';
import { eachText, readWhatIf } from '../what-ifs.js';

interface ReplayFlags extends RecordedFlags {
  readonly set?: string[];
  readonly vs?: string;
  readonly html?: string;
  readonly wide?: true;
  readonly format?: Format;
  readonly csv?: true;
  readonly json?: true;
}

export const SETTINGS_HELP = `
Settings of a what-if:
  slub_max_order=N  slub_min_order=N  slub_min_objects=N  slab_nomerge
  slub_debug=FZPU   allocator=slab    cpus=N              page_size=64K
  cpu_partial=N     min_partial=N     (of all caches)
  CACHE.size=BYTES          CACHE.cpu_partial=N     CACHE.slub_debug=U
  CACHE.flags+=ACCOUNT      CACHE.min_partial=N     CACHE.flags-=ACCOUNT
  CACHE.strategy=page_frag-32k   its objects come from elsewhere, as those
                            of 'slablab compare' do
`;

export function addReplay(program: Command, open: OpenSession): void {
  const command = program
    .command('replay')
    .description(
      'Runs a recorded kmem trace through the engine, as it was recorded and under each what-if: what it holds over time, what ' +
        'each cache costs, who keeps sparse slabs.',
    )
    .argument(
      '<trace>',
      'ftrace text, trace-cmd report, perf script, trace.dat, perf.data, .slt, also packed; - for standard input',
    )
    .option('--set <settings>', 'a what-if: settings with commas between them; can be repeated', eachText)
    .option('--vs <settings>', 'what the what-ifs are compared with (default: as recorded)')
    .option('--wide', 'also all caches, zones, fullness of slabs, who keeps sparse ones, what was assumed')
    .option('--html <file>', 'write a report with plots, in one file')
    .option('--format <format>', 'table, csv (bytes, a row a cache) or md', format)
    .option('--csv', 'the same as --format csv');
  addRecordedOptions(command);
  withExamples(command, [
    ['slablab replay trace.txt', 'what do its objects hold?'],
    ['slablab replay trace.dat --set slub_max_order=0', 'with another slab order'],
    ["slablab replay boot.slt --set dentry.size=200 --set 'page_size=64K, cpus=8'", 'two what-ifs'],
    [
      'slablab replay boot.slt --snapshots boot.snapshots.json --html report.html',
      'on the machine that it was',
    ],
  ]);
  withExplanation(command, SETTINGS_HELP);
  command.action(async (trace: string, flags: ReplayFlags) => {
    await runReplay(trace, { ...command.optsWithGlobals<ReplayFlags>(), ...flags }, open(command));
  });
}

async function runReplay(path: string, flags: ReplayFlags, session: Session): Promise<void> {
  const { terminal, typed } = session;
  const shape = formatOf(flags);
  if (flags.vs !== undefined && flags.set === undefined)
    throw new ArgumentError('--vs says what the what-ifs are compared with: give at least one with --set');
  if (flags.wide && (shape ?? 'table') !== 'table')
    throw new ArgumentError(`--wide is for the table: ${shape} has all columns already, leave it out`);
  const base = flags.vs === undefined ? AS_RECORDED : readWhatIf(flags.vs);
  const whatIfs = (flags.set ?? []).map(readWhatIf);
  const { html } = flags;
  const page =
    html === undefined ? undefined : prepareOutput(html, { inputs: [path, flags.snapshots, flags.kallsyms] });
  const { recorded, opened } = await openRecording(path, flags, terminal);
  const { trace } = recorded;
  const run = (whatIf: WhatIf): ReplayResult => {
    const meter = rowsMeter(terminal, `replaying ${replayName(whatIf)}`, trace.rows);
    const result = replay(recorded, whatIf, { onProgress: meter.tell });
    meter.done();
    return result;
  };
  const report: ReplayReport = {
    file: opened.file,
    packed: opened.packed,
    source: opened.trace.source,
    snapshots: flags.snapshots ?? null,
    trace,
    base: run(base),
    others: whatIfs.map(run),
    typed,
  };
  opened.close();
  await page?.save((write) => write(Buffer.from(replayHtml(report))));
  if (page?.isStdout) return;
  if (flags.json) session.printJson(replayJson(report));
  else if (shape === 'csv') terminal.print(renderCsv(replayColumns(), replayRowsOf(report)));
  else if (shape === 'md') terminal.print(renderMarkdown(replayColumns(), replayRowsOf(report)));
  else terminal.print(replayScreen(report, { terminal, wide: flags.wide === true, html }));
}
