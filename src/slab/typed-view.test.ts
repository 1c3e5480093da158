/** Cursors and views, against a DataView over the same bytes; aligned allocation and krealloc. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { ArgumentError, BadFreeError, MIB, NULL, type PhysAddr } from '../base/index.js';
import { flatBytes, GFP, type MemoryMap } from '../machine/index.js';
import { Machine, type MachineOptions } from './machine.js';
import { type FieldType, structLayout } from './typed-view.js';

const BASE = 16 * MIB;
const SIZE = 8 * MIB;
const MAP: MemoryMap = {
  name: 'flat',
  title: '',
  ram: [{ start: BASE, end: BASE + SIZE }],
  reserved: [],
  zones: [{ name: 'Normal', end: Number.POSITIVE_INFINITY }],
};

function machineWith(options: MachineOptions = {}): { machine: Machine; memory: DataView } {
  const array = new Uint8Array(new SharedArrayBuffer(SIZE));
  const machine = Machine.create({
    kernel: 'library',
    machine: MAP,
    cpus: 1,
    bytes: flatBytes(array, BASE),
    ...options,
  });
  return { machine, memory: new DataView(array.buffer) };
}

test('fields lie where C puts them', () => {
  const layout = structLayout({ a: 'u8', b: 'f64', c: 'u16', d: 'i32', e: 'i8' });
  assert.deepEqual(layout.offsets, { a: 0, b: 8, c: 16, d: 20, e: 24 });
  assert.deepEqual([layout.size, layout.align], [32, 8]);
  assert.equal(structLayout({ a: 'u8', b: 'u8', c: 'u8' }).size, 3);
  const wrong = ['at', 'address', 'start'].map((name) => ({ [name]: 'u8' as const }));
  for (const fields of [{}, { a: 'u64' as 'u32' }, { a: 'toString' as 'u32' }, ...wrong])
    assert.throws(() => structLayout(fields), ArgumentError);
});

const READ: Readonly<Record<FieldType, (view: DataView, at: number) => number>> = {
  i8: (view, at) => view.getInt8(at),
  u8: (view, at) => view.getUint8(at),
  i16: (view, at) => view.getInt16(at, true),
  u16: (view, at) => view.getUint16(at, true),
  i32: (view, at) => view.getInt32(at, true),
  u32: (view, at) => view.getUint32(at, true),
  f32: (view, at) => view.getFloat32(at, true),
  f64: (view, at) => view.getFloat64(at, true),
};

test('what a cursor writes lies in the memory, in its own field and no other', () => {
  const { machine, memory } = machineWith();
  const type = fc.constantFrom(...(Object.keys(READ) as FieldType[]));
  const property = fc.property(
    fc.array(type, { minLength: 1, maxLength: 12 }),
    fc.infiniteStream(fc.nat(127)),
    (types, numbers) => {
      const layout = structLayout(Object.fromEntries(types.map((each, i) => [`f${i}`, each])));
      const cache = machine.kmemCacheCreate('structs', layout.size, { align: layout.align })!;
      const cursor = cache.cursor(layout);
      const objects = cache.allocBulk(5);
      const written = new Map<string, number>();
      for (const object of objects) {
        for (const name of Object.keys(layout.fields)) {
          const value = numbers.next().value as number;
          cursor.at(object)[name] = value;
          written.set(`${object} ${name}`, value);
        }
      }
      for (const object of objects) {
        assert.equal(cursor.at(object).address, object);
        for (const [name, each] of Object.entries(layout.fields)) {
          const value = written.get(`${object} ${name}`);
          assert.equal(cursor[name], value);
          assert.equal(READ[each](memory, object - BASE + layout.offsets[name]!), value);
        }
      }
      cache.freeBulk(objects);
      cache.destroy();
    },
  );
  fc.assert(property, { seed: 3, numRuns: 60 });
  machine.validate();
});

test('two cursors stand on two objects; views are shared', () => {
  const { machine } = machineWith();
  const Pair = structLayout({ left: 'i32', right: 'i32' });
  const cache = machine.kmemCacheCreate('pair', Pair.size)!;
  const [a, b] = [cache.cursor(Pair), cache.cursor(Pair)];
  a.at(cache.alloc()).left = 1;
  b.at(cache.alloc()).left = 2;
  assert.deepEqual([a.left, b.left], [1, 2]);
  assert.equal(machine.views, machine.views);
  assert.equal(machine.views.i32[(b.address - machine.views.base) / 4], 2);
});

test('a struct has to fit its cache, and the memory has to be one array', () => {
  const { machine } = machineWith();
  const Wide = structLayout({ a: 'f64', b: 'f64' });
  const small = machine.kmemCacheCreate('small', 12)!;
  assert.throws(() => small.cursor(Wide), /do not hold a struct of 16 bytes/);
  const paper = Machine.create({ kernel: 'library', memory: 16 * MIB, bytes: true });
  assert.throws(() => paper.kmemCacheCreate('wide', 16)!.cursor(Wide), ArgumentError);
  const odd = machineWith({ bytes: flatBytes(new Uint8Array(new ArrayBuffer(SIZE + 4), 4), BASE) });
  assert.throws(() => odd.machine.views, /aligned/);
});

// ---- kmalloc ----------------------------------------------------------------------------------------------------------------

test('aligned memory is aligned, whatever the size, the alignment and the kernel', () => {
  for (const options of [
    {},
    { kernel: '6.1' },
    { slubDebug: 'FZPU' },
    { liveCheck: true },
  ] as MachineOptions[]) {
    const { machine } = machineWith(options);
    for (const align of [1, 2, 8, 16, 64, 256, 1024, 4096, 16384])
      for (const size of [1, 24, 100, 1000, 4000, 9000]) {
        const address = machine.kmallocAligned(size, align);
        assert.ok(address !== NULL && address % align === 0, `${size} aligned to ${align}: ${address}`);
        assert.ok(machine.ksize(address) >= size);
        machine.kfree(address);
      }
    for (const align of [0, 3, -8, Number.NaN])
      assert.throws(() => machine.kmallocAligned(8, align), ArgumentError);
    assert.throws(() => machine.kmallocAligned(-1, 64), ArgumentError);
    machine.validate();
  }
});

test('krealloc keeps the contents, moves only if it must, and takes nothing if there is no memory', () => {
  const { machine } = machineWith();
  const bytes = machine.bytes!;
  let address = machine.krealloc(NULL, 100);
  bytes.write(
    address,
    Uint8Array.from({ length: 100 }, (_, i) => i),
  );
  const room = machine.ksize(address);
  assert.equal(machine.krealloc(address, room), address);
  assert.equal(machine.krealloc(address, 1), address);
  for (const size of [room + 1, 5000, 50_000]) {
    const moved = machine.krealloc(address, size);
    assert.notEqual(moved, address);
    assert.deepEqual([...bytes.read(moved, 100)], [...Array(100).keys()]);
    address = moved;
  }
  assert.equal(machine.krealloc(address, 2 ** 40, (GFP.KERNEL | 0x2000) as typeof GFP.KERNEL), NULL);
  assert.deepEqual([...bytes.read(address, 100)], [...Array(100).keys()], 'still there');
  const odd = machine.kmalloc(64);
  assert.throws(() => machine.krealloc((odd + 8) as PhysAddr, 4), BadFreeError);
  assert.throws(() => machine.krealloc((BASE + SIZE / 2) as PhysAddr, 4), ArgumentError);
  machine.kfree(odd);
  assert.equal(machine.krealloc(address, 0), 16);
  assert.equal(machine.report().live.objects + machine.report().live.pages.length, 0);
  machine.validate();
});

test('a krealloc of what was freed is refused where links are looked at, and nothing is lost', () => {
  const { machine } = machineWith({ liveCheck: true });
  const address = machine.kmalloc(64);
  machine.kfree(address);
  assert.throws(() => machine.krealloc(address, 4000), BadFreeError);
  assert.equal(machine.report().live.objects, 0);
  machine.validate();
});
