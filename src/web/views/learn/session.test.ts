import assert from 'node:assert/strict';
import { test } from 'node:test';
import { GFP } from '../../../machine/index.js';
import { LessonSession } from './session.js';
import { TOURS } from './tour.js';

const place = (session: LessonSession) => Object.fromEntries(session.place);

test('the tour goes on and back without doing anything twice', () => {
  const session = new LessonSession();
  assert.deepEqual(place(session), {});
  session.goToStop(3);
  const { steps } = session.shown.lesson;
  assert.deepEqual(place(session), { tour: '4' });
  session.goToStop(1);
  assert.equal(session.shown.lesson.position, 1);
  session.goToStop(3);
  assert.deepEqual(session.shown.lesson.steps, steps);
  session.goTo(2);
  assert.deepEqual(place(session), { tour: '4', step: '2' });
  session.goToStop(99);
  assert.equal(session.shown.stop, TOURS.slub.length - 1);
  assert.equal(session.shown.refused, undefined);
});

test('a step of one’s own leaves the tour, which can be taken up again', () => {
  const session = new LessonSession();
  session.goToStop(2);
  assert.ok(session.do({ kind: 'alloc', name: 'tables', cpu: 1, gfp: GFP.KERNEL }));
  assert.equal(session.shown.stop, undefined);
  assert.equal(session.shown.left, 2);
  assert.match(place(session).lesson!, /^create tables .*;alloc tables;alloc tables cpu=1$/);
  session.goToStop(session.shown.left);
  assert.equal(session.shown.lesson.steps.length, 2);
});

test('what is refused says why, and the next thing forgets it', () => {
  const session = new LessonSession();
  assert.equal(session.do({ kind: 'shrink', name: 'nothing' }), false);
  assert.match(session.shown.refused!, /no cache is called 'nothing'/);
  assert.equal(session.play('create t 64; alloc t 3; freee 2'), false);
  assert.match(session.shown.refused!, /lesson:3: .*did you mean 'free'/);
  assert.equal(session.play('create t 64; alloc t 3; free 9; alloc t'), false);
  assert.equal(session.shown.lesson.steps.length, 4, 'what came before it is done');
  assert.ok(session.play('create t 64; alloc t 3; free 2'));
  assert.equal(session.shown.refused, undefined);
  assert.equal(session.play(Array(3).fill('alloc t 512').join(';')), false);
  assert.match(session.shown.refused!, /at most 1000 steps, not 1536/);
});

test('an address leads to the same lesson', () => {
  const session = new LessonSession();
  const link = new LessonSession();
  const same = () => {
    link.follow(session.place);
    assert.deepEqual(place(link), place(session));
    assert.deepEqual(link.shown.lesson.state.picture, session.shown.lesson.state.picture);
    link.shown.lesson.machine.validate();
  };
  session.goToStop(5);
  same();
  session.goTo(3);
  same();
  session.play('create t 200 flags=CACHE_DMA32; alloc t 30; free 3-7 cpu=1', 'slab');
  same();
  session.goTo(12);
  same();
  session.clear('slub');
  same();
  link.follow(
    new Map([
      ['tour', 'x'],
      ['allocator', 'slob'],
    ]),
  );
  assert.deepEqual(place(link), {});
});
