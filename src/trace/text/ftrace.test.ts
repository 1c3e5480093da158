/** Raw ftrace text: the shapes that were recorded, those of other kernels, and what is refused. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { InputError } from '../../base/index.js';
import { runsOf } from '../../base/runs.case.test.js';
import { __GFP, GFP } from '../../machine/index.js';
import { ACCOUNTED, NODE_NONE } from '../batch/events.js';
import { Strings } from '../batch/strings.js';
import { createFtraceReader } from './ftrace.js';
import {
  assertAllCounted,
  modelled,
  type Read,
  readText,
  recorded,
  type Spelt,
  testTextReader,
} from './text.case.test.js';

const HEAD =
  /^ *(?<comm>.{1,16}?)-(?<pid>\d+) +(?:\([ \d-]+\) )?\[(?<cpu>\d+)\](?: [^ ]{4,5})? +(?<time>\d+\.\d+): (?<name>\w+): /;

testTextReader({
  name: 'ftrace',
  create: createFtraceReader,
  sample: 'sample-ftrace-boot-no_hash_pointers.txt',
  head: HEAD,
  damaged: runsOf(100_000),
  seed: 61,
});

function read(text: string | Uint8Array): Read {
  return readText(createFtraceReader, text);
}

function sample(name: string): Read {
  return read(recorded(`sample-${name}.txt`));
}

/** One line's event. */
function one(line: string): Spelt {
  const { events, report } = read(`${line}\n`);
  assert.deepEqual([events.length, report.damaged, report.lines], [1, 0, 1]);
  return events[0]!;
}

/** Why one line could not be read, among lines that can. */
function damage(line: string): string {
  const { report } = read(`${GOOD}\n${line}\n${GOOD}\n`);
  assert.deepEqual([report.byKind[1], report.damaged, report.damage[0]?.line], [2, 1, 2], line);
  assertAllCounted(report);
  return report.damage[0]!.why;
}

const GOOD =
  '            init-1       [001] .....     3.299851: kmalloc: call_site=__get_vm_area_node+0x7f/0x150 ' +
  'ptr=ffff888100fcaf10 bytes_req=64 bytes_alloc=64 gfp_flags=GFP_KERNEL|__GFP_ZERO node=-1 accounted=false';
const FREE =
  '            init-1       [001] .....     3.299851: kfree: call_site=kvfree+0x24/0x30 ptr=ffff888100fcaf10';

test('the samples of one recording hold the same events, however they were printed', () => {
  const { events, report } = sample('ftrace-default-hashed');
  assert.deepEqual(sample('ftrace-noirqinfo').events, events);
  assert.deepEqual(report.others, new Map([['rss_stat', 26]]));
  assert.deepEqual([report.comments, report.lost, report.byKind[11]], [12, 0, 3]);
  // The latency format prints eight bytes of a task's name.
  const short = events.map((event) => ({ ...event, comm: event.comm.slice(0, 8) }));
  assert.deepEqual(sample('ftrace-latency-format').events, short);
  // nohash-ptr: other pointers, and blank texts.
  const blank = (event: Spelt) => ({
    ...event,
    pointer: event.kind.startsWith('mm_') ? event.pointer : '',
    gfp: 0,
    name: event.kind === 'mark' ? event.name : '',
  });
  const bare = sample('ftrace-nohash-ptr-option-strings-lost');
  assert.deepEqual(bare.events.map(blank), events.map(blank));
  // Of kmalloc `accounted` is the bit of gfp_flags, which is blank.
  const charged = GOOD.replace('GFP_KERNEL|__GFP_ZERO', '').replace('false', 'true');
  assert.deepEqual([one(charged).gfp, one(charged).accounted], [__GFP.ACCOUNT, ACCOUNTED.YES]);
});

