import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readWhatIf } from './text.js';

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
    ['cpus=2, sheaves', ['cpus=2', 'sheaves']],
    ['sheaves slab_nomerge', ['sheaves', 'slab_nomerge']],
    [':A-0000192.cpu_partial=4', [':A-0000192.cpu_partial=4']],
    ['', []],
  ] as const) {
    assert.deepEqual(readWhatIf(text).settings, settings, text);
  }
});
