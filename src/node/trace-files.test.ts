import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import {
  closeSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';

import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { InputError } from '../base/index.js';
import { TRACE_COLUMNS, type Trace, type TraceProgress } from '../trace/index.js';
import { withOutput } from './output.js';
import { FileBytes } from './spool.js';
import { convertTrace, type OpenTraceOptions, openTrace } from './trace-files.js';

const TRACES = fileURLToPath(new URL('../../truth/traces/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'slablab-traces-'));
const temps = join(folder, 'temps');
mkdirSync(temps);
process.env.TMPDIR = temps;
after(() => rmSync(folder, { recursive: true, force: true }));

function file(name: string, bytes: Uint8Array | string): string {
  writeFileSync(join(folder, name), bytes);
  return join(folder, name);
}

const recorded = (name: string) => readFileSync(join(TRACES, name));
const PERF_TEXT = gunzipSync(recorded('sample-perf-script.txt.gz'));
/** More lines than a chunk has rows, each an event, and no more than are needed. */
const BOOT_EVENTS = 80_000;
const BOOT_TEXT = firstEvents(gunzipSync(recorded('boot-find-public.txt.gz')), BOOT_EVENTS);
const DAT = gunzipSync(recorded('sample-trace-cmd.dat.gz'));

function firstEvents(text: Buffer, events: number): Buffer {
  let end = 0;
  for (let seen = 0; seen < events; ) {
    if (text[end] !== '#'.charCodeAt(0)) seen++;
    end = text.indexOf('\n', end) + 1;
  }
  return text.subarray(0, end);
}

/** Everything that a replay could see of a trace; of its columns a digest. */
function contents(trace: Trace) {
  const rows = TRACE_COLUMNS.map((column) => {
    const digest = createHash('sha1');
    for (const chunk of trace.chunks([column])) digest.update(chunk[column].subarray(0, chunk.rows));
    return digest.digest('hex');
  });
  const texts = Array.from({ length: trace.strings.count }, (_, id) => trace.strings.text(id));
  const { rows: count, slots, cpus, classes, marks, report } = trace;
  return { rows, texts, count, slots, cpus, classes, marks, report };
}

async function opened(path: string, options?: OpenTraceOptions) {
  const { trace, close, packed, spool } = await openTrace(path, options);
  const result = {
    packed,
    spooled: spool !== undefined,
    format: trace.source.read.format,
    contents: contents(trace),
  };
  close();
  assert.deepEqual(readdirSync(temps), [], 'no temporary file is left');
  return result;
}

test('a text is the same trace however it is packed', async () => {
  const plain = await opened(file('perf.txt', PERF_TEXT));
  assert.equal(plain.format, 'perf script');
  assert.deepEqual(plain.packed, []);
  for (const [path, packed] of [
    [file('perf.gz', gzipSync(PERF_TEXT)), ['gzip']],
    [
      file(
        'members.gz',
        Buffer.concat([gzipSync(PERF_TEXT.subarray(0, 999)), gzipSync(PERF_TEXT.subarray(999))]),
      ),
      ['gzip'],
    ],
    [file('twice', gzipSync(gzipSync(PERF_TEXT))), ['gzip', 'gzip']],
    [join(TRACES, 'sample-perf-script-1.zst'), ['zstd']],
    [join(TRACES, 'sample-perf-script-19.zst'), ['zstd']],
    [file('both.gz', gzipSync(recorded('sample-perf-script-1.zst'))), ['gzip', 'zstd']],
  ] as const) {
    const again = await opened(path);
    assert.deepEqual(again.packed, packed, path);
    assert.deepEqual(again.contents, plain.contents, path);
  }
});

test('a binary trace is read where it lies, or from a temporary file where it is packed', async () => {
  const plain = await opened(file('trace.dat', DAT));
  assert.match(plain.format, /^trace\.dat version 7$/);
  assert.deepEqual((await opened(file('dat.gz', gzipSync(DAT)))).contents, plain.contents);
  const perf = gunzipSync(recorded('sample-perf.data.gz'));
  assert.deepEqual(
    (await opened(file('perf.data', perf))).contents,
    (await opened(file('perf.data.gz', gzipSync(perf)))).contents,
  );
});

test('rows beyond what memory is to hold are read from a file, and are the same', async () => {
  const path = file('boot.txt', BOOT_TEXT);
  const inMemory = await opened(path);
  assert.equal(inMemory.spooled, false);
  for (const rowsInMemory of [0, 70_000, BOOT_EVENTS - 1]) {
    const spooled = await opened(path, { rowsInMemory });
    assert.equal(spooled.spooled, true, `${rowsInMemory}`);
    assert.deepEqual(spooled.contents, inMemory.contents);
  }
  assert.equal((await opened(path, { rowsInMemory: BOOT_EVENTS })).spooled, false);
});

test('a converted trace is the trace, also when it is packed or converted again', async () => {
  const path = file('mm.dat', gunzipSync(recorded('sample-trace-cmd.dat.gz')));
  const pieces: Uint8Array[] = [];
  const { bytes, head } = await convertTrace(path, (piece) => pieces.push(piece.slice()));
  const slt = Buffer.concat(pieces);
  assert.equal(bytes, slt.length);
  const plain = await opened(path);
  assert.equal(head.rows, plain.contents.count);
  assert.deepEqual((await opened(file('mm.slt', slt))).contents, plain.contents);
  assert.deepEqual((await opened(file('mm.slt.gz', gzipSync(slt)))).contents, plain.contents);
  const again: Uint8Array[] = [];
  await convertTrace(join(folder, 'mm.slt'), (piece) => again.push(piece.slice()));
  assert.deepEqual(Buffer.concat(again), slt);
});

test('progress says how much of the file was read', async () => {
  for (const [path, size] of [
    [file('boot.gz', gzipSync(BOOT_TEXT)), 'packed'],
    [file('p.dat', DAT), 'plain'],
  ] as const) {
    const told: TraceProgress[] = [];
    (await openTrace(path, { onProgress: (progress) => told.push({ ...progress }) })).close();
    assert.ok(told.length > 1, size);
    const last = told.at(-1)!;
    assert.ok(last.bytes <= last.size!);
    if (size === 'packed') {
      assert.equal(last.bytes, readFileSync(path).length);
      assert.ok(told.every((each, i) => i === 0 || each.events >= told[i - 1]!.events));
    }
  }
});

test('what cannot be read is refused with the file, the place and the reason', async () => {
  const noise = Uint8Array.from({ length: 5000 }, (_, i) => (i * 7919 + 13) & 0xff);
  const gz = gzipSync(BOOT_TEXT);
  const zst = recorded('sample-perf-script-19.zst');
  const flipped = Uint8Array.from(gz);
  flipped[gz.length >> 1]! ^= 0x55;
  const slt: Uint8Array[] = [];
  await convertTrace(file('ok.dat', DAT), (piece) => slt.push(piece.slice()));
  const saved = Buffer.concat(slt);
  const spoilt = Uint8Array.from(saved);
  spoilt[saved.length >> 2]! ^= 1;
  for (const [path, message] of [
    [join(folder, 'nowhere.txt'), /nowhere\.txt: no such file$/],
    [folder, /expected a file, but it is a directory$/],
    [file('empty', ''), /empty: is empty$/],
    [file('empty.gz', gzipSync('')), /is empty$/],
    [file('noise', noise), /noise:1: expected one of ftrace text, .*; there stands '/],
    [
      file('cut.gz', gz.subarray(0, gz.length >> 1)),
      /expected gzip data, but it ends in the middle, after \d+ bytes/,
    ],
    [file('flipped.gz', flipped), /flipped\.gz: expected gzip data, but /],
    [
      file('cut.zst', zst.subarray(0, zst.length - 9)),
      /expected zstd data, but it ends in the middle, after \d+ bytes/,
    ],
    [
      file(
        'bomb.gz',
        [1, 2, 3, 4, 5].reduce((bytes) => gzipSync(bytes), PERF_TEXT as Uint8Array),
      ),
      /packed more than 4 times/,
    ],
    [
      file('notes.xz', Buffer.from('\xfd7zXZ\0', 'latin1')),
      /is compressed with xz: unpack it with xz -dc first$/,
    ],
    [
      file('snapshots.json', '{"snapshots": []}\n'),
      /expected a trace, but it is JSON: snapshots are given with --snapshots$/,
    ],
    [file('slabinfo', 'slabinfo - version: 2.1\n'), /it is the text of \/proc\/slabinfo/],
    [file('cut.slt', saved.subarray(0, -1)), /the file was cut off/],
    [file('spoilt.slt', spoilt), /column '\w+' of chunk 0 is damaged/],
    [file('cut.dat', DAT.subarray(0, 5000)), /cut\.dat: byte 5000: expected a section .* it was cut off$/],
    [file('letter.txt', 'Dear kernel,\n\nall is well.\n'), /there stands 'Dear kernel,'$/],
  ] as const) {
    const attempt = async () => void (await opened(path));
    await assert.rejects(
      attempt,
      (error) => error instanceof InputError && message.test(error.message),
      `${path}`,
    );
    assert.deepEqual(readdirSync(temps), [], path);
  }
});

test('a text that was cut off in a line is read, and the line is counted', async () => {
  const { trace, close } = await openTrace(file('cut.txt', PERF_TEXT.subarray(0, PERF_TEXT.length - 40)));
  const { damaged, damage, lines } = trace.source.read;
  assert.equal(damaged, 1);
  assert.equal(damage[0]!.line, lines);
  close();
});

test('a file reads as its bytes, wherever and however much is asked for', () => {
  const bytes = Uint8Array.from({ length: 300_000 }, (_, i) => (i * 31 + (i >> 8)) & 0xff);
  const fd = openSync(file('bytes', bytes), 'r');
  const random = new FileBytes(fd);
  const place = fc.record({
    at: fc.nat(310_000),
    length: fc.oneof(fc.nat(20), fc.nat(70_000), fc.nat(300_000)),
  });
  fc.assert(
    fc.property(fc.array(place, { maxLength: 20 }), (places) => {
      for (const { at, length } of places)
        assert.deepEqual(Buffer.from(random.read(at, length)), Buffer.from(bytes.subarray(at, at + length)));
    }),
    { seed: 11, numRuns: 60 },
  );
  closeSync(fd);
});

test('a written file appears whole or not at all', async () => {
  const path = join(folder, 'out.slt');
  await withOutput(path, (out) => out.write(Buffer.from('whole')));
  assert.equal(readFileSync(path, 'utf8'), 'whole');
  const failing = withOutput(path, (out) => {
    out.write(Buffer.from('half'));
    assert.equal(readFileSync(`${path}.partial`, 'utf8'), 'half');
    throw new InputError('x', 0, 'no');
  });
  await assert.rejects(failing, { message: 'x: no' });
  assert.equal(readFileSync(path, 'utf8'), 'whole');
  assert.equal(readdirSync(folder).filter((name) => name.includes('partial')).length, 0);
  await assert.rejects(
    withOutput(folder, () => {}),
    { message: /but it is a directory$/ },
  );
  await assert.rejects(
    withOutput(join(folder, 'no', 'x'), () => {}),
    { message: /there is no such folder$/ },
  );
});

// ---- Names for addresses -------------------------------------------------------------------------------------------------

const SITES = ['seq_open+0x2a', 'single_open+0x2d', 'ext4_alloc_inode+0x19 [ext4]'] as const;
const ADDRESSES = ['ffffffff811c107a', 'ffffffff811c20ad', 'ffffffffc0201019'] as const;
const SYMBOLS = [
  '0000000000000000 A fixed_percpu_data',
  'ffffffff81000000 T _text',
  'ffffffff811c1050 t seq_open',
  'ffffffff811c2080 T single_open',
  'ffffffffc0201000 t ext4_alloc_inode\t[ext4]',
  '',
].join('\n');

/** Three allocations, each from another call site, as a tool prints them. */
function textWith(head: string, site: (i: number) => string): string {
  const rest = 'ptr=0xffff888100fcaf10 bytes_req=64 bytes_alloc=64 gfp_flags=GFP_KERNEL';
  return ADDRESSES.map((_, i) => `${head}kmalloc: call_site=${site(i)} ${rest}\n`).join('');
}

const ftraceText = (site: (i: number) => string) =>
  `# tracer: nop\n${textWith('            bash-863     [001] .....   100.001000: ', site)}`;

async function sitesOf(path: string, kallsyms: string | undefined) {
  const { trace, close } = await openTrace(path, kallsyms === undefined ? {} : { kallsyms });
  const sites = [...trace.chunks()].flatMap(({ site, rows }) =>
    [...site.subarray(0, rows)].map((id) => trace.strings.text(id)),
  );
  const functions = trace.classes.map(({ site }) => site);
  const { notes } = trace.source.read;
  close();
  return { sites, functions, notes };
}

test('a table of symbols names addresses in texts, and in a .slt made of them', async () => {
  const table = file('kallsyms', SYMBOLS);
  const windows = file('System.map', SYMBOLS.replaceAll('\n', '\r\n').replace('\t', ' '));
  const raw = file(
    'raw.txt',
    ftraceText((i) => `0x${ADDRESSES[i]}`),
  );
  const bare = file(
    'bare.txt',
    ftraceText((i) => ADDRESSES[i]!),
  );
  const fields = file(
    'fields.txt',
    ftraceText((i) => `0x${ADDRESSES[i]} (-1)`),
  );
  const report = file(
    'report.txt',
    `cpus=2\n${textWith('            bash-863     [001]   100.001000: ', (i) => `0x${ADDRESSES[i]}`)}`,
  );
  const perf = file(
    'perf.txt',
    textWith('            bash   863 [001]   100.001000: kmem:', (i) => `0x${ADDRESSES[i]}`),
  );
  const saved = join(folder, 'raw.slt');
  await withOutput(saved, (out) => convertTrace(raw, (bytes) => out.write(bytes)));
  for (const path of [raw, bare, fields, report, perf, saved]) {
    const plain = await sitesOf(path, undefined);
    assert.deepEqual(
      plain.sites,
      ADDRESSES.map((address) => `0x${address}`),
      path,
    );
    for (const symbols of [table, windows]) {
      const { sites, functions, notes } = await sitesOf(path, symbols);
      assert.deepEqual(sites, SITES, path);
      assert.deepEqual(functions, ['seq_open', 'single_open', 'ext4_alloc_inode [ext4]'], path);
      assert.deepEqual(notes, plain.notes);
    }
  }
});

test('a table of symbols names addresses in a trace.dat that has none, and in a perf.data', async () => {
  const dat = gunzipSync(recorded('sample-trace-cmd.dat.gz'));
  const named = await sitesOf(file('named.dat', dat), undefined);
  assert.ok(named.sites.some((site) => site.includes('+0x')));
  // What has a name keeps it, whatever table is given.
  assert.deepEqual((await sitesOf(file('named.dat', dat), file('kallsyms', SYMBOLS))).sites, named.sites);
  const perf = file('sample.perf.data', gunzipSync(recorded('sample-perf.data.gz')));
  const { sites } = await sitesOf(perf, undefined);
  const [address] = sites.filter((site) => site.startsWith('0xffffffff'));
  const start = (BigInt(address!) - 7n).toString(16);
  const { sites: some } = await sitesOf(perf, file('one', `${start} T somebody\n`));
  assert.equal(some[sites.indexOf(address!)], 'somebody+0x7');
});

test('a table that names nothing is refused or told, with the reason', async () => {
  const raw = file(
    'raw.txt',
    ftraceText((i) => `0x${ADDRESSES[i]}`),
  );
  const refusals: [text: string, why: RegExp][] = [
    ['hello, world\n', /hello\.txt:1: expected a table of symbols.*there stands 'hello, world'$/],
    ['', /expected a table of symbols/],
    ['\x7fELF\x02\x01\x01', /expected a table of symbols/],
    [`${SYMBOLS}what is this?\n`, /hello\.txt:6: expected a table of symbols/],
    [SYMBOLS.replace(/^[0-9a-f]{16}/gm, '0'.repeat(16)), /all of its addresses are zero.*kptr_restrict/],
  ];
  for (const [text, why] of refusals) {
    await assert.rejects(
      openTrace(raw, { kallsyms: file('hello.txt', text) }),
      (error) => error instanceof InputError && why.test(error.message),
      text,
    );
  }
  const moved = file(
    'moved',
    SYMBOLS.replaceAll('ffffffff8', 'ffffffffa').replaceAll('ffffffffc', 'ffffffffe'),
  );
  assert.match((await sitesOf(raw, moved)).notes.join(), /names none of the 3 call sites.*\(KASLR\)$/);
  const part = file('part', SYMBOLS.split('\n').slice(0, 3).join('\n'));
  assert.match((await sitesOf(raw, part)).notes.join(), /does not name 1 of the 3 call sites/);
});
