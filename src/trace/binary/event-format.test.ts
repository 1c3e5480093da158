import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { formatGfp, GFP_KNOWN_BITS, parseGfp } from '../../machine/index.js';
import { createGfpTranslator, gfpNames, parseEventFormat, parseFields } from './event-format.js';

/** The kernel's own files of the kmem events, Linux 6.1 on x86_64. */
const RECORDED = gunzipSync(
  readFileSync(new URL('../../../truth/traces/event-formats-6.1.txt.gz', import.meta.url)),
)
  .toString()
  .split(/(?=^name: )/m);
const formats = new Map(RECORDED.map((text) => parseEventFormat(text, 'kmem')!).map((f) => [f.name, f]));

function printed(...flags: string[]): string {
  return `"gfp_flags=%s", (REC->gfp_flags) ? __print_flags(REC->gfp_flags, "|", ${flags.join(', ')} ) : "none"`;
}

test('the recorded formats are read', () => {
  assert.equal(formats.size, 11);
  const kmalloc = formats.get('kmalloc')!;
  assert.equal(kmalloc.id, 253);
  assert.equal(kmalloc.system, 'kmem');
  assert.deepEqual(
    [...kmalloc.fields.values()].map((f) => [f.name, f.type, f.offset, f.size, f.signed]),
    [
      ['common_type', 'unsigned short', 0, 2, false],
      ['common_flags', 'unsigned char', 2, 1, false],
      ['common_preempt_count', 'unsigned char', 3, 1, false],
      ['common_pid', 'int', 4, 4, true],
      ['call_site', 'unsigned long', 8, 8, false],
      ['ptr', 'const void *', 16, 8, false],
      ['bytes_req', 'size_t', 24, 8, false],
      ['bytes_alloc', 'size_t', 32, 8, false],
      ['gfp_flags', 'unsigned long', 40, 8, false],
      ['node', 'int', 48, 4, true],
    ],
  );
  assert.equal(formats.get('kmem_cache_free')!.fields.get('name')!.shape, 'data_loc');
});

test('shapes of fields are told apart', () => {
  const format = parseEventFormat(
    [
      'name: made_up',
      'ID: 7',
      'format:',
      '\tfield:char comm[16];\toffset:8;\tsize:16;\tsigned:0;',
      '\tfield:__rel_loc char[] path;\toffset:24;\tsize:4;\tsigned:0;',
      '\tfield:__data_loc char[] name;\toffset:28;\tsize:4;',
      '\tfield:const char * raw;\toffset:32;\tsize:8;\tsigned:0;',
      `\tfield:int ${'long'.repeat(400)};\toffset:40;\tsize:4;\tsigned:1;`,
      'print fmt: "field:int hidden;\toffset:1;\tsize:1;"',
    ].join('\n'),
    'made',
  )!;
  assert.deepEqual(
    [...format.fields.values()].map((f) => [f.name, f.shape, f.offset, f.size]),
    [
      ['comm', 'array', 8, 16],
      ['path', 'rel_loc', 24, 4],
      ['name', 'data_loc', 28, 4],
      ['raw', 'value', 32, 8],
    ],
  );
  assert.equal(parseEventFormat('ID: 3\nformat:\n', 'made'), undefined);
  assert.equal(parseEventFormat(`name: x\nID: 3\n${'y'.repeat(1 << 20)}`, 'made'), undefined);
});

test('the recorded names have the values that 6.1 gives them', () => {
  for (const event of ['kmalloc', 'kmem_cache_alloc', 'mm_page_alloc']) {
    const names = gfpNames(formats.get(event)!.printFmt);
    assert.equal(names.length, 36, event);
    for (const [bits, name] of names) assert.equal(bits, parseGfp(name), name);
  }
  assert.deepEqual(gfpNames(formats.get('kfree')!.printFmt), []);
});

