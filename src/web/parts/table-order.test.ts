import assert from 'node:assert/strict';
import { test } from 'node:test';
import { orderAfter, orderedRows, orderFrom, orderText, passes } from './table-order.js';

const ROWS = [
  { name: 'kmalloc-16', size: 16 },
  { name: 'dentry', size: 192 },
  { name: 'kmalloc-8', size: 8 },
  { name: 'other', size: 16 },
  { name: 'kmalloc-1k', size: 1024 },
];
const COLUMNS = [
  { id: 'name', value: ({ name }: (typeof ROWS)[number]) => name },
  { id: 'size', value: ({ size }: (typeof ROWS)[number]) => size },
];
const names = (column: string, descending: boolean) =>
  orderedRows(ROWS, COLUMNS, { column, descending }).map(({ name }) => name);

test('rows come in the order of a column, numbers in names count as numbers, equals stay as they were', () => {
  assert.deepEqual(names('name', false), ['dentry', 'kmalloc-8', 'kmalloc-16', 'kmalloc-1k', 'other']);
  assert.deepEqual(names('size', true), ['kmalloc-1k', 'dentry', 'kmalloc-16', 'other', 'kmalloc-8']);
  assert.deepEqual(names('size', false), ['kmalloc-8', 'kmalloc-16', 'other', 'dentry', 'kmalloc-1k']);
  assert.deepEqual(
    names('colour', true),
    ROWS.map(({ name }) => name),
  );
});

test('a click on another head begins as that column does, one on the same turns it round', () => {
  const bySize = { column: 'size', descending: true };
  assert.deepEqual(orderAfter(bySize, 'size', 'descending'), { column: 'size', descending: false });
  assert.deepEqual(orderAfter(bySize, 'name', 'ascending'), { column: 'name', descending: false });
});

test('an order goes into an address and comes back; what is none is none', () => {
  for (const order of [
    { column: 'size', descending: true },
    { column: 'name', descending: false },
  ])
    assert.deepEqual(orderFrom(orderText(order), COLUMNS), order);
  for (const text of [undefined, '', 'size', 'colour-asc', 'size-up'])
    assert.equal(orderFrom(text, COLUMNS), undefined);
});

test('a filter has words that must be there, must not be there, or must stand at an end', () => {
  const texts = ['Acpi-Namespace', ':A-0000064'];
  for (const filter of ['', 'acpi', 'space :a', '^acpi', '064$', '-dentry', '^:a-0000064$'])
    assert.ok(passes(filter, texts), filter);
  for (const filter of ['dentry', 'acpi dentry', '-acpi', '^namespace', 'acpi$', '^:a$'])
    assert.ok(!passes(filter, texts), filter);
});
