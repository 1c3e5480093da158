/** Playing a trace: the cursor runs through the range, from its beginning if it stands at its end. */
import { effect, signal } from '@preact/signals';
import { cursor, opened, shownCursor, shownRange } from './store.js';

/** However long the range, it takes so long. */
const PLAY_MS = 20_000;

export const isPlaying = signal(false);

export function togglePlay(): void {
  isPlaying.value = !isPlaying.value;
}

/** Called once. */
export function runPlayback(): void {
  effect(() => {
    if (!isPlaying.value) return;
    const trace = opened.value;
    const { from, to } = shownRange.value;
    const here = shownCursor.peek();
    let row = here >= to || here < from ? from : here;
    let before = performance.now();
    let frame = requestAnimationFrame(function step(now) {
      row += ((to - from) * Math.max(now - before, 0)) / PLAY_MS;
      before = now;
      cursor.value = Math.min(Math.floor(row), to);
      if (row >= to || opened.peek() !== trace) isPlaying.value = false;
      else frame = requestAnimationFrame(step);
    });
    return () => cancelAnimationFrame(frame);
  });
}