test('bits of 6.1 stay as they are', () => {
  const translate = createGfpTranslator(gfpNames(formats.get('kmalloc')!.printFmt));
  fc.assert(
    fc.property(fc.integer({ min: 0, max: GFP_KNOWN_BITS }), (bits) => assert.equal(translate(bits), bits)),
    { seed: 7301, numRuns: 2000 },
  );
  assert.equal(translate.unknown.size, 0);
});

test("another kernel's bits become those of 6.1, name by name", () => {
  // Some of 4.20's numbers: it had other bits for most flags, and names that are gone.
  const names = gfpNames(
    printed(
      '{(unsigned long)(((( gfp_t)(0x200000u|0x400000u)) | (( gfp_t)0x40u) | (( gfp_t)0x80u))), "GFP_KERNEL"}',
      '{(unsigned long)((( gfp_t)0x20u)|(( gfp_t)0x80000u)|(( gfp_t)0x400000u)), "GFP_ATOMIC"}',
      '{(unsigned long)(( gfp_t)0x8000u), "__GFP_ZERO"}',
      '{(unsigned long)(( gfp_t)0x200u), "__GFP_NOWARN"}',
      '{(unsigned long)(( gfp_t)0x800000u), "__GFP_NOTRACK"}',
      '{(unsigned long)(( gfp_t)0), "__GFP_NOTHING"}',
    ),
  );
  const translate = createGfpTranslator(names);
  assert.equal(formatGfp(translate(0x6000c0 | 0x8000)), 'GFP_KERNEL|__GFP_ZERO');
  assert.equal(formatGfp(translate(0x480020 | 0x200)), 'GFP_ATOMIC|__GFP_NOWARN');
  assert.equal(translate(0), 0);
  assert.deepEqual([...translate.unknown], []);
  assert.equal(formatGfp(translate(0x6000c0 | 0x800000)), 'GFP_KERNEL');
  assert.deepEqual([...translate.unknown], ['__GFP_NOTRACK']);
  // What no name stands for stays: the kernel prints it in hexadecimal.
  assert.equal(translate(0x6000c0 | 0x1000000), parseGfp('GFP_KERNEL') | 0x1000000);
});

test('bits that a format names without their value are those of 6.1', () => {
  const bit = (name: string) => `(( gfp_t)((((1UL))) << (___GFP_${name}_BIT)))`;
  const names = gfpNames(
    printed(
      `{( unsigned long)(((${bit('DIRECT_RECLAIM')}|${bit('KSWAPD_RECLAIM')}) | ${bit('IO')} | ${bit('FS')})), "GFP_KERNEL"}`,
      `{( unsigned long)${bit('ACCOUNT')}, "__GFP_ACCOUNT"}`,
      `{( unsigned long)${bit('NEVER_HEARD_OF')}, "__GFP_NEVER_HEARD_OF"}`,
    ),
  );
  assert.deepEqual(names, [
    [0xcc0, 'GFP_KERNEL'],
    [0x400000, '__GFP_ACCOUNT'],
  ]);
});

test('constants of C are computed as C does', () => {
  const value = (text: string) => gfpNames(printed(`{${text}, "X"}`))[0]?.[0];
  assert.equal(value('1 | 2 & 2 << 1'), 1);
  assert.equal(value('(1 | 6) & ~2'), 5);
  assert.equal(value('1 << 2 + 1'), 8);
  assert.equal(value('0x80000000u'), 0x80000000);
  assert.equal(value('( unsigned long)~0'), 0xffffffff);
  assert.equal(value('-(1)'), 0xffffffff);
  assert.equal(value('unknown | 1'), undefined);
  assert.equal(value('~unknown'), undefined);
  assert.equal(value('(1'), undefined);
  assert.equal(value('1 1'), undefined);
  assert.equal(value('1 @ 1'), undefined);
  assert.equal(value(''), undefined);
  assert.equal(value(`${'('.repeat(50_000)}1`), undefined);
  assert.equal(value(`${'~'.repeat(50_000)}1`), undefined);
  assert.equal(value(`${'(int)'.repeat(50_000)}1`), undefined);
});

