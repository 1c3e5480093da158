// docs/performance.md, as `npm run bench -- --write` writes it.
import { allNotes, cell, HOW, memoryTable, ns, parallelLines, ratio, summary } from './report.mjs';

function markdown(head, lines) {
  const row = (cells) => `| ${cells.join(' | ')} |`;
  const rule = head.map((_, at) => (at === 0 ? '---' : '---:'));
  return [row(head), row(rule), ...lines.map(row)].join('\n');
}

function both(result) {
  if (result?.median === undefined) return cell(result, 'median');
  return `${ns(result.median)} (${ns(result.minimum)})`;
}

function timeTable(rows, touched) {
  const chosen = rows.filter((row) => row.touched === touched);
  const head = ['', ...chosen.map(({ workload }) => workload.head.join(' '))];
  const lines = chosen[0].results.map(({ title }, at) => [
    title,
    ...chosen.map(({ results }) => both(results[at])),
  ]);
  return markdown(head, lines);
}

function parallelTable(local, exchange, touched) {
  const { figures, lines } = parallelLines(local, exchange, touched);
  const head = ['', ...figures.map((words) => words.join(' '))];
  return `${HOW[Number(touched)]}:\n\n${markdown(head, lines)}`;
}

function targetTable(targets) {
  const lines = targets.map(({ name, ratio: is, minima, limit, held, reason }) => [
    name,
    ratio(is),
    ratio(minima),
    ratio(limit),
    is === null ? `not measured: ${reason}` : held ? 'held' : '**missed**',
  ]);
  return markdown(['', 'medians', 'minima', 'at most', ''], lines);
}

const list = (lines) => lines.map((line) => `- ${line}`).join('\n');

/** The whole page. `report` is of a run of everything. */
export function performancePage(report) {
  const { rows, local, exchange, targets, machine, pace } = report;
  return `# How fast it is

Measured and written by \`npm run bench -- --write\`. All times are nanoseconds for one object, allocated and freed.

${list(machine)}

## How it is measured

Every allocator gets the same workload with the same random orders. Rounds of about ${pace.roundMs} ms run in turn in one process, ${pace.rounds} for each
allocator (\`fill\`: up to ${pace.fillRounds} of one fill each); allocators of C run in a program of their own, a round when it is asked. A cell has a copy of its own
of the loop and of the allocator's code, so that no inline cache knows two of them. It shows the median and, in brackets, the minimum.
A short round that had the CPU for less than 97% of its time is run again, six times at most. Nothing is subtracted; what the loops cost by themselves is a row.

Memory is touched, code compiled and each live set replaced four times before the first round, as far as a second allows. Before that, and after the last
round, live objects are checked: aligned, inside the memory, sharing no byte. *Touched* means that the caller writes an object's first byte after alloc, and
reads and compares it before free: one cache line, the one in which allocators that keep links inside of objects have theirs. slablab is also
validated at the end (\`machine.validate()\`), with nothing live.

| workload | what it does |
| --- | --- |
| pair | alloc, free; again |
| batch 32 | 32 allocs, then 32 frees in the same order |
| random | 100,000 live objects of 1 KiB: frees one at random, allocates one in its place |
| churn 128 | 100,000 live objects of 1 KiB: frees 128 at random, then allocates 128 |
| mixed | as \`random\`, with sizes of 8 to 4096 bytes, each as likely as another |
| fill | allocates objects of 1 KiB up to the size named, then frees all at random; the memory was used before |
| handed over | one Worker (or thread) allocates, another frees; addresses pass through a ring, 32 at a time |

An object of the JS pool, of \`Buffer.allocUnsafe\` and of \`new Uint8Array\` is an array; the last two leave it to the garbage collector, whose work falls
into their rounds. glibc and mimalloc are told to keep what was freed (\`M_TRIM_THRESHOLD\`, \`MIMALLOC_ALLOW_DECOMMIT=0\`), as every other heap here
does. TLSF is compiled without its assertions. The bare freelist is two functions that are called, as a library's are, and no more.

## Objects left alone

${timeTable(rows, false)}

## Objects touched

${timeTable(rows, true)}

## Memory

Bytes held for each byte asked for, with 100,000 objects live: when they were first allocated, and later, after all rounds. slablab: the pages that its
zones are missing; what sheaves hold is its difference to classic SLUB. Others: from the first byte handed out to the last.

${markdown(...memoryTable(rows))}

## Two at a time

Two Workers (threads in C), each with objects of its own, beside one that is alone; and one that hands its objects over to the other. dlmalloc has a heap
for each Worker. In \`random\` each Worker has 20,000 live objects. A bare stack each is the control: two Workers that share no allocator and no memory. Where
they are slower than one of them, that is the machine, and slablab's ratio is divided by theirs; both stand in the target.

${parallelTable(local, exchange, false)}

${parallelTable(local, exchange, true)}

## Without a number

${list(allNotes(report))}

## Targets

Ratios within this run. A target holds if the ratio of the medians is not above its limit.

${targetTable(targets)}

${summary(targets)}.
`;
}
