/** Reports from the wild, each with what is right (truth/cases), and others of their kinds. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { InputError } from '../base/index.js';
import { memoryBytes } from './batch/byte-cursor.js';
import { ACCOUNTED, type EventSink, type ReadReport } from './batch/events.js';
import { Strings } from './batch/strings.js';
import { readTraceDat } from './binary/trace-dat.js';
import { createTextTraceReader, detectFormat, type TextFormat } from './file/detect.js';
import { unpack } from './file/unpack.js';
import { type EventSource, readEvents, withKmem } from './read-events.js';
import { nameClasses } from './resolve/classes.js';
import { createResolver, type TraceHead } from './resolve/resolve.js';
import { readText, type Spelt, spelt } from './text/text.case.test.js';

function bytesOf(name: string): Buffer {
  return readFileSync(new URL(`../../truth/cases/${name}`, import.meta.url));
}

function read(text: string | Buffer) {
  const bytes = Buffer.from(text);
  const format = detectFormat('trace.txt', bytes) as TextFormat;
  return readText((file, sink) => createTextTraceReader(format, file, sink), bytes);
}

/** The trace of a text, or of a reader. */
function resolved(from: string | Buffer | ((sink: EventSink) => ReadReport)): {
  head: TraceHead;
  read: ReadReport;
} {
  const resolver = createResolver({ chunk: () => {} });
  const readAll =
    typeof from === 'function'
      ? from
      : (sink: EventSink) => {
          const bytes = Buffer.from(from);
          const reader = createTextTraceReader(detectFormat('t', bytes) as TextFormat, 't', sink);
          reader.write(bytes);
          return reader.end();
        };
  const report = readAll(resolver);
  return { head: resolver.finish(), read: report };
}

function refused(text: string | Buffer, why: RegExp): void {
  assert.throws(
    () => read(text),
    (error) => {
      assert.ok(error instanceof InputError, String(error));
      assert.match(error.message, why);
      return true;
    },
  );
}

const brief = ({ kind, cpu, pid, comm, pointer, bytesReq, bytesAlloc, name }: Spelt) =>
  [kind, cpu, pid, comm, pointer, bytesReq, bytesAlloc, name].join(' ');

// ---- A name in kmem_cache_alloc ----------------------------------------------------------------------------------------

test('name-in-alloc-event: 12 objects of a cache that the events name', () => {
  const { head } = resolved(bytesOf('name-in-alloc-event/alloc-name.txt'));
  assert.deepEqual(
    nameClasses(head.classes, []).map(({ name }) => name),
    ['widget'],
  );
  assert.deepEqual(
    head.classes.map(({ allocs, bytesAlloc }) => [allocs, bytesAlloc]),
    [[12, 640]],
  );
});

// ---- Trace options -----------------------------------------------------------------------------------------------------

test('option-fields: values that stand there twice are read, of allocations and of frees', () => {
  const { events, report } = read(bytesOf('option-fields/fields.txt'));
  const allocs = events.filter(({ kind }) => kind === 'kmem_cache_alloc');
  const frees = events.filter(({ kind }) => kind === 'kmem_cache_free');
  assert.deepEqual([allocs.length, frees.length, report.damaged], [40, 10, 0]);
  for (const each of allocs) {
    assert.deepEqual(
      [each.bytesReq, each.bytesAlloc, each.gfp, each.node, each.accounted],
      [360, 384, 0xcc0, -1, ACCOUNTED.NO],
    );
  }
  assert.equal(frees[0]!.name, 'filp');
});

