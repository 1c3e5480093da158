/**
 * # Typed views: fields of objects without an object for each
 *
 *     const Particle = structLayout({ x: 'f32', y: 'f32', age: 'u32' });
 *     const cache = machine.kmemCacheCreate('particle', Particle.size, { align: Particle.align })!;
 *     const p = cache.cursor(Particle);
 *
 *     const a = cache.alloc();
 *     p.at(a).x = 1.5;                  // p is one object; `at` says which address it stands on
 *     for (const each of all) p.at(each).age++;
 *
 * A cursor reads and writes the memory itself through typed arrays, one for each type, that all cursors of a machine share. V8 makes a
 * field's getter one load: there is nothing to allocate and nothing to collect. A field lies where C would put it: at the next multiple of
 * its size.
 *
 * The machine has to have its memory attached as one array (`bytes`). Words are of the host's byte order, as with any typed array.
 */
import { ArgumentError, type PhysAddr, roundUp } from '../base/index.js';
import type { ManagedBytes } from '../machine/index.js';

const TYPES = {
  i8: Int8Array,
  u8: Uint8Array,
  i16: Int16Array,
  u16: Uint16Array,
  i32: Int32Array,
  u32: Uint32Array,
  f32: Float32Array,
  f64: Float64Array,
} as const;

/** The type of a field: of what sign, and of how many bits. */
export type FieldType = keyof typeof TYPES;
/** The fields of a struct, by name, in their order in memory. */
export type Fields = Readonly<Record<string, FieldType>>;

/** The whole memory of a machine as arrays of each type. Element `(address - base) / BYTES_PER_ELEMENT` lies at an address. */
export type TypedViews = { readonly [T in FieldType]: InstanceType<(typeof TYPES)[T]> } & {
  /** The address of element 0. */
  readonly base: number;
};

/** Where the fields of a struct lie. Bytes. */
export interface StructLayout<F extends Fields = Fields> {
  readonly fields: F;
  /** Bytes, a multiple of `align`. */
  readonly size: number;
  /** The largest alignment of a field. */
  readonly align: number;
  /** Bytes from the object's start to each field. */
  readonly offsets: { readonly [K in keyof F]: number };
}

/** A place in memory with named fields. */
export type Cursor<F extends Fields> = { -readonly [K in keyof F]: number } & {
  /** Where it stands: the address of an object, or NULL before the first `at`. */
  readonly address: PhysAddr;
  /** Moves it to an object, and returns it. Nothing is checked: a field of an address outside the memory reads as undefined. */
  at(address: PhysAddr): Cursor<F>;
};

/**
 * Where the fields of a struct lie. Throws ArgumentError for none, for a type that does not exist, and for the names of what a cursor has
 * itself: `at`, `address`, `start`.
 */
export function structLayout<const F extends Fields>(fields: F): StructLayout<F> {
  let size = 0;
  let align = 1;
  const offsets: Record<string, number> = {};
  for (const [name, type] of Object.entries(fields)) {
    if (!Object.hasOwn(TYPES, type))
      throw new ArgumentError(
        `field ${name}: '${type}' is no type; there are ${Object.keys(TYPES).join(', ')}`,
      );
    if (name === 'at' || name === 'address' || name === 'start')
      throw new ArgumentError(`a field cannot be called ${name}`);
    const bytes = TYPES[type].BYTES_PER_ELEMENT;
    offsets[name] = roundUp(size, bytes);
    size = offsets[name] + bytes;
    align = Math.max(align, bytes);
  }
  if (size === 0) throw new ArgumentError('a struct needs a field');
  return { fields, size: roundUp(size, align), align, offsets: offsets as StructLayout<F>['offsets'] };
}

/** Arrays over a memory that is one array. Throws ArgumentError for any other, and where words would not be aligned. */
export function typedViews(bytes: ManagedBytes | undefined): TypedViews {
  const flat = bytes?.flat;
  if (flat === undefined)
    throw new ArgumentError('typed views need the memory as one array: give it to the machine as `bytes`');
  const { array, base } = flat;
  if (array.byteOffset % 8 !== 0 || base % 8 !== 0)
    throw new ArgumentError(
      `typed views need words that are aligned: the memory begins at byte ${array.byteOffset} of its buffer`,
    );
  const views = Object.entries(TYPES).map(([type, View]) => [
    type,
    // A SharedArrayBuffer will do as well; the constructor's type does not say so for all of them at once.
    new View(
      array.buffer as ArrayBuffer,
      array.byteOffset,
      Math.floor(array.byteLength / View.BYTES_PER_ELEMENT),
    ),
  ]);
  return { base, ...(Object.fromEntries(views) as Omit<TypedViews, 'base'>) } as TypedViews;
}

/** What all cursors have: an address, and how far into the memory that is. */
class Place {
  address = 0 as PhysAddr;
  /** Bytes from the memory's first. */
  start = 0;
}

type Accessors = PropertyDescriptor & ThisType<Place>;
type AnyArray = TypedViews[FieldType];

/** Plain parameters, for the reasons of `hotView` in sheaf/hot.ts. */
function accessors(array: AnyArray, offset: number, shift: number): Accessors {
  return {
    get() {
      return array[(this.start + offset) >> shift];
    },
    set(value: number) {
      array[(this.start + offset) >> shift] = value;
    },
  };
}

/** The same for a memory that 31 bits cannot count. */
function wideAccessors(array: AnyArray, offset: number, shift: number): Accessors {
  const each = 2 ** -shift;
  return {
    get() {
      return array[(this.start + offset) * each];
    },
    set(value: number) {
      array[(this.start + offset) * each] = value;
    },
  };
}

/** A cursor over a machine's memory. */
export function createCursor<F extends Fields>(views: TypedViews, layout: StructLayout<F>): Cursor<F> {
  const { base } = views;
  const make = views.u8.length <= 2 ** 31 ? accessors : wideAccessors;
  class FieldCursor extends Place {
    at(address: PhysAddr): this {
      this.address = address;
      this.start = address - base;
      return this;
    }
  }
  for (const [name, type] of Object.entries(layout.fields)) {
    const array = views[type];
    const shift = Math.log2(array.BYTES_PER_ELEMENT);
    Object.defineProperty(FieldCursor.prototype, name, make(array, layout.offsets[name]!, shift));
  }
  return new FieldCursor() as unknown as Cursor<F>;
}