test('any text is a format or none, and ends', () => {
  const piece = fc.constantFrom(
    'name: x\n',
    'ID: 1\n',
    '\tfield:',
    'int a',
    '[4]',
    ';\toffset:4;',
    '\tsize:4;',
    '\tsigned:1;\n',
    'print fmt: ',
    '__print_flags(REC->gfp_flags, "|", ',
    '{',
    '}',
    '(',
    '~1',
    '"GFP_X"',
    ', ',
    '\n',
  );
  fc.assert(
    fc.property(fc.array(fc.oneof(piece, fc.string({ maxLength: 8 })), { maxLength: 60 }), (pieces) => {
      const format = parseEventFormat(pieces.join(''), 's');
      if (format === undefined) return;
      assert.ok(Number.isInteger(format.id));
      for (const field of format.fields.values()) assert.ok(field.size >= 0 && field.offset >= 0);
      for (const [bits] of gfpNames(format.printFmt)) assert.ok(bits >= 0 && bits <= 0xffffffff);
    }),
    { seed: 7302, numRuns: 1000 },
  );
});

/** Declarations as an expression tells them, which takes quadratic time. */
const DECLARATION = /^(.*?)([A-Za-z_]\w*)\s*(\[[^\]]*\])?$/;

test('a declaration is taken apart as the plainest expression does, whatever it is', () => {
  const part = fc.constantFrom(
    'int',
    'const char *',
    ' ',
    '  ',
    'a',
    '_b1',
    '9',
    '*',
    '[',
    ']',
    '[16]',
    'u8 x',
    'é',
    ':',
  );
  fc.assert(
    fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
      const text = parts.join('').trim();
      const fields = [...parseFields(`\tfield:${text};\toffset:8;\tsize:4;\tsigned:1;\n`).values()];
      const [, before, name, array] = DECLARATION.exec(text) ?? [];
      // Brackets in brackets are in no declaration of C: any answer will do.
      if (/\[[^\]]*\[/.test(text)) return;
      if (name === undefined) return assert.deepEqual(fields, []);
      const isArray = array !== undefined;
      assert.deepEqual(
        fields.map(({ name, type, shape, offset, size, signed }) => [
          name,
          type,
          shape,
          offset,
          size,
          signed,
        ]),
        [[name, before!.trim(), isArray ? 'array' : 'value', 8, 4, true]],
      );
    }),
    { seed: 7303, numRuns: 300, examples: [[['int', '[16]', ']']]] },
  );
});

test('formats that were made to hurt are read line by line, each once', () => {
  // A quadratic expression takes minutes for it.
  const hostile = [
    `\tfield:${'a'.repeat(950)}!;\toffset:8;\tsize:4;\tsigned:0;`,
    `\tfield:${'a '.repeat(475)}!;\toffset:8;\tsize:4;\tsigned:0;`,
    `\tfield:${'a['.repeat(475)};\toffset:8;\tsize:4;\tsigned:0;`,
    `\tfield:${' '.repeat(950)};\toffset:8;`,
    `\tfield:x;${'\toffset:'.repeat(100)}`,
  ];
  const good = '\tfield:int x;\toffset:8;\tsize:4;\tsigned:1;\n';
  for (const line of hostile) {
    const text = `name: f\nID: 7\nformat:\n${`${line}\n`.repeat(1000)}${good}\nprint fmt: "x"\n`;
    for (let i = 0; i < 30; i++) {
      const format = parseEventFormat(text, 'kmem')!;
      assert.deepEqual([...format.fields.keys()].at(-1), 'x');
      assert.deepEqual([format.id, format.printFmt], [7, '"x"\n']);
    }
  }
  const blanks = `(${'1|'.repeat(100_000)}1)${' '.repeat(300_000)}`;
  const flags = `__print_flags(REC->gfp_flags, "|", {${blanks}, "A"}, {2, "B"})`;
  assert.deepEqual(gfpNames(flags).at(-1), [2, 'B']);
});