test('the option fields: each event of objects and of pages', () => {
  const head = '            bash-863     [004] .....   100.001000: ';
  const text = [
    'kmalloc: call_site=0xffffffff92d0250b (-1831852789) ptr=0xffff9e0e80000000 (-107689862496256) bytes_req=0x168 (360)' +
      ' bytes_alloc=0x180 (384) gfp_flags=0xdc0 (3520) node=0x1 (1)',
    'kmalloc: call_site=seq_open+0x2a/0x60 (-1831852789) ptr=0xffff9e0e80000180 bytes_req=0x1ffffffff (8589934591)' +
      ' bytes_alloc=0x0 (0) gfp_flags=0xcc0 (3264) node=0xffffffff (-1)',
    'kfree: call_site=0xffffffff92d0250b (-1831852789) ptr=0xffff9e0e80000000 (-107689862496256)',
    'kmem_cache_alloc: call_site=0xffffffff92d0250b (-1) ptr=0xffff9e0e80000300 (-1) name="filp" bytes_req=0x168 (360)' +
      ' bytes_alloc=0x180 (384) gfp_flags=0xcc0 (3264) node=0xffffffff (-1) accounted=(1)',
    'mm_page_alloc: pfn=0x103eb6 (1064630) order=0x3 (3) gfp_flags=0x52cc0 (339136) migratetype=0x0 (0)',
    'mm_page_free: pfn=0x103eb6 (1064630) order=0x3 (3)',
    'mm_page_free_batched: pfn=0x103eb7 (1064631)',
    'mm_page_alloc_zone_locked: pfn=0x10 (16) order=0x0 (0) migratetype=0x1 (1) percpu_refill=0x1 (1)',
    'mm_page_pcpu_drain: pfn=0x11 (17) order=0x0 (0) migratetype=0x1 (1)',
    'mm_page_alloc_extfrag: pfn=0x12 (18) alloc_order=0x0 (0) fallback_order=0x9 (9) alloc_migratetype=0x0 (0)',
  ]
    .map((line) => `${head}${line}\n`)
    .join('');
  for (const times of [1, 2]) {
    const { events, report } = read(text.repeat(times));
    assert.deepEqual([events.length, report.damaged], [10 * times, 0]);
    assert.deepEqual(events.slice(-10).map(brief), [
      'kmalloc 4 863 bash ffff9e0e80000000 360 384 ',
      'kmalloc 4 863 bash ffff9e0e80000180 4294967295 0 ',
      'kfree 4 863 bash ffff9e0e80000000 0 0 ',
      'kmem_cache_alloc 4 863 bash ffff9e0e80000300 360 384 filp',
      'mm_page_alloc 4 863 bash 0000000000103eb6 0 0 ',
      'mm_page_free 4 863 bash 0000000000103eb6 0 0 ',
      'mm_page_free_batched 4 863 bash 0000000000103eb7 0 0 ',
      'mm_page_alloc_zone_locked 4 863 bash 0000000000000010 0 0 ',
      'mm_page_pcpu_drain 4 863 bash 0000000000000011 0 0 ',
      'mm_page_alloc_extfrag 4 863 bash 0000000000000012 0 0 ',
    ]);
    const [kmalloc, , , named, pages] = events;
    assert.deepEqual([kmalloc!.node, kmalloc!.gfp, named!.accounted], [1, 0xdc0, ACCOUNTED.YES]);
    assert.deepEqual([pages!.order, pages!.gfp], [3, 0x52cc0]);
  }
});

const KFREE = 'kfree: call_site=kvfree+0x24/0x30 ptr=ffff888100fcaf10';
const KMALLOC =
  'kmalloc: call_site=seq_open+0x2a/0x60 ptr=ffff888100fcaf10 bytes_req=64 bytes_alloc=64 gfp_flags=GFP_KERNEL node=-1';

test('trace options and clocks that change how a line begins are read', () => {
  const heads: [head: string, time: number, cpu: number][] = [
    ['            bash-863     [001] .....   100.001000: ', 100_001_000_000, 1],
    ['            bash-863     [001] d..1.   100.001000: ', 100_001_000_000, 1],
    ['            bash-863     (    863) [001] .....   100.001000: ', 100_001_000_000, 1],
    ['            bash-863     (-----) [001] .....   100.001000: ', 100_001_000_000, 1],
    ['            bash-863     [001]   100.001000: ', 100_001_000_000, 1],
    ['           <...>-863     [1001] .....   100.001000: ', 100_001_000_000, 1001],
    ['            bash-863     [001] ..... 100001: ', 100_001, 1],
    ['            bash-863     [001] ..... 297135897231: ', 297_135_897_231, 1],
    ['    bash-863       1d.h..  100us : ', 100_000, 1],
    ['    bash-863       1d.h.. 3337518us!: ', 3_337_518_000, 1],
    [
      '            bash     863   1 0 00000000 00000012 [05f5e100] 100.001ms (+0.002ms): ',
      100_000_000_000,
      1,
    ],
    ['            bash     863   1 0 00000000 [05f5e100] 100.001ms (+0.002ms): ', 100_000_000_000, 1],
    ['      my bash 2     863   1 0 00000000 [05f5e100] 100.001ms (+0.002ms): ', 100_000_000_000, 1],
    ['            bash     863   1 0 00000000 [0000000005f5e100] 77 (+3): ', 100_000_000, 1],
  ];
  for (const [head, time, cpu] of heads) {
    const { events, report } = read(`# tracer: nop\n#\n${`${head}${KMALLOC}\n${head}${KFREE}\n`.repeat(2)}`);
    assert.deepEqual(
      events.map((each) => [each.kind, each.time, each.cpu, each.pid]),
      ['kmalloc', 'kfree', 'kmalloc', 'kfree'].map((kind) => [kind, time, cpu, 863]),
      head,
    );
    assert.equal(report.damaged, 0);
    assert.equal(
      report.notes.some((note) => note.startsWith('times are counts')),
      !head.includes('.0') && !head.includes('us') && !head.includes('ms'),
    );
  }
});

