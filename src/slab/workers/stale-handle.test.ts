/** A cache that another thread destroyed, and whose row another cache got: handles, views and constructors of the first reach neither. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ArgumentError, BadFreeError } from '../../base/index.js';
import { SLAB } from '../kernel/flags.js';
import { Machine } from '../machine.js';

for (const kernel of ['6.1', '6.12', 'library']) {
  for (const sheafCapacity of kernel === 'library' ? [0, 8] : [undefined]) {
    const named = `${kernel}${sheafCapacity === undefined ? '' : `, sheaves of ${sheafCapacity}`}`;
    test(`${named}: a handle of a destroyed cache reaches no other, in any thread`, () => {
      const a = Machine.create({
        kernel,
        memory: '16M',
        cpus: 2,
        shared: true,
        slubNomerge: true,
        ledger: { caches: 16 },
      });
      // The last row of the table: the next cache can have no other.
      const options = sheafCapacity === undefined ? {} : { sheafCapacity };
      const first = a.kmemCacheCreate('first', 64, {
        ...options,
        ctor: () => assert.fail('not its object'),
      })!;
      while (a.ledger.header.length > 0 && a.caches().length < 16)
        a.kmemCacheCreate(`fill-${a.caches().length}`, 64, options);
      const b = Machine.attach(a.handle);
      const old = b.findCache('first')!;
      const views = [old.cpu(), { alloc: old.alloc.bind(old), free: old.free.bind(old) }];
      const row = old.id;
      first.destroy();
      const second = a.kmemCacheCreate('second', 4096, { ...options, flags: SLAB.NONE })!;
      assert.equal(second.id, row, 'the row is used again');
      const mine = [second.alloc(), second.alloc()];
      const ofB = b.findCache('second')!;
      assert.notEqual(ofB, old);
      // B's own line of the row is filled, so that a fast path would find something there.
      ofB.free(ofB.alloc());
      mine.push(ofB.alloc());
      for (const handle of [old, first]) {
        assert.equal(handle.id, 0);
        assert.throws(() => handle.alloc(), ArgumentError);
        assert.throws(() => handle.allocBulk(2), ArgumentError);
        assert.throws(() => handle.free(mine[0]!), BadFreeError);
        assert.throws(() => handle.freeBulk([mine[0]!]), BadFreeError);
        assert.throws(() => handle.destroy(), ArgumentError);
        assert.notEqual(handle.name, 'second');
      }
      for (const view of views) {
        assert.throws(() => view.alloc(), ArgumentError);
        assert.throws(() => view.free(mine[0]!), BadFreeError);
      }
      assert.deepEqual(
        a.liveObjects(second).sort((x, y) => x - y),
        mine.sort((x, y) => x - y),
      );
      for (const address of mine) ofB.free(address);
      ofB.flush();
      assert.equal(second.live, 0);
      a.validate();
    });

    test(`${named}: a constructor of a destroyed cache constructs no other’s objects`, () => {
      const a = Machine.create({
        kernel,
        memory: '16M',
        cpus: 2,
        shared: true,
        slubNomerge: true,
        ledger: { caches: 16 },
      });
      const options = sheafCapacity === undefined ? {} : { sheafCapacity };
      const made: string[] = [];
      const first = a.kmemCacheCreate('first', 64, { ...options, ctor: () => made.push('first') })!;
      while (a.caches().length < 16) a.kmemCacheCreate(`fill-${a.caches().length}`, 64, options);
      const row = first.id;
      const b = Machine.attach(a.handle);
      b.findCache('first')!.destroy();
      const second = b.kmemCacheCreate('second', 64, { ...options, ctor: () => made.push('second') })!;
      assert.equal(second.id, row, 'the row is used again');
      const ofA = a.findCache('second')!;
      ofA.free(ofA.alloc());
      assert.deepEqual(made, []);
      second.free(second.alloc());
      a.validate();
    });
  }
}
