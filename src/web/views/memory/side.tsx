/** Beside the map: what is picked; zones; what the colours mean; and which few objects keep sparse slabs. */
import { useState } from 'preact/hooks';
import { counted, formatAddress, formatBytes, formatCount } from '../../../base/index.js';
import { type CacheSlab, type FrameAt, type Pin, type SlabMap, siteWords } from '../../../lab/index.js';
import { shownCache } from '../../parts/cache-label.js';
import { cacheColour, palette } from '../../parts/colours.js';
import { formatSpan } from '../../parts/format.js';
import { useAnswer } from '../../parts/use-answer.js';
import { goTo } from '../../state/link.js';
import { opened, selection } from '../../state/store.js';
import { engine } from '../../worker/client.js';
import type { MemoryAt } from '../../worker/memory-calls.js';
import { freeColour } from './draw-map.js';
import { SlabFacts } from './slab.js';
import { byWords, frameWords } from './words.js';

interface SideProps {
  readonly at: MemoryAt;
  readonly frame: FrameAt | undefined;
  readonly slab: SlabMap | undefined;
  readonly enter: (frame: number) => void;
}

export function Side({ at, frame, slab, enter }: SideProps) {
  return (
    <aside class="memory-side" aria-label="What is picked, zones, pins">
      {selection.value.slab === undefined && <Picked {...{ at, frame, slab, enter }} />}
      <Zones at={at} />
      <Colours />
      <Pins {...{ at, enter }} />
    </aside>
  );
}

function Picked({ at, frame, slab, enter }: SideProps) {
  if (frame === undefined)
    return (
      <p class="muted">
        Pick a page: a click, or the arrow keys. A double click or Enter looks into its slab.
      </p>
    );
  return (
    <section class="memory-picked" role="status" aria-label="The picked page">
      <h3>
        Page {formatCount(frame.frame)}{' '}
        {frame.pfn !== frame.frame && <span class="muted">pfn {formatCount(frame.pfn)}</span>}
      </h3>
      <p>
        <span class="mono">{formatAddress(frame.address)}</span>
        {frame.zone !== '' && `, zone ${frame.zone}`}. {slab === undefined && frameWords(frame, at.pageSize)}
        {frame.by !== null && ` ${byWords(frame.by)}.`}
      </p>
      {slab !== undefined && (
        <>
          <p>
            <span class="swatch" style={{ background: cacheColour(slab.cache) }} />{' '}
            <span class="mono">{shownCache(slab.cache)}</span> slab {slab.serial}
          </p>
          <SlabFacts slab={slab} />
          <div class="toolbar">
            <button type="button" class="primary" onClick={() => enter(frame.frame)}>
              Look inside
            </button>
            <button
              type="button"
              onClick={() => {
                selection.value = { ...selection.peek(), cache: slab.cache };
                goTo('caches');
              }}
            >
              The cache
            </button>
          </div>
        </>
      )}
    </section>
  );
}

