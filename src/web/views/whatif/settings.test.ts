import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CACHE_SETTING_WORDS, MACHINE_SETTING_WORDS, readWhatIf, splitSettings } from '../../../lab/index.js';
import {
  CACHE_CONTROLS,
  type Control,
  cachesIn,
  MACHINE_CONTROLS,
  problemOf,
  settingValue,
  withoutCache,
  withValue,
} from './settings.js';

/** The same what-if however it is written. */
function isSame(a: string, b: string): boolean {
  return splitSettings(a).join(' ') === splitSettings(b).join(' ');
}

test('every setting has a control, and every control a setting', () => {
  const words = (controls: readonly Control[]) => controls.map(({ word }) => word).sort();
  assert.deepEqual(words(MACHINE_CONTROLS), [...MACHINE_SETTING_WORDS].sort());
  assert.deepEqual(words(CACHE_CONTROLS), [...CACHE_SETTING_WORDS].sort());
});

/** Values that a control offers or that fit into it. */
function valuesOf(control: Control): string[] {
  if (control.kind === 'choice') return control.choices.map(([value]) => value);
  if (control.kind === 'number')
    return [control.least, control.least + 1, Math.min(64, control.most), control.most].map(String);
  return [control.example, ...control.likely];
}

test('what a control offers is a setting that makes sense, and the control shows it again', () => {
  for (const [cache, controls] of [
    ['', MACHINE_CONTROLS],
    ['dentry', CACHE_CONTROLS],
  ] as const)
    for (const control of controls)
      for (const value of valuesOf(control)) {
        const text = withValue('', cache, control.word, value);
        assert.equal(problemOf(text), undefined, text);
        assert.equal(settingValue(text, cache, control.word), value, text);
        assert.equal(withValue(text, cache, control.word, undefined), '', text);
      }
});

test('words that are switched on by themselves are shown as switched on', () => {
  assert.equal(settingValue('slab_nomerge cpus=2', '', 'slab_nomerge'), '1');
  assert.equal(settingValue('slub_nomerge=1', '', 'slab_nomerge'), '1');
  assert.equal(settingValue('slub_debug cpus=2', '', 'slub_debug'), 'FZPU');
  assert.equal(settingValue('dentry.slub_debug=', 'dentry', 'slub_debug'), 'FZPU');
  assert.equal(withValue('', '', 'sheaves', ''), 'sheaves');
  assert.equal(settingValue('sheaves', '', 'sheaves'), '');
  assert.equal(settingValue('cpus=2', '', 'sheaves'), undefined);
});

test('a setting keeps its place, and of two the last counts', () => {
  const text = 'cpus=2, slub_max_order=0 cpus=4';
  assert.equal(settingValue(text, '', 'cpus'), '4');
  assert.equal(withValue(text, '', 'cpus', '8'), 'cpus=8 slub_max_order=0');
  assert.equal(withValue(text, '', 'slub_max_order', undefined), 'cpus=2 cpus=4');
  assert.equal(withValue('a.size=8', 'b', 'size', '16'), 'a.size=8 b.size=16');
});

test('caches are those that settings name, names with dots and colons too', () => {
  const text = 'cpus=2 :A-0000192.size=200 dm-0.2.min_partial=0 :A-0000192.flags+=ACCOUNT';
  assert.deepEqual(cachesIn(text), [':A-0000192', 'dm-0.2']);
  assert.equal(withoutCache(text, ':A-0000192'), 'cpus=2 dm-0.2.min_partial=0');
  assert.equal(settingValue(text, ':A-0000192', 'flags+'), 'ACCOUNT');
});

test('a mistake is told in words and stays as it was written', () => {
  assert.match(problemOf('slub_max_ordr=0') ?? '', /slub_max_order/);
  assert.match(problemOf('page_size=5K') ?? '', /4K, 16K or 64K/);
  assert.match(problemOf('nonsense') ?? '', /setting/);
  assert.equal(withValue('nonsense', '', 'cpus', '2'), 'nonsense cpus=2');
});

test('whatever controls do in whatever order, the text reads as what was set last', () => {
  const step = fc
    .constantFrom(
      ...MACHINE_CONTROLS.map((control) => ['', control] as const),
      ...CACHE_CONTROLS.flatMap((control) =>
        ['dentry', 'kmalloc-8'].map((cache) => [cache, control] as const),
      ),
    )
    .chain(([cache, control]) =>
      fc.record({
        cache: fc.constant(cache),
        word: fc.constant(control.word),
        value: fc.constantFrom(undefined, ...valuesOf(control)),
      }),
    );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      let text = '';
      const model = new Map<string, string>();
      for (const { cache, word, value } of steps) {
        text = withValue(text, cache, word, value);
        if (value === undefined) model.delete(`${cache}.${word}`);
        else model.set(`${cache}.${word}`, value);
      }
      assert.equal(readWhatIf(text).settings.length, model.size);
      for (const { cache, word } of steps)
        assert.equal(settingValue(text, cache, word), model.get(`${cache}.${word}`));
      assert.ok(isSame(text, ` ${text.replaceAll(' ', ',  ')} `));
    }),
    { seed: 20241, numRuns: 200 },
  );
});
