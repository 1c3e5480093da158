import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMeter, progressWords } from './progress.js';

test('progress is told with its rate, its share and the time left', () => {
  const at = { events: 3_200_000, bytes: 41, size: 100 };
  assert.equal(progressWords(at, 2000), '3.2 M events, 1.6 M a second, 41 %, 3 s left');
  assert.equal(progressWords({ ...at, events: 5000, size: undefined }, 10_000), '5,000 events, 500 a second');
  assert.equal(
    progressWords({ ...at, bytes: 1 }, 2000),
    '3.2 M events, 1.6 M a second, 1 %, 3 min 18 s left',
  );
  assert.equal(progressWords({ ...at, bytes: 0 }, 1000), '3.2 M events, 3.2 M a second');
});

test('nothing is told of what takes less than a second, then ten times a second', () => {
  const lines: string[] = [];
  let now = 5000;
  const terminal = {
    progress(text: string) {
      lines.push(text);
      return () => {
        lines.push('cleared');
      };
    },
  };
  const meter = createMeter(terminal, 'reading x', () => now);
  const tell = (ms: number) => {
    now = 5000 + ms;
    meter.tell({ events: ms, bytes: ms, size: 4000 });
  };
  for (const ms of [0, 500, 999]) tell(ms);
  assert.deepEqual(lines, []);
  for (const ms of [1000, 1050, 1099, 1100]) tell(ms);
  meter.done();
  meter.done();
  assert.deepEqual(lines, [
    'reading x: 1,000 events, 1,000 a second, 25 %, 3 s left',
    'cleared',
    'reading x: 1,100 events, 1,000 a second, 27 %, 3 s left',
    'cleared',
  ]);
});