test('each sample is read without damage, and its notes say what is odd about it', () => {
  const notes = (name: string) => {
    const { report } = sample(name);
    assert.equal(report.damaged, 0);
    assertAllCounted(report);
    return report.notes.map((note) => note.split(' ').slice(0, 3).join(' '));
  };
  assert.deepEqual(notes('ftrace-boot-no_hash_pointers'), []);
  assert.deepEqual(notes('ftrace-boot-slab'), []);
  assert.deepEqual(notes('ftrace-default-hashed'), ['pointers are hashed']);
  assert.deepEqual(notes('ftrace-tgid'), ['pointers are hashed']);
  assert.deepEqual(notes('ftrace-nohash-ptr-option-strings-lost'), ['gfp_flags is blank', 'name is blank']);
  assert.deepEqual(notes('ftrace-overrun'), ['5,504 events were', 'pointers are hashed']);
  assert.deepEqual(notes('trace_pipe-lost-events'), ['8,118 events were', 'pointers are hashed']);
});

test('the samples with a TGID, from the SLAB kernel and of an overrun are what regular expressions find in them', () => {
  for (const name of ['ftrace-tgid', 'ftrace-boot-slab', 'ftrace-overrun', 'trace_pipe-lost-events']) {
    const lines = recorded(`sample-${name}.txt`).toString().split('\n');
    const found = sample(name).events.filter(({ kind }) => kind !== 'lost');
    assert.deepEqual(
      found,
      lines.flatMap((line) => modelled(line, HEAD) ?? []),
      name,
    );
  }
});

test('lost events stand where they are missing, with their CPU and number', () => {
  const { events, report } = sample('trace_pipe-lost-events');
  const lines = recorded('sample-trace_pipe-lost-events.txt').toString().split('\n');
  /** Lines that are no events of this room. */
  const rss = (from: number, to: number) =>
    lines.slice(from - 1, to).filter((line) => line.includes(': rss_stat:')).length;
  const lost = events.flatMap(({ kind, cpu, bytesReq }, i) => (kind === 'lost' ? [[i, cpu, bytesReq]] : []));
  assert.deepEqual(lost.slice(0, 3), [
    [0, 1, 2956],
    [145 - rss(1, 146), 0, 3592],
    [226 - rss(1, 227), 0, 96],
  ]);
  assert.equal(report.lost, 2956 + 3592 + 96 + 82 + 1145 + 75 + 172);
  assert.equal(report.byKind[12], 7);
  // Tools that cannot say how many.
  const unknown = read(`CPU:3 [LOST EVENTS]\n${GOOD}\n`);
  assert.deepEqual([unknown.events[0]!.kind, unknown.events[0]!.cpu, unknown.report.lost], ['lost', 3, 0]);
  assert.equal(sample('ftrace-overrun').report.lost, 5980 - 476);
});

test('fields are found by their names, in any order, among others', () => {
  const usual = one(GOOD);
  const [head, tail] = GOOD.split('kmalloc: ') as [string, string];
  const words = tail.split(' ');
  for (let turn = 0; turn < words.length; turn++) {
    const turned = [...words.slice(turn), `fresh=${turn}`, ...words.slice(0, turn)].join(' ');
    assert.deepEqual(one(`${head}kmalloc: ${turned}`), usual);
  }
  assert.match(damage(`${head}kmalloc: ${'a=1 ptr=ffff888100fcaf10 '.repeat(100)}`), /too many fields/);
});