test('trace options that leave out what the events say are refused by their names', () => {
  const tracer = '# tracer: nop\n#\n';
  const texts: [text: string, why: RegExp][] = [
    ['863 1 100001000 type: 253\n'.repeat(4), /option raw/],
    ['0000035f 00000001 000000174876e800 type: 253\n'.repeat(4), /option hex/],
    ['\x5f\x03\0\0\x01\0\0\0\0\xe8\x76\x48\x17\0\0\0type: 253\n'.repeat(4), /option bin/],
    [`${KMALLOC}\n${KFREE}\n`.repeat(4), /option context-info/],
  ];
  for (const [text, why] of texts) {
    refused(Buffer.from(text, 'latin1'), why);
    refused(Buffer.from(tracer + text, 'latin1'), why);
  }
});

test('a text in which all events of a kind cannot be read is refused, whatever else it has', () => {
  const head = '            bash-863     [001] .....   100.001000: ';
  const bad = KMALLOC.replace('bytes_req=64', 'bytes_req=many');
  refused(
    `${`${head}${KFREE}\n`.repeat(20)}${`${head}${bad}\n`.repeat(20)}`,
    /:21: none of its 20 kmalloc events could be read.*a size is no number/,
  );
  // Damage is another thing.
  const { report } = read(`${`${head}${bad}\n`.repeat(20)}${head}${KMALLOC}\n`);
  assert.deepEqual([report.damaged, report.byKind[1]], [20, 1]);
  refused(
    '    perf    64 [001]     8.735033:  kmem:kfree:\n'.repeat(5),
    /none of its 5 kfree events.*call_site/,
  );
});

// ---- Addresses ---------------------------------------------------------------------------------------------------------

test('addresses-of-32-bits: they are no hashes, in text and in a trace.dat', () => {
  const { head, read: report } = resolved(bytesOf('addresses-of-32-bits/arm32.txt'));
  assert.equal(head.report.pointers, 'real');
  assert.deepEqual(report.notes, []);
  const dat = bytesOf('addresses-of-32-bits/arm32.dat');
  const binary = resolved((sink) =>
    readTraceDat(memoryBytes(dat), sink, {
      file: 'arm32.dat',
      zlib: () => assert.fail(),
      zstd: () => assert.fail(),
    }),
  );
  assert.equal(binary.head.report.pointers, 'real');
});

/** `count` allocations at these addresses. */
function allocations(count: number, pointer: (i: number) => string): string {
  const head = '            bash-863     [001] .....   100.001000: ';
  const rest = 'bytes_req=60 bytes_alloc=64 gfp_flags=GFP_KERNEL node=-1 accounted=false';
  const line = (i: number) => `${head}kmalloc: call_site=seq_open+0x2a/0x60 ptr=${pointer(i)} ${rest}\n`;
  return Array.from({ length: count }, (_, i) => line(i)).join('');
}

