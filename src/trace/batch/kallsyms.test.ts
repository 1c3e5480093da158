import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { addressText, parseKallsyms } from './kallsyms.js';
import { utf8 } from './strings.js';

interface Line {
  readonly address: bigint;
  readonly type: string;
  readonly name: string;
  readonly module: string;
}

function textOf(lines: readonly Line[]): string {
  return lines
    .map(({ address, type, name, module }) => {
      const hex = address.toString(16).padStart(16, '0');
      return `${hex} ${type} ${name}${module === '' ? '' : `\t[${module}]`}\n`;
    })
    .join('');
}

function nameOf(text: string, address: bigint): string | undefined {
  return parseKallsyms(utf8(text)).nameOf(Number(address & 0xffffffffn), Number(address >> 32n));
}

/** The rule on a list: the last address that is not above, and of its lines the first. */
function modelled(lines: readonly Line[], address: bigint): string | undefined {
  const signed = (value: bigint) => BigInt.asIntN(64, value);
  const places = lines.filter(
    ({ type, name, address: at }) => at !== 0n && !/^a$/i.test(type) && !name.startsWith('$'),
  );
  let best: Line | undefined;
  for (const line of places) {
    if (signed(line.address) > signed(address)) continue;
    if (best === undefined || signed(line.address) > signed(best.address)) best = line;
  }
  if (best === undefined || signed(address) - signed(best.address) >= 1n << 20n) return undefined;
  return `${best.name}+0x${(address - best.address).toString(16)}${best.module === '' ? '' : ` [${best.module}]`}`;
}

test('any table and any address', () => {
  const address = fc.oneof(
    fc.bigInt({ min: 0xffffffff81000000n, max: 0xffffffff81000100n }),
    fc.bigInt({ min: 0xffffffffc0000000n, max: 0xffffffffc0400000n }),
    fc.bigInt({ min: 0xc0000000n, max: 0xc0000040n }),
    fc.constant(0n),
  );
  const line = fc.record({
    address,
    type: fc.constantFrom('T', 't', 'W', 'd', 'A', 'a', 'b'),
    name: fc.constantFrom('foo', 'bar.constprop.0', '__x64_sys_read', '$a', 'f'),
    module: fc.constantFrom('', '', 'ext4'),
  });
  fc.assert(
    fc.property(
      fc.array(line, { maxLength: 30 }),
      fc.array(address, { minLength: 1, maxLength: 10 }),
      (lines, wanted) => {
        const symbols = parseKallsyms(utf8(textOf(lines)));
        for (const at of wanted) {
          const got = symbols.nameOf(Number(at & 0xffffffffn), Number(at >> 32n));
          assert.equal(got, modelled(lines, at));
        }
      },
    ),
    { seed: 7311, numRuns: 1000 },
  );
});

test('a table without a last newline, with other lines in it, or without addresses', () => {
  const text = 'garbage\nffffffff81000000 T foo\n\nzz T bar\nffffffff81000010 T bar\tx';
  assert.equal(nameOf(text, 0xffffffff81000004n), 'foo+0x4');
  assert.equal(nameOf(text, 0xffffffff81000011n), 'bar+0x1 x');
  assert.equal(parseKallsyms(utf8('0000000000000000 T foo\n0000000000000000 t bar\n')).count, 0);
  assert.equal(parseKallsyms(utf8('')).count, 0);
  assert.equal(parseKallsyms(utf8('ffffffff81000000')).count, 0);
  assert.equal(parseKallsyms(utf8('ffffffff81000000 T ')).count, 0);
  assert.equal(parseKallsyms(utf8('1ffffffff81000000 T foo\n')).count, 0);
});

test('addresses of 32 and of 64 bits as text', () => {
  assert.equal(addressText(0xc0100000, 0), '0xc0100000');
  assert.equal(addressText(0x01234567, 0xffffffff), '0xffffffff01234567');
  assert.equal(addressText(0, 0), '0x0');
});
