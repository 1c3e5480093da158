import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eachText, readWhatIf } from './what-ifs.js';

test('a range is for another command', () => {
  assert.throws(() => readWhatIf('cpus=1..4'), {
    name: 'ArgumentError',
    message: /; a range is for 'slablab sweep'$/,
  });
});

test('an option that can be repeated keeps what was given before', () => {
  assert.deepEqual(eachText('b', eachText('a')), ['a', 'b']);
});
