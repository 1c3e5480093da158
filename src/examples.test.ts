/** Every program in examples/, each in a process of its own: it ends by itself, finds nothing wrong, and prints what it should. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const EXAMPLES = fileURLToPath(new URL('../examples/', import.meta.url));
const LINES_MAX = 120;
/** They take a second; a machine that is busy with other tests may need more. */
const PATIENCE_MS = 30_000;

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function run(file: string): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [`${EXAMPLES}${file}`], { timeout: PATIENCE_MS });
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      err += text;
    });
    child.on('error', reject).on('close', (code) => resolve({ code, out, err }));
  });
}

/** The numbers that a pattern captures, which has to match the whole output. */
function numbersIn(out: string, pattern: RegExp): number[] {
  const match = pattern.exec(out);
  assert.ok(match, `the output is not what ${pattern} says:\n${out}`);
  return match.slice(1).map(Number);
}

/** By file: what is to be seen in its output. */
const EXPECTED: Readonly<Record<string, (out: string) => void>> = {
  'particles.mjs'(out) {
    const [born, moved, died, abroad] = numbersIn(
      out,
      /^4 Workers moved (\d+) .*\n(\d+) times .*\n(\d+) freed, (\d+) of them by a Worker .*\n0 live, the machine is valid\n$/,
    );
    assert.equal(born, 4 * 80 * 250);
    assert.equal(died, born);
    assert.ok(moved! > abroad! && abroad! > 0, `${abroad} freed abroad, ${moved} moves`);
  },
  'queue.mjs'(out) {
    const [received, wrong] = numbersIn(
      out,
      /^(\d+) messages of 3 producers, (\d+) out of order or damaged\nat most [\d.]+ [KM]iB held .*\n0 nodes live, the machine is valid\n$/,
    );
    assert.deepEqual([received, wrong], [3 * 60_000, 0]);
  },
  'wasm.mjs'(out) {
    const [kept, , sum, seen, freed] = numbersIn(
      out,
      new RegExp(
        '^the module keeps (\\d+) numbers in (\\d+) slabs; their sum is (\\d+)\\n.* comes to (\\d+)\\n' +
          'the module freed (\\d+); 0 are live\\nfreed again: BadFreeError: .*\\nthe machine is valid\\n$',
      ),
    );
    assert.deepEqual([kept, freed], [100_000, 100_000]);
    assert.deepEqual([sum, seen], [5000050000 % 2 ** 32, 5000050000 % 2 ** 32]);
  },
  'gpu-buffer.mjs'(out) {
    const [handedOut, live, ratio] = numbersIn(
      out,
      new RegExp(
        '^(\\d+) parts were handed out, (\\d+) are live: .*\\nheld for them: .*, ([\\d.]+) × .*\\n' +
          '0 misaligned, 0 overlap, 0 staging .*\\nall freed: 0 live, the machine is valid\\n$',
      ),
    );
    assert.deepEqual([handedOut, live], [400 * 40 * 3 + 100, 9000]);
    assert.ok(ratio! >= 1 && ratio! < 1.5, `${ratio} × what was asked for is held`);
  },
};

test('each example is expected here, and each that is expected is there', () => {
  const files = readdirSync(EXAMPLES).filter((file) => file.endsWith('.mjs'));
  assert.deepEqual(files.sort(), Object.keys(EXPECTED).sort());
});

for (const [file, check] of Object.entries(EXPECTED)) {
  test(`examples/${file} runs, and ends well`, async () => {
    const { code, out, err } = await run(file);
    assert.equal(err, '');
    assert.equal(code, 0, out);
    check(out);
  });

  test(`examples/${file} is short, and says how it is run`, () => {
    const text = readFileSync(`${EXAMPLES}${file}`, 'utf8');
    assert.ok(text.split('\n').length - 1 <= LINES_MAX, `more than ${LINES_MAX} lines`);
    assert.ok(text.includes(`//     node examples/${file}\n`));
    assert.ok(text.includes("from 'slablab'"));
    assert.ok(text.includes("machine.validate('full')"));
  });
}
