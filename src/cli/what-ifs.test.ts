import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eachText, readWhatIf } from './what-ifs.js';

test('settings are parted where another one begins, and nowhere else', () => {
  for (const [text, settings] of [
    ['slub_max_order=0', ['slub_max_order=0']],
    ['a.size=8,b.size=16', ['a.size=8', 'b.size=16']],
    [' slub_max_order=0 ,  cpus=2; page_size=64K ', ['slub_max_order=0', 'cpus=2', 'page_size=64K']],
    ['slub_debug=FZ,dentry,filp cpus=2', ['slub_debug=FZ,dentry,filp', 'cpus=2']],
    ['slab_nomerge, cpus=2', ['slab_nomerge', 'cpus=2']],
    ['cpus=2, slab_nomerge', ['cpus=2', 'slab_nomerge']],
    ['cpus=2 slub_debug', ['cpus=2', 'slub_debug']],
    [
      'dentry.flags+=ACCOUNT|PANIC,dentry.flags-=RECLAIM_ACCOUNT',
      ['dentry.flags+=ACCOUNT|PANIC', 'dentry.flags-=RECLAIM_ACCOUNT'],
    ],
    [':A-0000192.cpu_partial=4', [':A-0000192.cpu_partial=4']],
    ['', []],
  ] as const) {
    assert.deepEqual(readWhatIf(text).settings, settings, text);
  }
});

test('a range is for another command', () => {
  assert.throws(() => readWhatIf('cpus=1..4'), {
    name: 'ArgumentError',
    message: /; a range is for 'slablab sweep'$/,
  });
});

test('an option that can be repeated keeps what was given before', () => {
  assert.deepEqual(eachText('b', eachText('a')), ['a', 'b']);
});
