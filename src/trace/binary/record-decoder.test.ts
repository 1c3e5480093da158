import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createBatch, EVENT } from '../batch/events.js';
import { parseKallsyms } from '../batch/kallsyms.js';
import { Strings, utf8 } from '../batch/strings.js';
import { Tally } from '../batch/tally.js';
import { type Spelt, spelt } from '../text/text.case.test.js';
import { ByteWriter, type FieldSpec, formatText } from './byte-writer.case.test.js';
import { parseEventFormat } from './event-format.js';
import { createRecordDecoder, OTHER, UNREADABLE } from './record-decoder.js';

const ID = 300;
const KERNEL = 'GFP_KERNEL';
const FLAGS = `__print_flags(REC->gfp_flags, "|", {(unsigned long)0xcc0u, "${KERNEL}"}, {(unsigned long)0x100u, "__GFP_ZERO"})`;

interface Case {
  readonly system?: string;
  readonly name: string;
  readonly fields: readonly FieldSpec[];
  readonly printFmt?: string;
  /** What follows the common fields. */
  readonly body: Uint8Array;
  readonly kallsyms?: string;
}

/** One record through a decoder of one format. */
function decoded(given: Case) {
  const { system = 'kmem', name, fields, printFmt = '""', body, kallsyms } = given;
  const strings = new Strings();
  const tally = new Tally();
  const format = parseEventFormat(formatText(name, ID, fields, printFmt), system)!;
  const symbols = kallsyms === undefined ? undefined : parseKallsyms(utf8(kallsyms));
  const decoder = createRecordDecoder([format], true, { strings, take: () => {} }, symbols, tally);
  const record = new ByteWriter(true).u16(ID).u8(0).u8(0).u32(42).bytes(body).done();
  const batch = createBatch(1);
  // What stood in the row before must not show.
  for (const column of [
    batch.pointerLow,
    batch.site,
    batch.gfp,
    batch.name,
    batch.order,
    batch.bytesReq,
    batch.accounted,
  ])
    column.fill(7);
  const kind = decoder.decode(new DataView(record.buffer), record, 0, record.length, batch, 0);
  decoder.finish();
  const row: Partial<Spelt> = kind > OTHER ? spelt(batch, 0, strings) : {};
  return { kind, row, why: decoder.why, report: tally.report('', 0) };
}

const OBJECT: readonly FieldSpec[] = [
  ['call_site', 'unsigned long', 8],
  ['ptr', 'const void *', 8],
];
const SIZES: readonly FieldSpec[] = [
  ['bytes_req', 'size_t', 8],
  ['bytes_alloc', 'size_t', 8],
  ['gfp_flags', 'gfp_t', 4],
];

function object(): ByteWriter {
  return new ByteWriter(true).u64(0xffffffff81000010n).u64(0xffff888100abc000n);
}

test('events of kernels up to 6.0: with a node in events of their own, gfp flags of 32 bits, nothing on accounts', () => {
  const body = object().u64(100).u64(128).u32(0xdc0).u32(3).done();
  const { kind, row } = decoded({
    name: 'kmalloc_node',
    fields: [...OBJECT, ...SIZES, ['node', 'int', 4]],
    printFmt: FLAGS,
    body,
  });
  assert.equal(kind, EVENT.KMALLOC);
  assert.deepEqual(
    [row.pointer, row.bytesReq, row.bytesAlloc, row.gfp, row.node, row.accounted, row.pid, row.site],
    ['ffff888100abc000', 100, 128, 0xdc0, 3, 0, 42, '0xffffffff81000010'],
  );
  const plain = decoded({ name: 'kmem_cache_alloc', fields: [...OBJECT, ...SIZES], printFmt: FLAGS, body });
  assert.deepEqual([plain.kind, plain.row.node], [EVENT.CACHE_ALLOC, -1]);
});

test('the cache of a free and of an allocation: a text of any shape, or a pointer that says nothing', () => {
  const shapes: [FieldSpec, Uint8Array, string][] = [
    [
      ['name', '__data_loc char[]', 4],
      object()
        .u32(28 + 7 * 65536)
        .nulText('dentry')
        .done(),
      'dentry',
    ],
    [
      ['name', '__rel_loc char[]', 4],
      object()
        .u32(7 * 65536)
        .nulText('dentry')
        .done(),
      'dentry',
    ],
    [['name', 'char[16]', 16], object().nulText('dentry').bytes(new Uint8Array(9)).done(), 'dentry'],
    [['name', 'char[16]', 16], object().text('0123456789abcdef').done(), '0123456789abcdef'],
    [
      ['name', '__data_loc char[]', 4],
      object()
        .u32(28 + 4 * 65536)
        .text('four')
        .done(),
      'four',
    ],
    [['name', '__data_loc char[]', 4], object().u32(0).done(), ''],
    [['name', 'const char *', 8], object().u64(0xffffffff82001234n).done(), ''],
  ];
  for (const [field, body, name] of shapes) {
    const { kind, row } = decoded({ name: 'kmem_cache_free', fields: [...OBJECT, field], body });
    assert.deepEqual([kind, row.name], [EVENT.CACHE_FREE, name], field.join());
    for (const event of ['kmem_cache_alloc', 'kmem_cache_alloc_node']) {
      const alloc = decoded({ name: event, fields: [...OBJECT, field], body });
      assert.deepEqual([alloc.kind, alloc.row.name], [EVENT.CACHE_ALLOC, name], `${event} ${field.join()}`);
    }
  }
  const beyond = object()
    .u32(28 + 50 * 65536)
    .text('four')
    .done();
  const { kind, why } = decoded({
    name: 'kmem_cache_free',
    fields: [...OBJECT, ['name', '__data_loc char[]', 4]],
    body: beyond,
  });
  assert.deepEqual([kind, why], [UNREADABLE, 'the text of a record of kmem_cache_free lies beyond its end']);
});

