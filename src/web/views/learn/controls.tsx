/** What the learner does: with which cache, on which CPU, with which flags. */
import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { ArgumentError, lookUp, parseSize, SlablabError } from '../../../base/index.js';
import { formatGfp, parseGfp } from '../../../machine/index.js';
import { parseSlabFlags, SLAB } from '../../../slab/index.js';
import { letterOf, letterStyle } from './drawing.js';
import type { Hand } from './hand.js';
import { CPUS } from './lesson.js';

/** What kernels pass, and what they should not. */
const GFPS: readonly (readonly [gfp: string, about: string])[] = [
  ['GFP_KERNEL', 'may sleep and reclaim'],
  ['GFP_ATOMIC', 'may not sleep, may use reserves'],
  ['GFP_NOWAIT', 'may not sleep'],
  ['GFP_KERNEL|__GFP_ZERO', 'zeroed'],
  ['GFP_KERNEL|GFP_DMA32', '✗ wrong: the zone is the cache’s'],
  ['GFP_KERNEL|__GFP_HIGHMEM', '✗ wrong: the zone is the cache’s'],
];

const FLAGS = [
  'CACHE_DMA32',
  'CACHE_DMA',
  'HWCACHE_ALIGN',
  'RECLAIM_ACCOUNT',
  'TYPESAFE_BY_RCU',
  'POISON',
  'RED_ZONE',
] as const;

export function Controls({ hand }: { readonly hand: Hand }) {
  const { session } = hand;
  const { names, picture } = session.shown.lesson.state;
  const cache = hand.cache;
  const rank = picture.caches.findIndex(({ id }) => id === names.get(cache ?? ''));
  const free = hand.toFree;
  const none = cache === undefined;
  return (
    <div class="learn-controls">
      <div class="learn-row">
        <label class="learn-choice">
          <span class="learn-label">cache</span>
          <select
            class="learn-select"
            aria-label="cache"
            value={cache ?? ''}
            disabled={none}
            onChange={({ currentTarget }) => hand.choose(currentTarget.value)}
          >
            {none && <option value="">none yet</option>}
            {[...names].map(([name, id]) => (
              <option key={name} value={name}>
                {name}
                {aliasWords(names, picture.caches.find((each) => each.id === id)?.name, name)}
              </option>
            ))}
          </select>
        </label>
        {rank >= 0 && (
          <span class="learn-letter" style={letterStyle(rank)}>
            {letterOf(rank)}
          </span>
        )}
        <fieldset class="group" aria-label="CPU">
          {Array.from({ length: CPUS }, (_, cpu) => (
            <button
              key={cpu}
              type="button"
              aria-pressed={hand.cpu.value === cpu}
              onClick={() => {
                hand.cpu.value = cpu;
              }}
            >
              CPU {cpu}
            </button>
          ))}
        </fieldset>
      </div>
      <label class="learn-row learn-choice">
        <span class="learn-label">gfp</span>
        <select
          class="learn-select"
          aria-label="gfp"
          value={formatGfp(hand.gfp.value)}
          onChange={({ currentTarget }) => {
            hand.gfp.value = parseGfp(currentTarget.value);
          }}
        >
          {GFPS.map(([gfp, about]) => (
            <option key={gfp} value={formatGfp(parseGfp(gfp))}>
              {gfp} · {about}
            </option>
          ))}
        </select>
      </label>
      <div class="learn-buttons">
        <Do label="alloc" keys="a" disabled={none} run={() => hand.alloc(1)} primary />
        <Do label="alloc 8" keys="8" disabled={none} run={() => hand.alloc(8)} />
        <Do
          label={free === undefined ? 'free' : `free #${free.number}`}
          keys="f"
          disabled={free === undefined}
          run={() => hand.free()}
        />
        <Do label="shrink" keys="s" disabled={none} run={() => hand.act('shrink')} />
        <Do label="destroy" keys="d" disabled={none} run={() => hand.act('destroy')} />
        <Do label="2 s pass" keys="w" disabled={false} run={() => hand.wait()} />
      </div>
    </div>
  );
}

