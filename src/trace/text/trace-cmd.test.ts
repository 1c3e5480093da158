/** trace-cmd report, as version 3.1.6 prints it and as others do. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError } from '../../base/index.js';
import { runsOf } from '../../base/runs.case.test.js';
import { ACCOUNTED } from '../batch/events.js';
import { assertAllCounted, type Read, readText, recorded, testTextReader } from './text.case.test.js';
import { createTraceCmdReader } from './trace-cmd.js';

testTextReader({
  name: 'trace-cmd report',
  create: createTraceCmdReader,
  sample: 'sample-trace-cmd-report.txt',
  head: /^ *(?<comm>.{1,16}?)-(?<pid>\d+) +\[(?<cpu>\d+)\] +(?<time>\d+\.\d+): (?<name>\w+): /,
  damaged: runsOf(75_000),
  seed: 62,
});

function read(text: string | Uint8Array): Read {
  return readText(createTraceCmdReader, text);
}

const HEAD = '            snap-177   [001]    11.582574: ';

test('-R and -t -l print the same events', () => {
  const { events, report } = read(recorded('sample-trace-cmd-report.txt'));
  const raw = read(recorded('sample-trace-cmd-report-R.txt'));
  // With -R kmalloc's record has no `accounted`: what is printed otherwise is made of its flags.
  const plain = events.map((event) =>
    event.kind === 'kmalloc' ? { ...event, accounted: ACCOUNTED.UNSTATED } : event,
  );
  assert.deepEqual(raw.events, plain);
  assert.deepEqual(raw.report.notes, [
    'gfp_flags is a number in 937 events: its bits are taken as 6.1 numbers them',
  ]);
  const fine = read(recorded('sample-trace-cmd-report-t-l.txt'));
  const toMicroseconds = (time: number) => Math.round(time / 1000) * 1000;
  assert.ok(fine.events.some(({ time }) => time % 1000 !== 0));
  assert.deepEqual(
    fine.events.map((event) => ({ ...event, time: toMicroseconds(event.time) })),
    events.map((event) => ({ ...event, comm: event.comm.slice(0, 8) })),
  );
  for (const each of [report, raw.report, fine.report]) {
    assert.deepEqual([each.damaged, each.comments], [0, 1]);
    assert.deepEqual(each.others, new Map([['rss_stat', 45]]));
    assertAllCounted(each);
  }
});

test('what was written to trace_marker, and what the kernel printed, are marks', () => {
  const { events, report } = read(
    [
      'version = 6',
      'cpus=2',
      `${HEAD}print:                tracing_mark_write: SNAP r1 begin`,
      `${HEAD}bprint:               my_function: a: b`,
      `${HEAD}print:                0xffffffff810f9579: 7`,
      '',
    ].join('\n'),
  );
  assert.deepEqual(
    events.map(({ kind, name, cpu, pid, comm, time }) => [kind, name, cpu, pid, comm, time]),
    ['SNAP r1 begin', 'a: b', '7'].map((name) => ['mark', name, 1, 177, 'snap', 11_582_574_000]),
  );
  assert.equal(report.comments, 2);
});

test('dropped events stand where they are missing; frames of a stack are comments', () => {
  const { events, report } = read(
    [
      'CPU:7 [204600 EVENTS DROPPED]',
      `${HEAD}kfree:                (kvfree+0x24) call_site=kvfree+0x24 ptr=(nil)`,
      `${HEAD}kernel_stack:         <stack trace >`,
      '=> kfree (ffffffff8115d0d1)',
      'CPU:1 [EVENTS DROPPED]',
      '',
    ].join('\n'),
  );
  assert.deepEqual(
    events.map(({ kind, cpu, bytesReq }) => [kind, cpu, bytesReq]),
    [
      ['lost', 7, 204_600],
      ['kfree', 1, 0],
      ['lost', 1, 0],
    ],
  );
  assert.deepEqual([report.lost, report.comments, report.others.get('kernel_stack')], [204_600, 1, 1]);
  assertAllCounted(report);
});

test('a function of a module is read where it stands twice, with a blank in it', () => {
  const { events } = read(
    `${HEAD}kmem_cache_free:      (ext4_free+0x1f [ext4]) call_site=ext4_free+0x1f [ext4] ptr=0xffff888100049e00 name=ext4 io end\n`,
  );
  assert.deepEqual([events[0]!.site, events[0]!.name], ['ext4_free+0x1f [ext4]', 'ext4 io end']);
});

test('newer versions print the flags, too', () => {
  const line =
    '            bash-67    [000] d..1.     7.601121: kfree:   (kvfree+0x24) call_site=kvfree+0x24 ptr=0x10';
  const [event] = read(`${line}\n`).events;
  assert.deepEqual([event?.cpu, event?.time, event?.pointer], [0, 7_601_121_000, '0000000000000010']);
});

test('its header alone is a trace of nothing; another text is refused', () => {
  assert.equal(read('cpus=2\n').report.comments, 1);
  assert.throws(() => read('{"a": 1}\n'), InputError);
});