test("an allocation's cache is read wherever its name stands, whatever it is", () => {
  const line = (fields: string) =>
    `            init-1       [001] .....     3.299851: kmem_cache_alloc: call_site=getname_flags+0x4c/0x1f0 ${fields}`;
  const rest = 'bytes_req=632 bytes_alloc=640 gfp_flags=GFP_KERNEL node=-1 accounted=true';
  const names: [text: string, name: string][] = [
    ['dentry', 'dentry'],
    ['x', 'x'],
    [':A-0000640', ':A-0000640'],
    ['my cache', 'my cache'],
    ['my cache bytes more', 'my cache bytes more'],
    ['bytes', 'bytes'],
    ['a=b', 'a=b'],
    ['(name)[2]', '(name)[2]'],
    ['"quoted"', 'quoted'],
    ['"two words"', 'two words'],
    ['"a bytes_req=1 trap"', 'a bytes_req=1 trap'],
    ['größe', 'größe'],
    ['', ''],
    ['ext4_inode_cache_with_a_name_that_is_longer_than_any_that_is_kept_in_a_memo', ''],
  ].map(([text, name]) => [text!, name === '' ? text! : name!]);
  const lines = names.flatMap(([text]) => [
    line(`ptr=ffff888100fcaf10 name=${text} ${rest}`),
    line(`name=${text} ptr=ffff888100fcaf10 ${rest}`),
    line(`ptr=ffff888100fcaf10 ${rest} name=${text}`),
    line(
      `ptr=ffff888100fcaf10 bytes_req=632 bytes_alloc=640 name=${text} gfp_flags=GFP_KERNEL node=-1 accounted=true`,
    ),
  ]);
  // Twice, so that the second time everything is remembered.
  const { events, report } = read(`${[...lines, ...lines].join('\n')}\n`);
  assert.equal(report.damaged, 0);
  const expected = names.flatMap(([, name]) => [name, name, name, name]);
  assert.deepEqual(
    events.map(({ name }) => name),
    [...expected, ...expected],
  );
  for (const { bytesReq, bytesAlloc, gfp, accounted, pointer } of events) {
    assert.deepEqual([bytesReq, bytesAlloc, gfp, accounted], [632, 640, GFP.KERNEL, ACCOUNTED.YES]);
    assert.equal(pointer, 'ffff888100fcaf10');
  }
  // The next one has none.
  assert.equal(one(line(`ptr=ffff888100fcaf10 ${rest}`)).name, '');
});

test('events of kernels from 4.20 on are read', () => {
  // 4.20: bare addresses, four flags, an event of its own for a node, frames in decimal, blanks before (null).
  const old = '            bash-512   [003] d..1    12.345678: ';
  const node = one(
    `${old}kmem_cache_alloc_node: call_site=ffffffff811c2345 ptr=ffff9d3a4b5c6d00 bytes_req=232 bytes_alloc=256 ` +
      'gfp_flags=GFP_KERNEL|__GFP_NOFAIL node=1',
  );
  assert.deepEqual(
    [node.kind, node.site, node.node, node.cpu, node.accounted],
    ['kmem_cache_alloc', '0xffffffff811c2345', 1, 3, ACCOUNTED.UNSTATED],
  );
  const alloc = one(
    `${old}kmalloc: call_site=ffffffff811c2345 ptr=ffff9d3a4b5c6d00 bytes_req=5000 bytes_alloc=8192 gfp_flags=none`,
  );
  assert.deepEqual([alloc.gfp, alloc.node, alloc.bytesAlloc], [0, NODE_NONE, 8192]);
  assert.equal(one(`${old}kfree: call_site=ffffffff811c2345 ptr=          (null)`).pointer, '0'.repeat(16));
  const page = one(
    `${old}mm_page_alloc: page=000000009a1f2b3c pfn=1056768 order=3 migratetype=0 gfp_flags=GFP_ATOMIC`,
  );
  assert.deepEqual([page.pointer, page.order, page.gfp], ['0000000000102000', 3, GFP.ATOMIC]);
  assert.equal(
    one(
      `${old}kmalloc_node: call_site=x+0x1/0x2 ptr=ffff9d3a4b5c6d00 bytes_req=1 bytes_alloc=8 gfp_flags=GFP_NOWAIT node=-1`,
    ).kind,
    'kmalloc',
  );
  // 5.4 to 5.11: no name. A module's function has a blank in it.
  const free = one(`${old}kmem_cache_free: call_site=ext4_free_io+0x1f/0x40 [ext4] ptr=ffff9d3a4b5c6d00`);
  assert.deepEqual(
    [free.site, free.name, free.pointer],
    ['ext4_free_io+0x1f [ext4]', '', 'ffff9d3a4b5c6d00'],
  );
  // 32 bits, and flags of configurations that 6.1 on x86_64 does not know.
  const small = read(
    `${old}kmalloc: call_site=x+0x1/0x2 ptr=c1a2b3c4 bytes_req=1 bytes_alloc=8 gfp_flags=GFP_KERNEL|__GFP_SKIP_ZERO|0x8000000\n`,
  );
  assert.deepEqual([small.events[0]!.pointer, small.report.notes], ['00000000c1a2b3c4', []]);
  assert.equal(small.events[0]!.gfp, GFP.KERNEL | 0x8000000);
});

