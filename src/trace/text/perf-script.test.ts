/** perf script, as 6.1 prints it and with other fields. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError } from '../../base/index.js';
import { runsOf } from '../../base/runs.case.test.js';
import { createPerfScriptReader } from './perf-script.js';
import {
  assertAllCounted,
  modelled,
  type Read,
  readText,
  recorded,
  testTextReader,
} from './text.case.test.js';

const HEAD = /^ *(?<comm>.{1,16}?) +(?<pid>-?\d+) +\[(?<cpu>\d+)\] +(?<time>\d+\.\d+): +kmem:(?<name>\w+): /;

testTextReader({
  name: 'perf script',
  create: createPerfScriptReader,
  sample: 'sample-perf-script.txt',
  head: HEAD,
  damaged: runsOf(75_000),
  seed: 63,
});

function read(text: string | Uint8Array): Read {
  return readText(createPerfScriptReader, text);
}

const EVENT = 'kmem:kfree: call_site=kvfree+0x24 ptr=0xffff888100373000';

test('call chains are comments', () => {
  const text = recorded('sample-perf-script-callchain.txt');
  const { events, report } = read(text);
  const lines = text.toString().split('\n');
  assert.deepEqual(
    events,
    lines.flatMap((line) => modelled(line, HEAD) ?? []),
  );
  assert.deepEqual([events.length, report.comments, report.damaged], [77, 1923, 0]);
  assertAllCounted(report);
  // Tabs may have become blanks.
  const blanks = read(lines.join('\n').replaceAll('\t', '        '));
  assert.deepEqual([blanks.events.length, blanks.report.damaged], [77, 0]);
});

test("a task's name may have blanks and numbers in it, the number of its process may stand before that of the thread", () => {
  const heads: [string, string, number, number][] = [
    ['     Web Content  2344 [003]    12.104000: ', 'Web Content', 2344, 3],
    ['     Web Content  2310/2344  [003]    12.104000: ', 'Web Content', 2344, 3],
    ['Web Content 2344 [003] 12.104000: ', 'Web Content', 2344, 3],
    ['   worker 12 300    71 [003]    12.104000: ', 'worker 12 300', 71, 3],
    ['  a-1 [000] 1.5:    71 [003]    12.104000: ', 'a-1 [000] 1.5:', 71, 3],
    ['             :-1    -1 [003]    12.104000: ', ':-1', -1, 3],
    ['kworker/0:0-eve    71 [003]    12.104000:          1 ', 'kworker/0:0-eve', 71, 3],
  ];
  for (const [head, comm, pid, cpu] of heads) {
    const { events, report } = read(`${head}${EVENT}\n`);
    assert.deepEqual(
      [events[0]?.comm, events[0]?.pid, events[0]?.cpu, events[0]?.time],
      [comm, pid, cpu, 12_104_000_000],
      head,
    );
    assert.deepEqual(report.notes, []);
  }
});

test('nanoseconds; lines without a CPU, which is noted', () => {
  assert.equal(
    read(`            perf    64 [001]     8.735033123: ${EVENT}\n`).events[0]!.time,
    8_735_033_123,
  );
  const { events, report } = read(`            perf    64     8.735033: ${EVENT}\n`);
  assert.deepEqual([events[0]!.cpu, events[0]!.pid], [0, 64]);
  assert.deepEqual(report.notes, ['some lines name no CPU: they are taken as of CPU 0']);
});

test('records of lost events stand where these are missing', () => {
  const { events, report } = read(
    [
      `            perf    64 [001]     8.735033: ${EVENT}`,
      '            perf    64 [001]     8.735034: PERF_RECORD_LOST lost 34',
      'PERF_RECORD_LOST lost 7',
      '',
    ].join('\n'),
  );
  assert.deepEqual(
    events.map(({ kind, bytesReq, cpu }) => [kind, bytesReq, cpu]),
    [
      ['kfree', 0, 1],
      ['lost', 34, 1],
      ['lost', 7, 0],
    ],
  );
  assert.equal(report.lost, 41);
  assertAllCounted(report);
});

test('other events are counted with their system, but for that of this room', () => {
  const head = '            perf    64 [001]     8.735033: ';
  const { report } = read(
    `${head}sched:sched_switch: prev_comm=perf\n${head}kmem:rss_stat: mm_id=1\n${head}kmem:rss_stat: mm_id=2\n${head}${EVENT}\n`,
  );
  assert.deepEqual(
    [...report.others],
    [
      ['sched:sched_switch', 1],
      ['rss_stat', 2],
    ],
  );
});

test('an empty output and another text are refused', () => {
  assert.throws(() => read(''), /is empty/);
  assert.throws(() => read(recorded('sample-perf.data')), InputError);
});
