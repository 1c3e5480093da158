/**
 * The engine's sheaves against the plain model of Linux 7.3: fresh random operations, all that a recording tells compared. The recorded
 * sequences themselves are in recordings.test.ts. The long run is
 *
 *     SEQUENCES=500 OPERATIONS=2000 SEED=1 node tools/test.mjs truth/sheaves-7.3
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { verifyRecording } from '#lab';
import { randomSequence, type SequenceFile } from './record-7.3.case.test.js';
import { recording } from './sets.js';

const asked = (name: string, usual: number) => Number(process.env[name] ?? usual);
const SEQUENCES = asked('SEQUENCES', 4);
const OPERATIONS = asked('OPERATIONS', 400);
const SEED = asked('SEED', Math.floor(Math.random() * 2 ** 30));

for (const name of ['seq-slub-sheaves-public', 'seq-slub-debug-public', 'seq-slub-sheaves-debian-public']) {
  test(`${name}: random operations are answered as the plain model answers them`, () => {
    const file = recording(`7.3/${name}`) as unknown as SequenceFile;
    for (let i = 0; i < SEQUENCES; i++) {
      const seed = SEED + i;
      const [result] = verifyRecording(
        { ...file, sequences: [randomSequence(file, seed, OPERATIONS)] },
        'random',
      );
      assert.equal(result!.total, 1);
      assert.deepEqual(result!.disagreements, [], `seed ${seed}`);
    }
  });
}
