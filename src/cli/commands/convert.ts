/** `slablab convert`: a trace of any format as a .slt, which opens at once. */
import type { Command } from 'commander';
import { ArgumentError, counted, formatBytes } from '../../base/index.js';
import { type Conversion, convertTrace, inputName, prepareOutput } from '../../node/index.js';
import { TRACE_FILE_SCHEMA } from '../../trace/index.js';
import { withExamples, withExplanation } from '../examples.js';
import { createMeter } from '../progress.js';
import { RECORD_HELP } from '../recorded.js';
import { readReportJson, readWords, resolveWords } from '../render/replay-findings.js';
import { wrap, wrapCommand, wrapParts } from '../render/text.js';
import type { OpenSession, Session } from '../session.js';

interface ConvertFlags {
  readonly out?: string;
  readonly kallsyms?: string;
  readonly json?: true;
}

export function addConvert(program: Command, open: OpenSession): void {
  const command = program
    .command('convert')
    .description(
      'Reads a kmem trace of any format and writes it as a .slt: columns, resolved and checked, which replay and sweep open at once.',
    )
    .argument(
      '<trace>',
      "ftrace text, trace-cmd report, perf script, trace.dat, perf.data, also gzip'd or zstd; - for standard input",
    )
    .option('-o, --out <file>', 'the file to write; - for standard output')
    .option(
      '--kallsyms <file>',
      "the recorded kernel's /proc/kallsyms or System.map, to name call sites that are addresses",
    );
  withExamples(command, [
    ['slablab convert trace.dat -o boot.slt', 'of trace-cmd record'],
    ['slablab convert boot.txt.gz -o boot.slt', 'of /sys/kernel/tracing/trace'],
    ['perf script | slablab convert - -o perf.slt', 'from standard input'],
  ]);
  withExplanation(command, RECORD_HELP);
  command.action(async (trace: string, flags: ConvertFlags) => {
    await runConvert(trace, { ...command.optsWithGlobals<ConvertFlags>(), ...flags }, open(command));
  });
}

async function runConvert(
  path: string,
  { out, kallsyms, json }: ConvertFlags,
  session: Session,
): Promise<void> {
  if (out === undefined)
    throw new ArgumentError('the file to write is missing: -o FILE.slt, or -o - for standard output');
  const output = prepareOutput(out, { inputs: [path, kallsyms], isBinary: true });
  const { terminal } = session;
  const meter = createMeter(terminal, `reading ${inputName(path)}`);
  try {
    const result = await output.save((write) =>
      convertTrace(path, write, {
        ...(kallsyms !== undefined && { kallsyms }),
        onProgress: meter.tell,
      }),
    );
    meter.done();
    // Standard output is the file: what was done is said beside it.
    if (output.isStdout) {
      if (json) terminal.complain(JSON.stringify(session.jsonOf(conversionJson(result, out))));
      return;
    }
    if (json) session.printJson(conversionJson(result, out));
    else {
      terminal.print(conversionScreen(result, out, terminal.textWidth));
      // What went into a device or a pipe is not there to be read.
      if (output.file !== undefined)
        terminal.print(['', 'Next:', ...wrapCommand(`slablab replay ${out}`, terminal.textWidth)]);
    }
  } finally {
    meter.done();
  }
}

function conversionJson({ file, packed, head, read, bytes }: Conversion, out: string): object {
  return {
    file,
    packed,
    out,
    fileSchema: TRACE_FILE_SCHEMA,
    bytes,
    events: head.rows,
    classes: head.classes.length,
    texts: head.strings.count,
    read: readReportJson(read),
    resolved: head.report,
  };
}

function conversionScreen(
  { file, packed, head, read, bytes }: Conversion,
  out: string,
  width: number,
): string[] {
  const each = head.rows === 0 ? '' : ` (${(bytes / head.rows).toFixed(1)} an event)`;
  return [
    ...wrapParts(
      [
        `${file}: ${[read.format, ...packed].join(', ')}`,
        counted(head.rows, 'event'),
        `${counted(head.report.objects.allocs, 'object')} allocated`,
        counted(head.cpus, 'CPU'),
      ],
      width,
    ),
    ...wrapParts([`${out}: ${formatBytes(bytes)}${each}`, counted(head.classes.length, 'class')], width),
    ...[...readWords(read), ...resolveWords(head.report)].flatMap((words) => wrap(words, width, '  ')),
  ];
}
