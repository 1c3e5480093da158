import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LedgerFullError, Random } from '../base/index.js';
import { runsOf } from '../base/runs.case.test.js';
import { createLedger, type Ledger, LINKS_PER_PAGE, MAX_OBJECTS_PER_SLAB } from './ledger.js';
import { checkLinkPages, giveLinks, linkPagesInUse, takeLinks } from './links.js';

/**
 * The most that one size class keeps for the next slab, times the classes: every count up to 8, then four a
 * doubling.
 */
const CLASSES = 8 + 4 * 8;

interface Slot {
  readonly first: number;
  readonly objects: number;
}

function emptyLedger(linkPages: number): Ledger {
  return createLedger(
    {
      frames: 1,
      slabs: 1,
      linkPages,
      caches: 1,
      cpus: 1,
      zones: 1,
      ranges: 1,
      statistics: 0,
      arrayEntries: 0,
      sheafEntries: 0,
      sheafWords: 2,
      sheaves: 0,
      sheafSlots: 0,
    },
    '',
  );
}

function check(ledger: Ledger): void {
  checkLinkPages(ledger, (term, message) => assert.fail(`${term}: ${message}`));
}

/** Small slabs most of the time, as machines have them; also the bounds of classes and of a page. */
const objectCount = fc.oneof(
  { weight: 6, arbitrary: fc.integer({ min: 1, max: 64 }) },
  { weight: 2, arbitrary: fc.integer({ min: 1, max: LINKS_PER_PAGE }) },
  {
    weight: 2,
    arbitrary: fc.constantFrom(8, 9, 16, 17, 1792, 1793, 2048, 2049, 4096, 4097, MAX_OBJECTS_PER_SLAB),
  },
  { weight: 1, arbitrary: fc.integer({ min: 1, max: MAX_OBJECTS_PER_SLAB }) },
);

const operation = fc.oneof(
  { weight: 5, arbitrary: fc.record({ take: objectCount, times: fc.integer({ min: 1, max: 20 }) }) },
  { weight: 4, arbitrary: fc.record({ give: fc.nat(), times: fc.integer({ min: 1, max: 20 }) }) },
);

/** Slots as a person would keep them: which links are whose. */
class LinkModel {
  readonly ledger: Ledger;
  readonly slots: Slot[] = [];
  /** Times that the ledger was full. */
  refused = 0;

  constructor(linkPages: number) {
    this.ledger = emptyLedger(linkPages);
  }

  take(objects: number): void {
    const before = Buffer.from(this.ledger.buffer.slice(0));
    try {
      this.slots.push({ first: takeLinks(this.ledger, objects), objects });
    } catch (error) {
      assert.ok(error instanceof LedgerFullError, String(error));
      assert.equal(error.table, 'link pages');
      assert.ok(before.equals(Buffer.from(this.ledger.buffer)), 'a full ledger stays as it was');
      this.refused++;
      return;
    }
    // The owner writes its links; what others own must not mind.
    const { first } = this.slots.at(-1)!;
    this.ledger.link.fill(0xffff, first, first + objects);
  }

  give(at: number): void {
    if (this.slots.length === 0) return;
    const [slot] = this.slots.splice(at % this.slots.length, 1);
    giveLinks(this.ledger, slot!.first, slot!.objects);
  }

  checkSlots(): void {
    check(this.ledger);
    let end = 0;
    for (const { first, objects } of [...this.slots].sort((a, b) => a.first - b.first)) {
      assert.ok(first >= end, `links ${first}… are two slabs'`);
      end = first + objects;
      assert.ok(end <= this.ledger.link.length);
      for (let at = first; at < end; at++)
        assert.equal(this.ledger.link[at], 0xffff, `link ${at} was written over`);
    }
  }
}

test('slots of random sizes never overlap, and all their pages come back', () => {
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 40, size: 'max' }), fc.integer(), (operations, seed) => {
      const model = new LinkModel(400);
      for (const each of operations) {
        for (let i = 0; i < each.times; i++)
          'take' in each ? model.take(each.take) : model.give(each.give + i);
        model.checkSlots();
      }
      const random = new Random(seed);
      while (model.slots.length > 0) model.give(random.below(model.slots.length));
      check(model.ledger);
      assert.ok(linkPagesInUse(model.ledger) <= CLASSES, `${linkPagesInUse(model.ledger)} pages are kept`);
    }),
    { seed: 7421, numRuns: runsOf(12) },
  );
});

test('a full ledger refuses and goes on', () => {
  let refused = 0;
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.array(operation, { maxLength: 40, size: 'max' }),
      (pages, operations) => {
        const model = new LinkModel(pages);
        for (const each of operations) {
          for (let i = 0; i < each.times; i++)
            'take' in each ? model.take(each.take) : model.give(each.give + i);
          model.checkSlots();
        }
        refused += model.refused;
      },
    ),
    { seed: 7422, numRuns: runsOf(60) },
  );
  assert.ok(refused > 0, 'some ledger was full');
});

test('a page serves one size class at a time and another one afterwards', () => {
  const ledger = emptyLedger(2);
  const small = Array.from({ length: 2 * LINKS_PER_PAGE }, () => takeLinks(ledger, 1));
  assert.equal(new Set(small).size, small.length);
  assert.throws(() => takeLinks(ledger, 1), { code: 'ledger-full', limit: 2 });
  assert.throws(() => takeLinks(ledger, 100), { code: 'ledger-full' });
  for (const first of small) giveLinks(ledger, first, 1);
  // One page stays with the class it served; the other one is for any.
  assert.equal(linkPagesInUse(ledger), 1);
  takeLinks(ledger, LINKS_PER_PAGE);
  assert.equal(linkPagesInUse(ledger), 2);
  check(ledger);
});

test('a slab of more links than a page takes a run of whole pages, and runs are used again', () => {
  const ledger = emptyLedger(16);
  const runs = [4097, 2049].map((objects) => takeLinks(ledger, objects));
  assert.deepEqual(runs, [0, 3 * LINKS_PER_PAGE]);
  assert.equal(linkPagesInUse(ledger), 5);
  giveLinks(ledger, runs[0]!, 4097);
  assert.equal(linkPagesInUse(ledger), 2);
  assert.equal(takeLinks(ledger, 3 * LINKS_PER_PAGE), 0, 'the run that was given back');
  assert.throws(() => takeLinks(ledger, MAX_OBJECTS_PER_SLAB), LedgerFullError);
  check(ledger);
});
