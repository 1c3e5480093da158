/** The floor: no dependency, no state. Every other room stands on it. */
export * from './arrays.js';
export * from './assert.js';
export * from './bits.js';
export * from './brands.js';
export * from './errors.js';
export * from './json.js';
export * from './names.js';
export * from './printable.js';
export * from './random.js';
export * from './units.js';