test('page events: a failed allocation, what a fallback printed, a number too large', () => {
  const old = '            bash-512   [003] d..1    12.345678: ';
  const none = 'f'.repeat(16);
  const failed = 'migratetype=0 gfp_flags=GFP_NOWAIT';
  assert.equal(one(`${old}mm_page_alloc: page=0000000000000000 pfn=0x0 order=9 ${failed}`).pointer, none);
  assert.equal(one(`${old}mm_page_alloc: page=(nil) pfn=0 order=9 ${failed}`).pointer, none);
  assert.equal(
    one(`${old}mm_page_alloc: page=00000000abcdef01 pfn=0x0 order=0 ${failed}`).pointer,
    '0'.repeat(16),
  );
  assert.equal(
    one(`${old}mm_page_alloc: pfn=0xffffffffffffffff order=0 gfp_flags=0xcc0 migratetype=0`).pointer,
    none,
  );
  const split = one(
    `${old}mm_page_alloc_extfrag: page=00000000abcdef01 pfn=0x1234 alloc_order=1 fallback_order=9 pageblock_order=9 ` +
      'alloc_migratetype=0 fallback_migratetype=1 fragmenting=0 change_ownership=1',
  );
  assert.deepEqual(
    [split.kind, split.order, split.pointer],
    ['mm_page_alloc_extfrag', 1, '0000000000001234'],
  );
  const drained = one(`${old}mm_page_pcpu_drain: page=00000000abcdef01 pfn=0x1234 order=2 migratetype=1`);
  assert.deepEqual([drained.kind, drained.order], ['mm_page_pcpu_drain', 2]);
  const huge = one(
    `${old}kmalloc: call_site=x+0x1/0x2 ptr=ffff9d3a4b5c6d00 bytes_req=99999999999 bytes_alloc=4294967295 gfp_flags=none`,
  );
  assert.deepEqual([huge.bytesReq, huge.bytesAlloc], [0xffffffff, 0xffffffff]);
});

test("a task's name may hold anything", () => {
  const comms = [
    'a-1 [000] 1.0:',
    'x-2',
    'kworker/0:1-mm_p',
    '<...>',
    '<idle>',
    'Web Content',
    '(sd-pam)',
    'ä [001] ö',
    '-',
    '1-2-3',
  ];
  for (const comm of comms) {
    const cut = Buffer.from(comm).subarray(0, 15).toString();
    const padding = ' '.repeat(16 - Buffer.byteLength(cut));
    const { events } = read(
      `${padding}${cut}-77      [002] d.h1.     7.000001: ${FREE.slice(FREE.indexOf('kfree:'))}\n`,
    );
    assert.deepEqual([events[0]?.comm, events[0]?.pid, events[0]?.cpu], [cut, 77, 2]);
  }
  // Padding that was cut off, as text pasted into a mail has it.
  assert.equal(one(GOOD.trim()).comm, 'init');
  assert.equal(one(GOOD.replace('            init', 'a-b c-d')).comm, 'a-b c-d');
});

