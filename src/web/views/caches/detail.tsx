/** One cache: how it is laid out, how full its slabs are, who allocates from it, what its files say. */
import { batch } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { formatBytes, formatCount, formatShare, largestOf } from '../../../base/index.js';
import {
  type CacheAt,
  type CacheSlab,
  freelistWords,
  LAYOUT_FACTS,
  LAYOUT_NAMES,
  type Pin,
  type SiteAt,
  siteWords,
  taskWords,
} from '../../../lab/index.js';
import { shownCache } from '../../parts/cache-label.js';
import { useAnswer } from '../../parts/use-answer.js';
import { goTo } from '../../state/link.js';
import { selection, type ViewName, whatIfs } from '../../state/store.js';
import type { CacheMoment } from '../../worker/caches-calls.js';
import { engine } from '../../worker/client.js';
import { flagWords, otherNames } from './columns.js';
import { barWords, fullnessBars } from './histogram.js';
import { ObjectPicture, SlabPicture } from './pictures.js';

export function CacheDetailPanel({
  name,
  row,
  set,
}: {
  readonly name: string;
  readonly row: number;
  /** The what-if whose machine is shown; '' is as recorded. */
  readonly set: string;
}) {
  const { value, failure, isWaiting } = useAnswer(
    () => engine.call('cache', { set, name, row }),
    `${row} ${name}`,
    `${set} ${name}`,
  );
  const close = () => {
    selection.value = {};
  };
  return (
    <aside class="cache-detail" aria-label={`Cache ${name}`} aria-busy={isWaiting}>
      <header>
        <h2 class="mono">{shownCache(value?.at.name ?? name)}</h2>
        <button
          type="button"
          class="quiet"
          onClick={close}
          aria-label="Close, back to all caches"
          title="Close (Esc)"
        >
          ✕
        </button>
      </header>
      {failure !== undefined && <p class="failure">{failure.message}</p>}
      {failure === undefined && value === undefined && <p class="waiting">Looking …</p>}
      {value === null && (
        <p>
          This machine has no cache called <span class="mono">{name}</span>.
        </p>
      )}
      {value && <Detail moment={value} isRecorded={set === ''} />}
    </aside>
  );
}

function Detail({ moment, isRecorded }: { readonly moment: CacheMoment; readonly isRecorded: boolean }) {
  const { at, layout, sites, pins, slabs } = moment;
  return (
    <>
      <Summary at={at} isKmalloc={/\bKMALLOC\b/.test(layout.flagNames)} />
      <Part title="How full its slabs are">
        <Histogram moment={moment} />
        {isRecorded && <SparseSlabs slabs={slabs} cache={at} />}
      </Part>
      <Part title="Who allocates">
        <div class="scroll-x">
          <Sites sites={sites} />
        </div>
      </Part>
      {pins.length > 0 && (
        <Part title="Who keeps slabs of which at most a quarter is live">
          <Pins pins={pins} />
        </Part>
      )}
      <Part
        title={`One slab: ${formatBytes(layout.slabBytes)}, ${layout.objects} × ${layout.slabSize} bytes`}
      >
        <SlabPicture layout={layout} />
        {'freelist' in layout && <p class="muted">{freelistWords(layout, null)}</p>}
      </Part>
      <Part title={`One object: ${layout.slabSize} bytes`}>
        <ObjectPicture layout={layout} />
      </Part>
      <Part title="Numbers">
        <Facts moment={moment} />
      </Part>
      <Files moment={moment} />
    </>
  );
}

function Part({ title, children }: { readonly title: string; readonly children: ComponentChildren }) {
  return (
    <section>
      <h3>{title}</h3>
      {children}
    </section>
  );
}