test('what pointers are is decided by all of them together', () => {
  const hex = (value: number, digits: number) => (value >>> 0).toString(16).padStart(digits, '0');
  const hash = (i: number) => Math.imul(i + 1, 0x9e3779b1);
  const look = (pointer: (i: number) => string, count = 64) => {
    const { head, read: report } = resolved(allocations(count, pointer));
    assert.equal(
      report.notes.some((note) => note.startsWith('pointers are hashed')),
      head.report.pointers === 'hashed',
    );
    return head.report.pointers;
  };
  assert.equal(
    look((i) => hex(0xc1000000 + 64 * i, 8)),
    'real',
    '32 bits',
  );
  assert.equal(
    look((i) => hex(0xc1000000 + 12 * i, 8)),
    'real',
    '32 bits, multiples of four',
  );
  assert.equal(
    look((i) => `0x${hex(0xc1000000 + 64 * i, 8)}`),
    'real',
    '32 bits with 0x',
  );
  assert.equal(
    look((i) => hex(0x12340000 + 64 * i, 16)),
    'real',
    's390: memory is mapped from 0',
  );
  assert.equal(
    look((i) => hex(hash(i), 8)),
    'hashed',
    '32 bits, hashed',
  );
  assert.equal(
    look((i) => hex(hash(i), 16)),
    'hashed',
    '64 bits, hashed',
  );
  assert.equal(
    look((i) => hex(0xc1000000 + 64 * i, 8), 3),
    'unclear',
    'too few to tell',
  );
  for (const high of ['ffff8881', 'c0000000', 'ffe08000', '00000001', 'ffffff80'])
    assert.equal(
      look((i) => high + hex(64 * i, 8)),
      'unclear',
      high,
    );
});

test('a pointer that is none, in all spellings', () => {
  for (const none of ['(null)', '(nil)', '          (null)', '0x0', '0000000000000000', '00000000']) {
    const { head } = resolved(allocations(4, () => none));
    assert.deepEqual([head.report.objects.failed, head.report.objects.allocs], [4, 0], none);
  }
  for (const hidden of ['(____ptrval____)', '(ptrval)', '        (ptrval)'])
    refused(
      allocations(4, () => hidden),
      /ptrval.*no_hash_pointers/,
    );
});

// ---- perf script -------------------------------------------------------------------------------------------------------

test('frame-at-zero: a frame at the address 0 is one', () => {
  const { events, report } = read(bytesOf('frame-at-zero/ppc64.script'));
  assert.deepEqual([events.length, report.damaged], [6, 0]);
});

test('frames of call chains, whatever is known of them, are no damage', () => {
  const event =
    '            perf    64 [001]     8.735033:            kmem:kfree: call_site=kvfree+0x24 ptr=0xffff888100fcaf10';
  const frames = [
    '\tffffffff8115d0d1 kfree+0xa1 ([kernel.kallsyms])',
    '        ffffffff8115d0d1 kfree+0xa1 ([kernel.kallsyms])',
    '               0 [unknown] ([unknown])',
    ' 0 [unknown] ([unknown])',
    '               a [unknown]',
    '            7f31 inner (inlined)',
    '            7f31 std::vector<int, std::allocator<int> >::push_back+0x10 (/usr/lib/x y.so)',
    '        ffffffff8115d0d1',
    '        ffffffff8115d0d1 ',
    '        kfree+0xa1',
    '        kfree+0xa1 ([kernel.kallsyms])',
    '        [unknown] (/tmp/perf-1.map)',
    '  slub.c:4567',
    '  /usr/src/linux/mm/slub.c:4567 (discriminator 2)',
    '  libc.so.6[29d8f]',
    ' 0xffffffff8115d0d1/0xffffffff8115d0a0/P/-/-/0  0xffffffff8115d0d1/0xffffffff8115d0a0/M/-/-/3',
    '',
  ];
  for (const frame of frames) {
    const { events, report } = read(`${event}\n${frame}\n\n${event}\n`);
    assert.deepEqual([events.length, report.damaged, report.lines], [2, 0, 4], frame);
  }
  // A task that is called like an address is none.
  const odd =
    '             abc    64 [001]     8.735033:            kmem:kfree: call_site=kvfree+0x24 ptr=0xffff888100fcaf10';
  const { events } = read(`${odd}\n${odd}\n`);
  assert.deepEqual(
    events.map(({ comm }) => comm),
    ['abc', 'abc'],
  );
});

test('perf script without what each line begins with is refused, and says how to print it', () => {
  const trace = 'kmem:kfree: call_site=kvfree+0x24 ptr=0xffff888100fcaf10\n';
  for (const head of ['', '  perf    64 [001] ', '  perf ', '  8.735033: '])
    refused(`${head}${trace}`.repeat(4), /perf script -F comm,tid,cpu,time,event,trace/);
});

// ---- No kmem event -----------------------------------------------------------------------------------------------------

