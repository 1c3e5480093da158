import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArgumentError, UnknownNameError } from '../../base/index.js';
import { SLAB } from '../../slab/index.js';
import {
  AS_RECORDED,
  CACHE_SETTING_WORDS,
  MACHINE_SETTING_WORDS,
  parseWhatIf,
  settingParts,
} from './what-if.js';

test('no settings are the machine as it was recorded', () => {
  assert.deepEqual(parseWhatIf([]), AS_RECORDED);
});

test('settings of the machine, by the names of boot parameters', () => {
  const { settings, caches, ...machine } = parseWhatIf([
    'allocator=slab',
    'slub_min_order=1',
    'slab_max_order=0',
    'slub_min_objects=16',
    'slab_nomerge',
    'slub_debug=FZ,dentry',
    'cpus=8',
    'page_size=64K',
    'cpu_partial=0',
    'min_partial=3',
  ]);
  assert.deepEqual(machine, {
    allocator: 'slab',
    slubMinOrder: 1,
    slubMaxOrder: 0,
    slubMinObjects: 16,
    slubNomerge: true,
    slubDebug: 'FZ,dentry',
    cpus: 8,
    pageSize: 65536,
    cpuPartial: 0,
    minPartial: 3,
  });
  assert.equal(settings.length, 10);
  assert.equal(caches.size, 0);
  assert.equal(parseWhatIf(['slub_debug']).slubDebug, 'FZPU');
  assert.equal(parseWhatIf(['slab_nomerge=0']).slubNomerge, false);
});

test('a setting that is given twice is refused', () => {
  for (const twice of [
    ['slub_max_order=1', 'slub_max_order=2'],
    ['dentry.size=200', 'cpus=2', 'dentry.size=256'],
  ])
    assert.throws(() => parseWhatIf(twice), /is set twice in one what-if/);
});

test('settings of caches: flags add up, and a name may have dots', () => {
  const { caches } = parseWhatIf([
    'dentry.flags+=ACCOUNT',
    'dentry.flags+=SLAB_HWCACHE_ALIGN|CACHE_DMA32',
    'dentry.flags-=RECLAIM_ACCOUNT',
    'dentry.size=0x100',
    ':A-0000128.cpu_partial=7',
    'dm-0.2.min_partial=0',
    'filp.strategy=page_frag-32k',
    'inode_cache.slub_debug=U',
  ]);
  assert.deepEqual(Object.fromEntries(caches), {
    dentry: {
      size: 256,
      addFlags: SLAB.ACCOUNT | SLAB.HWCACHE_ALIGN | SLAB.CACHE_DMA32,
      removeFlags: SLAB.RECLAIM_ACCOUNT,
    },
    ':A-0000128': { cpuPartial: 7 },
    'dm-0.2': { minPartial: 0 },
    filp: { strategy: 'page_frag-32k' },
    inode_cache: { addFlags: SLAB.STORE_USER },
  });
});

test('a word that names nothing is answered with the nearest', () => {
  const wrong: readonly (readonly [setting: string, suggestion: RegExp])[] = [
    ['slub_max_oder=0', /did you mean 'slub_max_order'/],
    ['dentry.sise=200', /did you mean 'size'/],
    ['filp.strategy=page_frag', /page_frag-32k/],
    ['allocator=slob', /'slub' or 'slab'|'slab' or 'slub'/],
    ['dentry.flags+=ACOUNT', /did you mean 'ACCOUNT'/],
    ['sheafs=1', /did you mean 'sheaves'/],
  ];
  for (const [setting, suggestion] of wrong) {
    assert.throws(
      () => parseWhatIf([setting]),
      (error) => {
        assert.ok(error instanceof UnknownNameError, setting);
        assert.match(error.message, suggestion);
        return true;
      },
    );
  }
});

test('a value that makes no sense is refused with what was expected', () => {
  const wrong = [
    'cpus=0',
    'cpus=two',
    'slub_max_order=',
    'page_size=8K',
    'dentry.size=0',
    'dentry.size=1G',
    'dentry.cpu_partial=-1',
    'slab_nomerge=maybe',
    'slub_debug=Q',
    '=3',
    'dentry',
    'two words=3',
  ];
  for (const setting of wrong) {
    assert.throws(
      () => parseWhatIf([setting]),
      (error) => error instanceof ArgumentError || error instanceof UnknownNameError,
      setting,
    );
  }
  assert.throws(() => parseWhatIf(['=3']), /expected NAME=VALUE/);
});

test('the parts of a setting, its word as this kernel has it, whether or not it makes sense', () => {
  assert.deepEqual(settingParts('slab_max_order=1'), ['', 'slub_max_order', '1']);
  assert.deepEqual(settingParts(' dm-0.2.flags-=ACCOUNT '), ['dm-0.2', 'flags-', 'ACCOUNT']);
  assert.deepEqual(settingParts('slab_nomerge'), ['', 'slab_nomerge', '']);
  assert.deepEqual(settingParts('dentry.colour=red'), ['dentry', 'colour', 'red']);
  assert.equal(settingParts('Cpus 4'), undefined);
  assert.ok(MACHINE_SETTING_WORDS.includes('allocator') && CACHE_SETTING_WORDS.includes('flags+'));
});
