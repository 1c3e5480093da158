import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { NumberStack } from './number-stack.js';

test('a stack of numbers does what an array does', () => {
  const step = fc.oneof(
    fc.record({ push: fc.integer() }),
    fc.constant('pop' as const),
    fc.record({ pushAll: fc.array(fc.integer(), { maxLength: 40 }) }),
    fc.record({ keepEvery: fc.integer({ min: 1, max: 5 }) }),
    fc.constant('save' as const),
    fc.record({ back: fc.nat({ max: 100 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), fc.nat({ max: 20 }), (steps, room) => {
      const stack = new NumberStack<number>(room);
      let model: number[] = [];
      let saved = stack.copy();
      let savedModel: number[] = [];
      // Only what was on the stack when it was saved, and has not changed since, can be gone back to.
      let untouched = true;
      for (const each of steps) {
        if (each === 'pop') assert.equal(stack.pop(), model.pop());
        else if (each === 'save') {
          saved = stack.copy();
          savedModel = [...model];
          untouched = true;
        } else if ('push' in each) {
          stack.push(each.push);
          model.push(each.push);
          untouched = false;
        } else if ('pushAll' in each) {
          const more = new NumberStack<number>();
          for (const value of each.pushAll) more.push(value);
          stack.pushAll(more);
          model = model.concat(each.pushAll);
          untouched = false;
        } else if ('keepEvery' in each) {
          stack.filter((index) => index % each.keepEvery === 0);
          model = model.filter((_, index) => index % each.keepEvery === 0);
          untouched = false;
        } else if (untouched) {
          const count = Math.min(each.back, savedModel.length);
          stack.becomeStartOf(saved, count);
          model = savedModel.slice(0, count);
        }
        assert.deepEqual([...stack], model);
        assert.equal(stack.length, model.length);
        assert.equal(stack.at(model.length - 1), model.at(-1));
        assert.equal(stack.at(model.length), undefined);
      }
    }),
  );
});