test('times: seconds with up to nine digits, counts of another clock', () => {
  const at = (time: string) => read(`${GOOD.replace('    3.299851', time)}\n`);
  assert.equal(at('3.299851123').events[0]!.time, 3_299_851_123);
  assert.equal(at('3.5').events[0]!.time, 3_500_000_000);
  assert.equal(at('123456.000001').events[0]!.time, 123_456_000_001_000);
  // Also where the head is known from the line before.
  const fractions = [1, 999_999_999, 123_456_789, 800_000_000];
  const lines = fractions.map((each) => GOOD.replace('    3.299851', `3.${String(each).padStart(9, '0')}`));
  assert.deepEqual(
    read(lines.join('\n')).events.map(({ time }) => time),
    fractions.map((each) => 3e9 + each),
  );
  const counted = at('  81234567890');
  assert.equal(counted.events[0]!.time, 81_234_567_890);
  assert.match(counted.report.notes[0]!, /^times are counts/);
});

test('what was written to trace_marker is kept, byte for byte', () => {
  const mark = (text: string) =>
    one(`            init-1       [001] .....     3.299634: tracing_mark_write: ${text}`);
  assert.equal(mark('hello marker').name, 'hello marker');
  assert.equal(mark('  a=1: [x] ptr=ffff  ').name, '  a=1: [x] ptr=ffff  ');
  assert.equal(mark('größer').name, 'größer');
  assert.deepEqual([mark('').kind, mark('').name], ['mark', '']);
});

test('events that are not read are counted by name; stack traces are comments', () => {
  const head = '            init-1       [001] .....     3.299634: ';
  const { report } = read(
    [
      `${head}sched_switch: prev_comm=init prev_pid=1 ==> next_comm=kfree next_pid=0`,
      `${head}kfree_skb: skbaddr=ffff88 protocol=0 location=x ptr=ffff888100fcaf10`,
      `${head}kfree_skb: skbaddr=ffff89 protocol=0 location=x`,
      FREE,
      `${head}<stack trace>`,
      '##### CPU 1 buffer started ####',
      '\t',
      ' => kfree',
      ' => do_syscall_64',
      `${head}vfs_read <-ksys_read`,
      '',
    ].join('\n'),
  );
  assert.deepEqual(
    [...report.others],
    [
      ['sched_switch', 1],
      ['kfree_skb', 2],
      ['stack trace', 1],
      ['function', 1],
    ],
  );
  assert.deepEqual([report.byKind[2], report.comments, report.damaged], [1, 4, 0]);
  assertAllCounted(report);
});

