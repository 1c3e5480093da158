/**
 * A host that lacks what only some have: a page that is not cross-origin isolated has no SharedArrayBuffer, an old engine no Atomics.wait,
 * a page no `process`. The library is loaded by a process from which they were taken.
 */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';

const INDEX = new URL('./index.js', import.meta.url).href;

const PROGRAM = `
  const { stdout } = process;
  const lacking = ['SharedArrayBuffer', 'process', 'performance', 'WebAssembly', 'Buffer', 'structuredClone', 'setTimeout', 'TextEncoder',
    'TextDecoder', 'navigator', 'crypto', 'queueMicrotask', 'WeakRef', 'FinalizationRegistry'];
  const { Machine, GFP, SLAB } = await (async () => {
    for (const name of lacking) {
      delete globalThis[name];
      if (globalThis[name] !== undefined) throw new Error(name + ' is still there');
    }
    delete Atomics.wait;
    return import(${JSON.stringify(INDEX)});
  })();
  const said = [];
  const wanted = [{}, { bytes: new ArrayBuffer(2 ** 24) }, { debug: true }, { liveCheck: true }, { kernel: '6.1' },
    { kernel: '6.1', allocator: 'slab' }];
  for (const options of wanted) {
    const machine = Machine.create({ kernel: 'library', memory: '16M', cpus: 2, ...options });
    const cache = machine.kmemCacheCreate('x', 64);
    const object = cache.alloc();
    const other = machine.kmalloc(100);
    cache.free(object);
    machine.kfree(machine.krealloc(other, 3000));
    machine.report();
    machine.validate();
  }
  for (const act of [
    () => Machine.create({ memory: '16M', shared: true }),
    () => Machine.attach({ slablab: 'machine', ledger: {}, bytes: null, base: 0 }),
    () => Machine.create({ memory: '16M' }).handle,
  ]) {
    try {
      act();
      said.push('nothing');
    } catch (error) {
      said.push(error.name + ': ' + error.message);
    }
  }
  stdout.write(JSON.stringify(said));
`;

test('without SharedArrayBuffer and the like a machine works, and one that is to be shared says what is missing', () => {
  const output = execFileSync(process.execPath, ['--input-type=module', '--eval', PROGRAM], {
    encoding: 'utf8',
  });
  const said = JSON.parse(output) as string[];
  assert.equal(said.length, 3);
  assert.match(said[0]!, /^ArgumentError: .*SharedArrayBuffer.*cross-origin isolated.*require-corp/);
  assert.match(said[1]!, /^ArgumentError: this is no handle/);
  assert.match(said[2]!, /^ArgumentError: .*`shared: true`/);
});
