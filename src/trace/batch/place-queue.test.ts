import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { PlaceQueue } from './place-queue.js';

test('what comes out is the smallest of what is in, each once', () => {
  fc.assert(
    fc.property(fc.array(fc.option(fc.nat(30), { freq: 3 }), { maxLength: 200 }), (steps) => {
      const queue = new PlaceQueue();
      const model = new Set<number>();
      for (const step of [...steps, ...Array.from({ length: 32 }, () => null)]) {
        if (step !== null) {
          queue.add(step);
          model.add(step);
          continue;
        }
        const smallest = model.size === 0 ? undefined : Math.min(...model);
        assert.equal(queue.take(), smallest);
        if (smallest !== undefined) model.delete(smallest);
      }
      assert.equal(model.size, 0);
    }),
    { seed: 7451, numRuns: 200 },
  );
});