function Zones({ at: { zones, pageSize } }: { readonly at: MemoryAt }) {
  const bytes = (pages: number) => formatBytes(pages * pageSize);
  return (
    <section>
      <h3>Zones</h3>
      <table class="facts memory-zones">
        <thead>
          <tr>
            <th>zone</th>
            <th class="number">managed</th>
            <th class="number">slabs</th>
            <th class="number" title="Handed out, and no slab">
              pages
            </th>
            <th class="number">free</th>
          </tr>
        </thead>
        <tbody>
          {zones.map((zone) => (
            <tr
              key={zone.name}
              title={`begins at ${formatAddress(zone.address)}; at most ${bytes(zone.peakTaken)} handed out`}
            >
              <th scope="row">{zone.name}</th>
              <td class="number">{bytes(zone.managed)}</td>
              <td class="number">{bytes(zone.slabs)}</td>
              <td class="number">{bytes(zone.pages)}</td>
              <td class="number">{bytes(zone.free)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

const LEGEND_CACHES = 12;

/** A click on a cache picks it out of the map. */
function Colours() {
  const open = opened.value;
  const { cache: picked } = selection.value;
  const colours = palette.value;
  if (open?.kind !== 'trace') return null;
  return (
    <section>
      <h3>Colours</h3>
      <ul class="memory-legend">
        {open.result.caches.slice(0, LEGEND_CACHES).map(({ name }) => (
          <li key={name}>
            <button
              type="button"
              class="quiet"
              aria-pressed={picked === name}
              title={picked === name ? 'All caches alike again' : 'Only this cache'}
              onClick={() => {
                const { cache, ...rest } = selection.peek();
                selection.value = cache === name ? rest : { ...rest, cache: name };
              }}
            >
              <span class="swatch" style={{ background: cacheColour(name) }} />{' '}
              <span class="mono">{shownCache(name)}</span>
            </button>
          </li>
        ))}
      </ul>
      <ul class="memory-legend inline">
        <li>
          <span class="swatch" style={{ background: colours.other }} /> other caches
        </li>
        <li>
          <span class="swatch crossed" style={{ background: colours.pages }} /> pages, no slab
        </li>
        <li>
          <span class="swatch" style={{ background: freeColour(colours, 10) }} />
          <span class="swatch" style={{ background: freeColour(colours, 5) }} />
          <span class="swatch" style={{ background: freeColour(colours, 0) }} /> free, large to single
        </li>
        <li>
          <span class="swatch" style={{ background: colours.hole }} /> no memory
        </li>
      </ul>
      <p class="muted">
        A cell is full as far as it is handed out; the strong part of a slab is what live objects take.
      </p>
    </section>
  );
}

// ---- pinned by -------------------------------------------------------------------------------------------------------------

const pinKey = ({ cache, site, comm }: Pin) => `${cache} ${site} ${comm}`;

function Pins({ at, enter }: { readonly at: MemoryAt; readonly enter: (frame: number) => void }) {
  const [open, setOpen] = useState<string>();
  const { pins, time } = at;
  return (
    <section>
      <h3 title="Slabs of which at most a quarter is live, and who allocated what is">Pinned by</h3>
      {pins.length === 0 && <p class="muted">No slab is sparse: in each more than a quarter is live.</p>}
      <ul class="memory-pins">
        {pins.map((pin) => (
          <li key={pinKey(pin)}>
            <button
              type="button"
              class="quiet"
              aria-expanded={open === pinKey(pin)}
              onClick={() => setOpen(open === pinKey(pin) ? undefined : pinKey(pin))}
            >
              <span>
                <span class="swatch" style={{ background: cacheColour(pin.cache) }} />{' '}
                <span class="mono">{shownCache(pin.cache)}</span>
              </span>
              <span class="bytes">{formatBytes(pin.bytes)}</span>
              <span class="mono site">{siteWords(pin.site)}</span>
              <span class="muted">
                {objectsWords(pin)}
                {pin.comm !== '' && ` · ${pin.comm}`} · oldest {formatSpan(Math.max(time - pin.since, 0))}
              </span>
            </button>
            {open === pinKey(pin) && <PinnedSlabs {...{ at, pin, enter }} />}
          </li>
        ))}
      </ul>
    </section>
  );
}

function objectsWords({ objects, slabs }: Pin): string {
  return `${counted(objects, 'object')} in ${counted(slabs, 'slab')}`;
}

function PinnedSlabs({
  at,
  pin,
  enter,
}: {
  readonly at: MemoryAt;
  readonly pin: Pin;
  readonly enter: (frame: number) => void;
}) {
  const { cache, site, comm } = pin;
  const { value, failure } = useAnswer<readonly CacheSlab[]>(
    () => engine.call('pinned', { row: at.row, pin: { cache, site, comm } }),
    `${at.row} ${pinKey(pin)}`,
    opened.value,
  );
  if (failure !== undefined) return <p class="failure">{failure.message}</p>;
  if (value === undefined) return <p class="muted">Looking …</p>;
  return (
    <p class="memory-pinned">
      {value.map(({ frame, live, objects, serial }) => (
        <button
          key={frame}
          type="button"
          title={`Slab ${serial}, at page ${formatCount(frame)}: ${live} of ${objects} objects live`}
          onClick={() => enter(frame)}
        >
          {live}/{objects}
        </button>
      ))}
    </p>
  );
}
