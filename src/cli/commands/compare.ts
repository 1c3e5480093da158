import type { Command } from 'commander';
import { ArgumentError, formatCount, lookUp } from '../../base/index.js';
import { compare, STRATEGIES } from '../../lab/index.js';
import { DRIVER_BOARD } from '../../machine/index.js';
import { loadWorkload, WORKLOADS } from '../../node/index.js';
import { withExamples } from '../examples.js';
import {
  addMachineOptions,
  checkMachine,
  type Format,
  format,
  formatOf,
  type MachineWords,
  machineOf,
  USUAL,
  wholeNumber,
  wordList,
} from '../options.js';
import { compareScreen, exportColumns } from '../render/compare-screen.js';
import { renderCsv, renderMarkdown } from '../render/table.js';
import type { OpenSession, Session } from '../session.js';

interface CompareFlags extends MachineWords {
  readonly workload?: string;
  readonly live?: number;
  readonly seed?: number;
  readonly cpus: number;
  readonly kernel: string;
  readonly strategies?: string[];
  readonly points?: number;
  readonly wide?: true;
  readonly format?: Format;
  readonly csv?: true;
  readonly json?: true;
}

export function addCompare(program: Command, open: OpenSession): void {
  const command = program
    .command('compare')
    .description(
      'Replays a workload of IOMMU tables against every place they could come from, and says what each ' +
        'one holds, where it lies, and what fails.',
    )
    .argument(
      '[workload]',
      `${WORKLOADS.join(', ')}, iommu:LOAD, a file, or - for standard input (default: recorded)`,
    )
    .option('--workload <workload>', 'the same as the argument')
    .option('--live <n>', 'steady: tables that are live at a time (default: 30)', wholeNumber('--live'))
    .option(
      '--seed <n>',
      'steady, iommu:generated: where random numbers begin (default: 1)',
      wholeNumber('--seed'),
    );
  addMachineOptions(command, { machine: DRIVER_BOARD, ...USUAL })
    .option('--strategies <list>', `any of ${[...STRATEGIES.keys()].join(', ')} (default: all)`, strategyList)
    .option('--wide', 'also pages by zone, slabs, caches and reasons')
    .option('--points <n>', 'points of each series in --json (default: 480)', wholeNumber('--points'))
    .option('--format <format>', 'table, csv (bytes) or md', format)
    .option('--csv', 'the same as --format csv');
  withExamples(command, [
    ['slablab compare', 'what a real driver did'],
    ['slablab compare steady --live 100', 'tables that come and go'],
    ['slablab compare tables.json.gz', 'a workload of your own'],
    ['slablab compare iommu:generated', 'the tables of a load'],
    ['slablab compare --machine x86_64 --memory 16G', 'another machine'],
    ['slablab compare --strategies slub-dma32,pages', 'only these two'],
    ["slablab compare --json | jq '.strategies[0]'", 'all figures, as JSON'],
  ]);
  command.action(async (word: string | undefined, flags: CompareFlags) => {
    await runCompare(word, { ...command.optsWithGlobals<CompareFlags>(), ...flags }, open(command));
  });
}

/** For `--strategies`. */
function strategyList(text: string): string[] {
  const ids = wordList('--strategies')(text);
  for (const id of ids) lookUp('strategy', id, STRATEGIES);
  return ids;
}

async function runCompare(word: string | undefined, flags: CompareFlags, session: Session): Promise<void> {
  const { terminal, typed } = session;
  if (word !== undefined && flags.workload !== undefined && word !== flags.workload) {
    throw new ArgumentError(`which workload: '${word}' or --workload ${flags.workload}?`);
  }
  const shape = formatOf(flags);
  const name = word ?? flags.workload;
  // Found out before a large file is read.
  const machine = { ...machineOf(flags, DRIVER_BOARD), cpus: flags.cpus, kernel: flags.kernel };
  checkMachine(machine);
  const workload = await loadWorkload(name, {
    ...(flags.live !== undefined && { live: flags.live }),
    ...(flags.seed !== undefined && { seed: flags.seed }),
  });
  const done = terminal.progress(`replaying ${formatCount(workload.events.length)} events …`);
  const result = compare(workload, {
    machine,
    ...(flags.strategies && { strategies: flags.strategies }),
    ...(flags.points !== undefined && { points: flags.points }),
  });
  done();
  const wide = flags.wide === true;
  if (flags.json) session.printJson(result);
  else if (shape === 'csv') terminal.print(renderCsv(exportColumns(result, wide), result.strategies));
  else if (shape === 'md') terminal.print(renderMarkdown(exportColumns(result, wide), result.strategies));
  else terminal.print(compareScreen(result, { terminal, wide, typed }));
}