/** What reading a file says, in pieces of so many bytes. */
async function readFile(bytes: Uint8Array, pieceBytes: number) {
  const strings = new Strings();
  const events: Spelt[] = [];
  async function* pieces() {
    for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
  }
  const unpacked = await unpack('t', pieces(), { gzip: assert.fail, zstd: assert.fail });
  const source: EventSource = {
    ...unpacked,
    file: 't',
    size: bytes.length,
    taken: 0,
    random: () => assert.fail(),
  };
  const report = await readEvents(
    source,
    {
      strings,
      take(batch) {
        for (let i = 0; i < batch.length; i++) events.push(spelt(batch, i, strings));
      },
    },
    { unpackers: { inflate: assert.fail, zstd: assert.fail, createZstd: () => assert.fail() } },
  );
  return { events, report };
}

const tells = (why: RegExp) => (error: unknown) => error instanceof InputError && why.test(error.message);

test('no-kmem-event: said first, with what it holds and how to record it', async () => {
  const sched = bytesOf('no-kmem-event/sched.txt');
  await assert.rejects(
    readFile(sched, 1 << 20),
    tells(
      /no kmem event was recorded in this ftrace text \(it holds other events: sched_switch 1\).*trace-cmd record -e kmem/,
    ),
  );
  await assert.rejects(readFile(Buffer.from('# tracer: nop\n#\n'), 1 << 20), tells(/no kmem event/));
  await assert.rejects(
    readFile(bytesOf('no-kmem-event/systrace.html'), 1 << 20),
    tells(
      /no kmem event was recorded in this systrace HTML, with ftrace text \(it holds other events: sched_switch 1\)/,
    ),
  );
});

test('events of which the format lacks what they are read by are no others', () => {
  const { report } = resolvedReport(['kmalloc', 5], 'The format of kmalloc lacks fields that it needs.');
  assert.throws(() => withKmem('t', report), tells(/none of its 5 kmalloc events could be read/));
  // A probe of that name says nothing of kmem's.
  const probe = resolvedReport(['kmalloc', 5], 'Another note.').report;
  assert.equal(withKmem('t', probe), probe);
});

/** The report of a text with one kfree, and of other events. */
function resolvedReport(other: readonly [string, number], note: string) {
  const { report } = read(`            bash-863     [001] .....   100.001000: ${KFREE}\n`);
  return { report: { ...report, others: new Map([other]), notes: [note] } };
}

test('the trace in a systrace HTML is read, however it arrives', async () => {
  const line = `            bash-863     [001] .....   100.001000: ${KMALLOC}\n`;
  const page = [
    '<!DOCTYPE html>\n<html><head><title>Android System Trace</title>\n<script>var a = "<" + 1;\nvar b = 2;</script></head>',
    '<SCRIPT type="application/text" class="trace-data">{"traceEvents": []}\n</SCRIPT>',
    `<script class="trace-data" type="application/text">\n# tracer: nop\n#\n${line.repeat(3)}x < y\n</script>`,
    `<script class=trace-data>\n# tracer: nop\n${line}</script>\n</body></html>`,
  ].join('\n');
  for (const pieceBytes of [1 << 20, 100, 7, 1]) {
    const { events, report } = await readFile(Buffer.from(page), pieceBytes);
    assert.equal(events.length, 4);
    assert.equal(report.damaged, 1);
    // Lines are those of the page.
    assert.equal(page.split('\n')[report.damage[0]!.line - 1], 'x < y');
    assert.equal(report.lines, page.split('\n').length - 1);
  }
  await assert.rejects(
    readFile(Buffer.from('<html><body>Not found</body></html>'), 10),
    tells(/is an HTML page without a trace/),
  );
});

// ---- Oddities ----------------------------------------------------------------------------------------------------------

