import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Hand } from './hand.js';
import { LessonSession } from './session.js';

function handWith(script: string): Hand {
  const session = new LessonSession();
  assert.ok(session.play(script), session.shown.refused);
  return new Hand(session);
}

test('the newest cache is in hand until another is chosen, and again when that is gone', () => {
  const hand = handWith('create a 64; create b 128');
  assert.equal(hand.cache, 'b');
  hand.choose('a');
  assert.equal(hand.cache, 'a');
  hand.act('destroy');
  assert.equal(hand.cache, 'b');
  hand.act('destroy');
  assert.equal(hand.cache, undefined);
  hand.alloc(1);
  hand.free();
  assert.equal(hand.session.shown.lesson.steps.length, 4, 'nothing to do it to');
});

test('what is freed is the object that is picked, else the newest of the cache, on the CPU in hand', () => {
  const hand = handWith('create a 64; create b 128; alloc a 2; alloc b; alloc a');
  hand.choose('a');
  assert.equal(hand.toFree?.number, 4);
  hand.pickNeighbour(-1);
  assert.equal(hand.picked, 4);
  hand.pickNeighbour(-1);
  assert.equal(hand.picked, 3);
  hand.pickNeighbour(1);
  hand.pickNeighbour(1);
  assert.equal(hand.picked, 1, 'round and round');
  hand.cpu.value = 1;
  hand.free();
  assert.equal(hand.session.shown.lesson.last?.text, 'free 1 cpu=1');
  assert.equal(hand.picked, undefined);
  assert.deepEqual(
    hand.live.map(({ number }) => number),
    [2, 3, 4],
  );
  hand.session.shown.lesson.machine.validate();
});

test('many at once end where one is refused', () => {
  const hand = handWith('create a 64');
  hand.alloc(8);
  hand.wait();
  const { lesson } = hand.session.shown;
  assert.equal(lesson.state.objects.length, 8);
  assert.equal(lesson.last?.text, 'wait 2000');
  hand.cpu.value = 7;
  hand.alloc(8);
  assert.match(hand.session.shown.refused ?? '', /CPUs 0 to 1, not 7/);
  assert.equal(hand.session.shown.lesson.state.objects.length, 8);
});