/** A name that leads to another cache says so. */
function aliasWords(names: ReadonlyMap<string, number>, first: string | undefined, name: string): string {
  return first === undefined || first === name ? '' : ` = ${first}${names.has(first) ? '' : ' (gone)'}`;
}

interface DoProps {
  readonly label: ComponentChildren;
  readonly keys: string;
  readonly disabled: boolean;
  readonly run: () => void;
  readonly primary?: boolean;
}

function Do({ label, keys, disabled, run, primary }: DoProps) {
  return (
    <button
      type="button"
      class={primary && !disabled ? 'primary' : ''}
      disabled={disabled}
      aria-keyshortcuts={keys}
      onClick={run}
    >
      {label} <kbd>{keys}</kbd>
    </button>
  );
}

export function NewCache({ hand }: { readonly hand: Hand }) {
  const name = useSignal('');
  const size = useSignal('1024');
  const align = useSignal('');
  const ctor = useSignal(false);
  const flags = useSignal<readonly string[]>([]);
  const more = useSignal('');
  const problem = useSignal<string | undefined>(undefined);
  const { session } = hand;

  function create(event: Event): void {
    event.preventDefault();
    problem.value = undefined;
    try {
      const chosen = name.value.trim() || freshName(session.shown.lesson.state.names);
      const done = session.do({
        kind: 'create',
        name: chosen,
        size: readSize('size', size.value),
        align: align.value.trim() === '' ? 0 : readSize('align', align.value),
        flags: flags.value.reduce(
          (sum, each) => sum | lookUp('slab flag', each, BITS),
          parseSlabFlags(more.value) as number,
        ),
        ctor: ctor.value,
      });
      if (done) hand.choose(chosen);
      name.value = '';
    } catch (error) {
      if (!(error instanceof SlablabError)) throw error;
      problem.value = error.message;
    }
  }

  const text = (label: string, value: typeof size, placeholder: string) => (
    <label class="learn-field">
      <span class="learn-label">{label}</span>
      <input
        class="learn-input"
        value={value.value}
        placeholder={placeholder}
        spellcheck={false}
        onInput={({ currentTarget }) => {
          value.value = currentTarget.value;
        }}
      />
    </label>
  );
  return (
    <details class="learn-new">
      <summary>New cache</summary>
      <form onSubmit={create}>
        <div class="learn-fields">
          {text('name', name, freshName(session.shown.lesson.state.names))}
          {text('size', size, 'bytes')}
          {text('align', align, 'the kernel chooses')}
        </div>
        <fieldset class="learn-flags">
          <legend>flags</legend>
          {FLAGS.map((flag) => (
            <label key={flag} class="learn-flag">
              <input
                type="checkbox"
                checked={flags.value.includes(flag)}
                onChange={({ currentTarget }) => {
                  const without = flags.value.filter((each) => each !== flag);
                  flags.value = currentTarget.checked ? [...without, flag] : without;
                }}
              />
              <code>{flag}</code>
            </label>
          ))}
          <label class="learn-flag">
            <input
              type="checkbox"
              checked={ctor.value}
              onChange={({ currentTarget }) => {
                ctor.value = currentTarget.checked;
              }}
            />
            constructor
          </label>
          {text('others', more, 'such as ACCOUNT, or 0x10')}
        </fieldset>
        {problem.value !== undefined && (
          <p class="failure" role="alert">
            {problem.value}
          </p>
        )}
        <button type="submit">kmem_cache_create</button>
      </form>
    </details>
  );
}

const BITS: ReadonlyMap<string, number> = new Map<string, number>(FLAGS.map((flag) => [flag, SLAB[flag]]));

function readSize(what: string, text: string): number {
  try {
    return parseSize(text.trim());
  } catch {
    throw new ArgumentError(`${what}: expected bytes, such as 200 or 4K, but there stands '${text}'`);
  }
}

/** A name that no cache has. */
function freshName(names: ReadonlyMap<string, number>): string {
  for (let i = 1; ; i++) if (!names.has(`cache_${i}`)) return `cache_${i}`;
}