function Summary({ at, isKmalloc }: { readonly at: CacheAt; readonly isKmalloc: boolean }) {
  const { name, slabs, bytes, live, objects, use, wasted, recoverable, objectSize, flags } = at;
  const others = otherNames(at);
  return (
    <>
      {others.length > 0 && (
        <p>
          Shared with <span class="mono">{others.join(', ')}</span>.
        </p>
      )}
      <p>
        {slabs === 0
          ? 'It has no slab.'
          : `${formatCount(live)} of ${formatCount(objects)} objects live (${formatShare(use)}) in ${formatCount(slabs)} ` +
            `slab${slabs === 1 ? '' : 's'}, ${formatBytes(bytes)}; ${formatBytes(wasted)} are no live object’s, ` +
            `${formatBytes(recoverable)} could be freed by packing them side by side.`}
      </p>
      {flags !== '' && <p class="muted">{flagWords(flags)}</p>}
      <p class="what-if-links">
        What if {!isKmalloc && <IdeaLink set={`${name}.size=${objectSize + 8}`}>it grew by 8 bytes</IdeaLink>}
        <IdeaLink set={`${name}.slub_debug=FZPU`}>it were debugged</IdeaLink>
        <IdeaLink set={`${name}.strategy=page_frag-4k`}>page_frag held its objects</IdeaLink>
      </p>
    </>
  );
}

/** A link that can be opened elsewhere, and that a click follows without losing the cursor or the range. */
function PlaceLink({
  view,
  query,
  title,
  onGo,
  children,
}: {
  readonly view: ViewName;
  readonly query: string;
  readonly title?: string;
  readonly onGo: () => void;
  readonly children: ComponentChildren;
}) {
  return (
    <a
      class="button"
      href={`#${view}?${query}`}
      title={title}
      onClick={(event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        batch(() => {
          onGo();
          goTo(view);
        });
      }}
    >
      {children}
    </a>
  );
}

function IdeaLink({ set, children }: { readonly set: string; readonly children: ComponentChildren }) {
  const go = () => {
    whatIfs.value = [set, ...whatIfs.value.filter((each) => each !== set)];
  };
  return (
    <PlaceLink view="whatif" query={`set=${encodeURIComponent(set)}`} onGo={go}>
      {children}
    </PlaceLink>
  );
}

function Histogram({ moment: { histogram, at } }: { readonly moment: CacheMoment }) {
  const bars = fullnessBars(histogram);
  const most = Math.max(largestOf(bars.map(({ slabs }) => slabs)), 1);
  if (at.slabs === 0) return <p class="muted">It has no slab.</p>;
  const full = at.objectsPerSlab;
  return (
    <figure class="histogram">
      <ul>
        {bars.map((bar) => {
          const words = `${formatCount(bar.slabs)} slab${bar.slabs === 1 ? '' : 's'}, ${barWords(bar, full)}`;
          return (
            <li key={bar.from} title={words} data-slabs={bar.slabs}>
              <span class="visually-hidden">{words}</span>
              <span class="count" aria-hidden="true">
                {bar.slabs > 0 ? formatCount(bar.slabs) : ''}
              </span>
              <span class="bar" aria-hidden="true" style={{ height: `${(bar.slabs / most) * 100}%` }} />
            </li>
          );
        })}
      </ul>
      <figcaption>
        <span>empty</span>
        <span>live objects of a slab →</span>
        <span>full ({full})</span>
      </figcaption>
    </figure>
  );
}

const SLABS_LINKED = 8;

/** Links into the memory view, which shows the recorded machine: the slabs that few objects keep. */
function SparseSlabs({ slabs, cache }: { readonly slabs: readonly CacheSlab[]; readonly cache: CacheAt }) {
  const shown = slabs.filter(({ live, objects }) => live < objects).slice(0, SLABS_LINKED);
  if (shown.length === 0) return null;
  return (
    <p class="slab-links">
      The sparsest:{' '}
      {shown.map(({ frame, live, objects }) => (
        <PlaceLink
          key={frame}
          view="memory"
          query={`slab=${frame}&frame=${frame}&cache=${encodeURIComponent(cache.name)}`}
          title={`The slab at page frame ${frame}, in the map of the memory`}
          onGo={() => {
            selection.value = { cache: cache.name, frame, slab: frame };
          }}
        >
          {live}/{objects}
        </PlaceLink>
      ))}
    </p>
  );
}

