/** Learn: a small machine to be tried out, step by step and back, alone or along a tour. Needs no file. */
import { useSignal } from '@preact/signals';
import { useLayoutEffect } from 'preact/hooks';
import { formatCount } from '../../../base/index.js';
import { ALLOCATORS } from '../../../slab/index.js';
import { useKeys } from '../../parts/keys.js';
import { useExtras } from '../../parts/use-extras.js';
import { Controls, NewCache } from './controls.js';
import { Caches, Zones } from './drawing.js';
import { Hand } from './hand.js';
import './learn.css';
import type { LessonStep } from './lesson.js';
import { LessonSession } from './session.js';

/** It goes on where it was left when one comes back to the view. */
const session = new LessonSession();
const hand = new Hand(session);

const NAMES = ['allocator', 'tour', 'lesson', 'step'] as const;

export function LearnView() {
  // Whatever changes is drawn again.
  const { shown } = session;
  useExtras(
    NAMES,
    () => session.place,
    (place) => session.follow(place),
  );
  useLearnKeys();
  const { lesson } = shown;
  const live = new Map(hand.live.map((object) => [object.address as number, object]));
  const drawing = {
    picture: lesson.state.picture,
    before: lesson.before.picture,
    live,
    touched: lesson.last?.address,
    picked: hand.picked,
    onFree: (object: Parameters<Hand['free']>[0]) => hand.free(object),
  };
  return (
    <section class="learn" aria-label="Learn">
      <div class="learn-side">
        <Tour />
        <Controls hand={hand} />
        <div class="learn-more">
          <NewCache hand={hand} />
          <Script />
        </div>
      </div>
      <div class="learn-main">
        <Steps />
        <div class="learn-told">
          <Told step={lesson.last} />
          <Zones {...drawing} />
        </div>
        <Caches {...drawing} />
      </div>
    </section>
  );
}

function useLearnKeys(): void {
  const { lesson, left, stop } = session.shown;
  useKeys([
    { keys: 'a', does: 'alloc', run: () => hand.alloc(1) },
    { keys: '8', does: 'alloc eight times', run: () => hand.alloc(8) },
    { keys: 'f', does: 'free the object that is picked, or the newest', run: () => hand.free() },
    {
      keys: 'ArrowLeft ArrowRight',
      shown: '← →',
      does: 'pick another live object',
      run: ({ key }) => hand.pickNeighbour(key === 'ArrowLeft' ? -1 : 1),
    },
    {
      keys: 'c',
      does: 'the other CPU',
      run: () => {
        hand.cpu.value = 1 - hand.cpu.value;
      },
    },
    { keys: 's', does: 'shrink the cache', run: () => hand.act('shrink') },
    { keys: 'd', does: 'destroy the cache', run: () => hand.act('destroy') },
    { keys: 'w', does: 'let two seconds pass', run: () => hand.wait() },
    { keys: ',', does: 'take the last step back', run: () => session.goTo(lesson.position - 1) },
    { keys: '.', does: 'do it again', run: () => session.goTo(lesson.position + 1) },
    {
      keys: 'n',
      does: 'next stop of the tour',
      run: () => session.goToStop(stop === undefined ? left : stop + 1),
    },
    { keys: 'p', does: 'stop before', run: () => session.goToStop((stop ?? left + 1) - 1) },
  ]);
}

// ---- the tour --------------------------------------------------------------------------------------------------------------