test('ftrace: tasks, CPUs and blanks of all kinds', () => {
  const heads: [head: string, comm: string, pid: number, cpu: number][] = [
    ['           <...>-863     [001] .....   100.001000: ', '<...>', 863, 1],
    ['           <...>--1      [001] .....   100.001000: ', '<...>', -1, 1],
    ['          <idle>-0       [1023] d.h2.   100.001000: ', '<idle>', 0, 1023],
    ['          <idle>-0       [10230] d.h2.   100.001000: ', '<idle>', 0, 10230],
    ['            bash-4194303 [001] .....   100.001000: ', 'bash', 4194303, 1],
    ['     Web Content-863     [001] d..1.1.   100.001000: ', 'Web Content', 863, 1],
    ['        (sd-pam)-863     [001] .....   100.001000: ', '(sd-pam)', 863, 1],
    ['    [kworker]-863     [001] .....   100.001000: ', '[kworker]', 863, 1],
    ['  kworker/u8:1-ev-863     [001] .....   100.001000: ', 'kworker/u8:1-ev', 863, 1],
    ['      REC->pid-863     [001] .....   100.001000: ', 'REC->pid', 863, 1],
    ['            bash-863\t[001]\t.....\t100.001000:\t', 'bash', 863, 1],
  ];
  for (const [head, comm, pid, cpu] of heads) {
    const { events, report } = read(`# tracer: nop\n${`${head}${KFREE}\n`.repeat(2)}`);
    assert.equal(report.damaged, 0, head);
    for (const each of events)
      assert.deepEqual([each.kind, each.comm, each.pid, each.cpu], ['kfree', comm, pid, cpu], head);
    assert.equal(events.length, 2);
  }
});

test('ftrace: several texts in one file, each with its header, and all spellings of a loss', () => {
  const line = `            bash-863     [001] .....   100.001000: ${KFREE}\n`;
  const header = '# tracer: nop\n#\n# entries-in-buffer/entries-written: 1/3   #P:2\n#\n';
  const losses = [
    'CPU:3 [LOST 12 EVENTS]',
    'CPU:3 [LOST EVENTS]',
    'CPU:3 [12 EVENTS DROPPED]',
    'CPU:3 [EVENTS DROPPED]',
    '##### CPU 2 buffer started ####',
  ];
  const { events, report } = read(`\ufeff${header}${line}${header}${line}${losses.join('\n')}\n\n${line}`);
  assert.deepEqual(
    events.map(({ kind }) => kind),
    ['kfree', 'kfree', 'lost', 'lost', 'lost', 'lost', 'kfree'],
  );
  assert.deepEqual([report.damaged, report.lost], [0, 2 + 2 + 12 + 12]);
});

test('perf script: whatever -F and --ns print before an event, and records of other kinds', () => {
  const kfree = 'kmem:kfree: call_site=kvfree+0x24 ptr=0xffff888100fcaf10';
  const heads: [head: string, comm: string, pid: number, cpu: number, time: number][] = [
    ['            perf    64 [001]     8.735033123: ', 'perf', 64, 1, 8_735_033_123],
    ['            perf    64     8.735033: ', 'perf', 64, 0, 8_735_033_000],
    ['            perf    64/65    [001]     8.735033: ', 'perf', 65, 1, 8_735_033_000],
    ['            perf    64 [001] d..1.     8.735033: ', 'perf', 64, 1, 8_735_033_000],
    ['            perf    64 [001]     8.735033:          1 ', 'perf', 64, 1, 8_735_033_000],
    ['         swapper     0 [1023]     8.735033: ', 'swapper', 0, 1023, 8_735_033_000],
    ['             :-1    -1 [001]     8.735033: ', ':-1', -1, 1, 8_735_033_000],
    ['     Web Content  2310 [003]     8.735033: ', 'Web Content', 2310, 3, 8_735_033_000],
    ['        (sd-pam)  2310 [003]     8.735033: ', '(sd-pam)', 2310, 3, 8_735_033_000],
  ];
  for (const [head, comm, pid, cpu, time] of heads) {
    const { events, report } = read(`${head}${kfree}\n`.repeat(2));
    assert.equal(report.damaged, 0, head);
    for (const each of events)
      assert.deepEqual(
        [each.kind, each.comm, each.pid, each.cpu, each.time],
        ['kfree', comm, pid, cpu, time],
      );
    assert.equal(events.length, 2);
  }
  const [head] = heads[1]!;
  const records = [
    'MMAP2 64/64: [0x55(0x1) @ 0 fd:00 1 1]: r-xp /x',
    'COMM exec: perf:64/64',
    'FORK(1:1):(1:1)',
    'SWITCH OUT',
  ];
  const { report } = read(
    `${head}${kfree}\n${records.map((each) => `${head}PERF_RECORD_${each}\n`).join('')}`,
  );
  assert.deepEqual(
    [report.damaged, [...report.others.keys()]],
    [0, ['PERF_RECORD_MMAP2', 'PERF_RECORD_COMM', 'PERF_RECORD_FORK', 'PERF_RECORD_SWITCH']],
  );
});
