/** The table of links: names are kept once, and a full table gives up what dangles. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArgumentError, MIB } from '../../base/index.js';
import { Machine } from '../machine.js';
import { cacheLinks, linkCache, unlinkCache } from './links.js';

const machineFor = (caches: number) =>
  Machine.create({ memory: 64 * MIB, cpus: 1, ledger: { caches, slabs: 64, linkPages: 16 } });

const sorted = (machine: Machine) =>
  cacheLinks(machine.ledger)
    .map(({ name, target }) => `${name} ${target}`)
    .sort();

test('a name is a link once; the newest wins', () => {
  const machine = machineFor(4);
  const { ledger } = machine;
  linkCache(ledger, { name: 'a', target: ':0000008' }, () => true);
  linkCache(ledger, { name: 'b', target: ':0000016' }, () => true);
  linkCache(ledger, { name: 'a', target: ':dDaFA-0000024' }, () => true);
  assert.deepEqual(sorted(machine), ['a :dDaFA-0000024', 'b :0000016']);
  unlinkCache(ledger, 'nothing');
  unlinkCache(ledger, 'a');
  assert.deepEqual(sorted(machine), ['b :0000016']);
  unlinkCache(ledger, 'b');
  assert.deepEqual(sorted(machine), []);
});

test('a full table takes a link in the place of one that dangles, or forgets it', () => {
  const machine = machineFor(2);
  const { ledger } = machine;
  for (const name of ['a', 'b', 'c', 'd']) linkCache(ledger, { name, target: `:${name}` }, () => true);
  linkCache(ledger, { name: 'e', target: ':e' }, () => true);
  assert.deepEqual(sorted(machine), ['a :a', 'b :b', 'c :c', 'd :d']);
  linkCache(ledger, { name: 'e', target: ':e' }, (target) => target !== ':c');
  assert.deepEqual(sorted(machine), ['a :a', 'b :b', 'd :d', 'e :e']);
});

test('a name that no cache could have is refused, and the cache that it would share is as it was', () => {
  const machine = machineFor(8);
  const cache = machine.kmemCacheCreate('short', 64)!;
  assert.throws(() => machine.kmemCacheCreate('n'.repeat(96), 64), ArgumentError);
  assert.equal(cache.info.refcount, 1);
  machine.kmemCacheCreate('n'.repeat(95), 64);
  assert.equal(cache.info.refcount, 2);
});

test('standing machines have a link for each creation that shares a cache', () => {
  for (const kernel of ['6.1', '6.12']) {
    const machine = Machine.create({ kernel, standing: true });
    const links = machine.links();
    for (const cache of machine.caches()) {
      const names = links.filter(({ target }) => target === cache.sysfsId).map(({ name }) => name);
      if (cache.sysfsId === cache.name) assert.deepEqual(names, []);
      else {
        assert.ok(names.includes(cache.name), cache.name);
        assert.equal(names.length, cache.info.refcount, `${kernel}: ${cache.name}`);
      }
    }
  }
});