test('damage is told with its line, its byte and what is wrong', () => {
  const { report } = read(`${GOOD}\n${GOOD.slice(0, 140)}\n`);
  const [cut] = report.damage;
  assert.deepEqual([cut!.line, cut!.offset], [2, GOOD.length + 1]);
  assert.match(cut!.why, /^kmalloc: it has no bytes_alloc=: ' {12}init-1 {7}\[001\] .*…'$/);
  assert.match(
    damage('no event at all'),
    /^expected 'task-pid \[cpu\] flags time: event: …': 'no event at all'$/,
  );
  assert.match(damage(GOOD.replace('bytes_req=64', 'bytes_req=6x')), /a size is no number/);
  assert.match(
    damage(GOOD.replace('ffff888100fcaf10', 'ffff888100fcaf1')),
    /ptr= is no pointer of 8 or 16 digits/,
  );
  assert.match(damage(GOOD.replace('ffff888100fcaf10', 'ffff888100fcaf1g')), /ptr= is no pointer/);
  assert.match(damage(GOOD.replace('ffff888100fcaf10', '(efault)')), /ptr= is no pointer/);
  assert.match(damage(GOOD.replace('node=-1', 'node=x')), /node= is no node/);
  assert.match(damage(GOOD.replace('call_site', 'call-site')), /it has no call_site=/);
  assert.match(damage(GOOD.replace('kmalloc:', 'kmalloc')), /an event's name and a colon/);
  assert.match(damage(GOOD.replace('kmalloc:', 'km\u0001lloc:')), /is no name of an event/);
  assert.match(damage(GOOD.replace('GFP_KERNEL', 'GFP_\0ERNEL')), /a NUL byte/);
  assert.match(damage(GOOD.replace('init', 'i\u0007it')), /control character stands in the task's name/);
  assert.match(
    damage(GOOD.replace('GFP_KERNEL', 'GFP\tKERNEL')),
    /control character stands among its fields/,
  );
  assert.match(damage(GOOD.replace('[001]', '[70000]')), /^expected/);
  assert.match(damage('\x7fELF\x02\x01\x01\0\0\0'), /NUL byte.*'·ELF/);
});

test('a line of more than 64 KiB is damage, however it arrives', () => {
  const long = `${GOOD} ${'x'.repeat(70_000)}`;
  const text = `${GOOD}\n${long}\n${GOOD}\n`;
  for (const piece of [Infinity, 100, 65_536, 200_000]) {
    const { report, events } = readText(createFtraceReader, text, piece);
    assert.deepEqual([events.length, report.damaged, report.lines], [2, 1, 3]);
    assert.equal(report.damage[0]!.offset, GOOD.length + 1);
    assert.match(report.damage[0]!.why, /^a line of more than 64 KiB/);
  }
  // One that just fits is read.
  const fits = `${GOOD} ${'x'.repeat(65_536 - GOOD.length - 1)}`;
  assert.equal(read(`${fits}\n${fits}\n`).events.length, 2);
  assert.equal(read(`${GOOD}\n${fits}x\n`).report.damaged, 1);
  // Without any newline at all, memory stays as it is.
  const { report } = readText(createFtraceReader, `${GOOD}\n${'y'.repeat(1_000_000)}`, 10_000);
  assert.deepEqual([report.lines, report.damaged, report.bytes], [2, 1, GOOD.length + 1_000_001]);
});

test('unknown gfp names are told, in how many events', () => {
  const odd = GOOD.replace('__GFP_ZERO', '__GFP_FUTURE');
  const { report, events } = read(`${odd}\n${GOOD}\n${odd}\n`);
  assert.deepEqual(report.notes, ['2 events have gfp flags that slablab does not know: __GFP_FUTURE']);
  assert.equal(events[0]!.gfp, GFP.KERNEL);
});

test('what cannot be used is refused, with the line and the reason', () => {
  const refusal = (text: string | Uint8Array) => {
    try {
      read(text);
    } catch (error) {
      assert.ok(error instanceof InputError);
      return error.message;
    }
    return assert.fail('it was read');
  };
  assert.match(
    refusal(recorded('sample-ftrace-ptrval-no-entropy.txt')),
    /^trace.txt:15: every pointer is \(____ptrval____\)/,
  );
  assert.match(
    refusal(recorded('sample-ftrace-raw.txt')),
    /^trace.txt:13: was printed with the trace option raw/,
  );
  assert.match(refusal(''), /^trace.txt: is empty$/);
  assert.match(refusal('\n\n'), /^trace.txt: holds no event of ftrace text$/);
  assert.match(
    refusal('hello\n'),
    /^trace.txt:1: is no ftrace text: its only line could not be read: expected/,
  );
  assert.match(
    refusal(recorded('sample-trace-cmd.dat')),
    /^trace.txt:1: is no ftrace text: none of its first \d+ lines/,
  );
  assert.match(
    refusal(new Uint8Array(3_000_000)),
    /its only line could not be read: a line of more than 64 KiB/,
  );
  // The header alone is a trace with nothing in it.
  assert.equal(read('# tracer: nop\n#\n').report.lines, 2);
  // With the header it is ftrace's, though a line was cut off.
  assert.equal(read(`# tracer: nop\n${GOOD.slice(0, 70)}`).report.damaged, 1);
  assert.match(refusal(`# tracer: nop\n${'0 1 2\n'.repeat(2000)}`), /none of its first 1000 lines/);
});

test('a reader that has ended, or refused, takes no more', () => {
  const reader = createFtraceReader('x', { strings: new Strings(), take() {} });
  assert.throws(() => reader.end(), InputError);
  assert.throws(() => reader.write(Buffer.from(GOOD)), /the reader has ended/);
  assert.throws(() => reader.end(), /the reader has ended/);
});