function Tour() {
  const { tour } = session;
  const { stop, left, lesson } = session.shown;
  const at = stop ?? left;
  const { title, words } = tour[at] ?? tour[0]!;
  const alone = stop === undefined;
  const isLast = !alone && at === tour.length - 1;
  return (
    <section class="learn-tour" aria-label="Tour">
      <div class="learn-row">
        <fieldset class="group" aria-label="Allocator">
          {[...ALLOCATORS.values()].map((each) => (
            <button
              key={each}
              type="button"
              aria-pressed={lesson.allocator === each}
              onClick={() => lesson.allocator !== each && session.goToStop(0, each)}
            >
              {each.toUpperCase()}
            </button>
          ))}
        </fieldset>
        <select
          class="learn-select"
          aria-label="Stop of the tour"
          value={alone ? '' : String(stop)}
          onChange={({ currentTarget: { value } }) => value !== '' && session.goToStop(Number(value))}
        >
          {alone && <option value="">on your own</option>}
          {tour.map((each, i) => (
            <option key={each.title} value={String(i)}>
              {i + 1}. {each.title}
            </option>
          ))}
        </select>
      </div>
      <div class="learn-stop" aria-live="polite">
        {alone ? (
          <>
            <h2>On your own</h2>
            <p>
              Click a live object to free it, or use the keys. The tour stopped at “{title}”; to go on there
              starts it anew from that stop.
            </p>
          </>
        ) : (
          <>
            <h2>{title}</h2>
            <p>{words}</p>
          </>
        )}
      </div>
      <div class="learn-row learn-ways">
        <button
          type="button"
          disabled={!alone && at === 0}
          onClick={() => session.goToStop(alone ? 0 : at - 1)}
        >
          {alone ? 'From the start' : '◂ Back'}
        </button>
        <span class="muted">
          {at + 1} of {tour.length}
        </span>
        <button
          type="button"
          class={isLast ? '' : 'primary'}
          disabled={isLast}
          onClick={() => session.goToStop(alone ? left : at + 1)}
        >
          {alone ? 'Back to the tour' : 'Next ▸'}
        </button>
      </div>
    </section>
  );
}

// ---- steps -----------------------------------------------------------------------------------------------------------------

function Steps() {
  const { lesson, stop } = session.shown;
  const { position, steps } = lesson;
  const words = `step ${formatCount(position)} of ${formatCount(steps.length)}`;
  return (
    <div class="learn-steps">
      <button type="button" disabled={position === 0} onClick={() => session.goTo(position - 1)}>
        ◂ undo <kbd>,</kbd>
      </button>
      <button type="button" disabled={position === steps.length} onClick={() => session.goTo(position + 1)}>
        redo ▸ <kbd>.</kbd>
      </button>
      <input
        type="range"
        class="learn-range"
        min={0}
        max={Math.max(steps.length, 1)}
        value={position}
        disabled={steps.length === 0}
        aria-label="Step"
        aria-valuetext={words}
        onInput={({ currentTarget }) => session.goTo(Number(currentTarget.value))}
      />
      <span class="learn-count">{words}</span>
      <button
        type="button"
        disabled={steps.length === 0 && stop === undefined}
        onClick={() => session.clear()}
      >
        Start with nothing
      </button>
    </div>
  );
}

function Told({ step }: { readonly step: LessonStep | undefined }) {
  const { refused } = session.shown;
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: who has no wheel scrolls a long story with keys.
    <section class="learn-story" aria-label="What the step did" aria-live="polite" tabIndex={0}>
      {refused !== undefined && (
        <p class="failure" role="alert">
          Not done: {refused}
        </p>
      )}
      {step === undefined ? (
        <p class="muted">
          Nothing was done yet. What each step does is told here, with the kernel’s own names.
        </p>
      ) : (
        <>
          <h3>
            <code class="learn-act">{step.text}</code> <span class="learn-path">{step.story.path}</span>
          </h3>
          {step.printed.length > 0 && (
            <div class="learn-printed">
              <strong>The kernel prints</strong>
              <pre>{step.printed.join('\n')}</pre>
            </div>
          )}
          <ol>
            {step.story.sentences.map(({ by, words }, i) => (
              <li key={i}>
                {by !== '' && <code>{by}</code>} {words}
              </li>
            ))}
          </ol>
        </>
      )}
    </section>
  );
}

// ---- as text ---------------------------------------------------------------------------------------------------------------

function Script() {
  const { script } = session;
  const own = useSignal<string | undefined>(undefined);
  const now = script.join('\n');
  // What was typed stays until something else is done.
  useLayoutEffect(() => {
    own.value = undefined;
  }, [now]);
  const text = own.value ?? now;
  return (
    <details class="learn-script">
      <summary>As text</summary>
      <p class="muted">
        One act a line. The page’s address has all of it: a link to it is a link to this lesson.
      </p>
      <textarea
        aria-label="The lesson as text"
        rows={8}
        spellcheck={false}
        value={text}
        onInput={({ currentTarget }) => {
          own.value = currentTarget.value;
        }}
      />
      <button type="button" onClick={() => session.play(text)}>
        Start anew with this
      </button>
    </details>
  );
}