const SITES_TOLD = 40;

function Sites({ sites }: { readonly sites: readonly SiteAt[] }) {
  if (sites.length === 0) return <p class="muted">No object of it is live, and no event allocated one.</p>;
  const rest = sites.length - SITES_TOLD;
  return (
    <>
      <table class="facts">
        <thead>
          <tr>
            <th>function</th>
            <th class="number">live</th>
            <th class="number" title="What it asked for, of what is live">
              asked
            </th>
            <th class="number" title="Slabs in which its objects lie">
              slabs
            </th>
            <th class="number" title="In the whole trace">
              allocs
            </th>
            <th class="number" title="In the whole trace">
              frees
            </th>
          </tr>
        </thead>
        <tbody>
          {sites.slice(0, SITES_TOLD).map(({ site, live, bytes, slabs, allocs, frees }) => (
            <tr key={site}>
              <td class="mono">{siteWords(site)}</td>
              <td class="number">{formatCount(live)}</td>
              <td class="number">{formatBytes(bytes)}</td>
              <td class="number">{formatCount(slabs)}</td>
              <td class="number">{formatCount(allocs)}</td>
              <td class="number">{formatCount(frees)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {rest > 0 && <p class="muted">and {formatCount(rest)} more</p>}
    </>
  );
}

function Pins({ pins }: { readonly pins: readonly Pin[] }) {
  return (
    <table class="facts">
      <thead>
        <tr>
          <th>allocated by</th>
          <th>task</th>
          <th class="number">objects</th>
          <th class="number">slabs</th>
          <th class="number">memory</th>
        </tr>
      </thead>
      <tbody>
        {pins.map(({ site, comm, pids, objects, slabs, bytes }) => (
          <tr key={`${site} ${comm}`}>
            <td class="mono">{siteWords(site)}</td>
            <td class="mono">{taskWords({ comm, pids })}</td>
            <td class="number">{formatCount(objects)}</td>
            <td class="number">{formatCount(slabs)}</td>
            <td class="number">{formatBytes(bytes)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Facts({ moment: { layout } }: { readonly moment: CacheMoment }) {
  return (
    <table class="facts">
      <tbody>
        {LAYOUT_FACTS.map(({ name, value, note }) => {
          const text = value(layout);
          return text === null ? null : (
            <tr key={name} data-fact={name}>
              <th scope="row" class="mono">
                {name}
              </th>
              <td class="number">{text}</td>
              <td class="muted">{note(layout)}</td>
            </tr>
          );
        })}
        {LAYOUT_NAMES.map(({ name, value }) => {
          const text = value(layout);
          return text === null ? null : (
            <tr key={name} data-fact={name}>
              <th scope="row" class="mono">
                {name}
              </th>
              <td colSpan={2} class="mono words">
                {text.replaceAll('|', ' | ')}
              </td>
            </tr>
          );
        })}
      </tbody>
    </table>
  );
}

/** What the machine's own files say of it, as `slablab sysfs` writes them. */
function Files({ moment: { files, directory, slabinfo, at } }: { readonly moment: CacheMoment }) {
  return (
    <>
      {files.length > 0 && (
        <Part title={`/sys/kernel/slab/${directory ?? at.name}`}>
          <table class="facts files">
            <tbody>
              {files.map(([name, text]) => (
                <tr key={name} data-file={name}>
                  <th scope="row" class="mono">
                    {name}
                  </th>
                  <td class="mono words">{text.trimEnd()}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Part>
      )}
      <Part title="/proc/slabinfo">
        <pre class="mono">{slabinfo}</pre>
      </Part>
    </>
  );
}