test('a page allocation that failed', () => {
  const none = 'ffffffffffffffff';
  const fields = (bytes: number): FieldSpec[] => [
    ['pfn', 'unsigned long', bytes],
    ['order', 'unsigned int', 4],
  ];
  const wide = new ByteWriter(true).u64(-1).u32(9).done();
  assert.deepEqual(decoded({ name: 'mm_page_alloc', fields: fields(8), body: wide }).row.pointer, none);
  const narrow = new ByteWriter(true).u32(0xffffffff).u32(9).done();
  assert.deepEqual(decoded({ name: 'mm_page_alloc', fields: fields(4), body: narrow }).row.pointer, none);
  // An object may lie anywhere.
  const last: FieldSpec[] = [['ptr', 'const void *', 4]];
  assert.equal(decoded({ name: 'kfree', fields: last, body: narrow }).row.pointer, '00000000ffffffff');
});

test('what cannot be read is said', () => {
  const short = decoded({ name: 'kfree', fields: OBJECT, body: new Uint8Array(10) });
  assert.deepEqual(
    [short.kind, short.why],
    [UNREADABLE, 'a record of kfree has 18 bytes, its format says at least 24'],
  );
  const lacking = decoded({
    name: 'kfree',
    fields: [['call_site', 'unsigned long', 8]],
    body: new Uint8Array(16),
  });
  assert.equal(lacking.kind, OTHER);
  assert.deepEqual([...lacking.report.others], [['kfree', 1]]);
  assert.match(lacking.report.notes[0]!, /^The format of kfree lacks fields that it needs/);
  const odd = decoded({ name: 'kfree', fields: [['ptr', 'short', 2]], body: new Uint8Array(16) });
  assert.match(odd.report.notes[0]!, /^The format of kfree .* odd sizes/);
});

test('gfp flags without names, or with names that are gone, are said', () => {
  const body = object().u64(100).u64(128).u32(0x1dc0).done();
  const unnamed = decoded({ name: 'kmalloc', fields: [...OBJECT, ...SIZES], body });
  assert.equal(unnamed.row.gfp, 0x1dc0);
  assert.match(
    unnamed.report.notes[0]!,
    /^The format of kmalloc does not name its gfp flags: their bits are taken as Linux 6\.1 numbers them\.$/,
  );
  const gone = '__print_flags(REC->gfp_flags, "|", {0xdc0u, "GFP_KERNEL"}, {0x1000u, "__GFP_COLD"})';
  const { row, report } = decoded({ name: 'kmalloc', fields: [...OBJECT, ...SIZES], body, printFmt: gone });
  assert.equal(row.gfp, 0xcc0);
  assert.deepEqual(report.notes, ['gfp flags that Linux 6.1 does not have are left out: __GFP_COLD.']);
});

test('accounts: from a field, from the flags, or never', () => {
  const allocation = (printFmt: string, gfp: number) =>
    decoded({
      name: 'kmalloc',
      fields: [...OBJECT, ...SIZES],
      printFmt,
      body: object().u64(1).u64(8).u32(gfp).done(),
    }).row.accounted;
  const computed = (first: number) =>
    `"accounted=%s", (${first} && (REC->gfp_flags & ( unsigned long)(( gfp_t)0x400000u))) ? "true" : "false"`;
  assert.deepEqual([allocation(computed(1), 0x400cc0), allocation(computed(1), 0xcc0)], [2, 1]);
  assert.deepEqual([allocation(computed(0), 0x400cc0), allocation('""', 0x400cc0)], [1, 0]);
});

test('names of call sites', () => {
  const kallsyms = 'ffffffff81000000 T kvfree\nffffffff81000020 t next\t[ext4]\n';
  assert.equal(
    decoded({ name: 'kfree', fields: OBJECT, body: object().done(), kallsyms }).row.site,
    'kvfree+0x10',
  );
});
