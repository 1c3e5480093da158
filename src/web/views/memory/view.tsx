/**
 * The machine's memory in front of the cursor's event: its page frames as a map, a slab from within, and what keeps sparse slabs.
 *
 * The address says what is in sight: `map` the cells, `frame` the picked page, `slab` and `object` what is looked into, `cache` what is
 * picked out of the others.
 */
import { formatCount } from '../../../base/index.js';
import { useAnswer } from '../../parts/use-answer.js';
import { opened, selection, shownCursor } from '../../state/store.js';
import { engine } from '../../worker/client.js';
import '../../parts/facts.css';
import { FrameMap } from './map.js';
import './memory.css';
import { Side } from './side.js';
import { SlabView } from './slab.js';

export function MemoryView() {
  return opened.value?.kind === 'trace' ? <Memory /> : <NothingOpen />;
}

function NothingOpen() {
  return (
    <section class="empty-state" aria-label="Memory">
      <h2>No trace is open</h2>
      <p>
        The memory is that of a recorded machine. <a href="#start">Open a trace or an example</a>, then its
        page frames are here: who holds them, down to the objects of a slab, and who allocated those.
      </p>
    </section>
  );
}

function Memory() {
  const row = shownCursor.value;
  const { frame: pickedFrame, slab: enteredFrame } = selection.value;
  const memory = useAnswer(() => engine.call('memory', { row }), String(row), opened.value);
  const at = memory.value;
  const looked = enteredFrame ?? pickedFrame;
  const isThere = at !== undefined && looked !== undefined && looked < at.frames;
  const frame = useAnswer(
    isThere ? () => engine.call('frame', { row, frame: looked }) : undefined,
    isThere ? `${row} ${looked}` : '',
    opened.value,
  );
  const slab = useAnswer(
    isThere ? () => engine.call('slab', { row, frame: looked }) : undefined,
    isThere ? `${row} ${looked}` : '',
    opened.value,
  );
  const failure = memory.failure ?? frame.failure ?? slab.failure;
  if (failure !== undefined) return <p class="failure">The memory cannot be shown: {failure.message}</p>;
  if (at === undefined) return <p class="waiting">Replaying up to event {formatCount(row)} …</p>;
  const frameNow = isThere && frame.value?.frame === looked ? frame.value : undefined;
  const slabNow = isThere ? holding(slab.value, looked) : undefined;
  const props = { at, frame: frameNow, slab: slabNow, enter };
  return (
    <section class="memory" aria-label="Memory" aria-busy={memory.isWaiting}>
      {enteredFrame === undefined ? (
        <FrameMap at={at} slab={slabNow} pick={pick} enter={enter} />
      ) : slabNow === undefined ? (
        <NoSlab row={row} frame={enteredFrame} isWaiting={slab.isWaiting} />
      ) : (
        <SlabView slab={slabNow} leave={leave} />
      )}
      <Side {...props} />
    </section>
  );
}

/** An answer that is about this frame; one about another is on its way. */
function holding<T extends { readonly firstFrame: number; readonly frames: number }>(
  slab: T | null | undefined,
  frame: number,
): T | undefined {
  return slab && frame >= slab.firstFrame && frame < slab.firstFrame + slab.frames ? slab : undefined;
}

function pick(frame: number): void {
  const { cache, ...rest } = selection.peek();
  const { frame: before } = rest;
  if (before === frame) return enter(frame);
  selection.value = { ...(cache !== undefined && { cache }), frame };
}

function enter(frame: number): void {
  const { cache } = selection.peek();
  selection.value = { ...(cache !== undefined && { cache }), frame, slab: frame };
}

function leave(): void {
  const { cache, frame } = selection.peek();
  selection.value = { ...(cache !== undefined && { cache }), ...(frame !== undefined && { frame }) };
}

/** At this moment there is no slab: it may have been before, or will be. */
function NoSlab({
  row,
  frame,
  isWaiting,
}: {
  readonly row: number;
  readonly frame: number;
  readonly isWaiting: boolean;
}) {
  if (isWaiting) return <p class="waiting">Looking …</p>;
  return (
    <div class="empty-state">
      <h2>No slab at page {formatCount(frame)}</h2>
      <p>
        In front of event {formatCount(row)} this page is no part of a slab. Move the cursor, or go{' '}
        <button type="button" onClick={leave}>
          back to the map
        </button>
        .
      </p>
    </div>
  );
}
