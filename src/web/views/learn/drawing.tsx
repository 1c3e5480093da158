/** A small machine, drawn: its caches with their slabs and lists, and its zones page by page. */
import { formatAddress, formatBytes } from '../../../base/index.js';
import { rankColour } from '../../parts/colours.js';
import { inkOn } from '../../parts/ink.js';
import type { ArrayPicture, CachePicture, Picture, SlabPicture, ZonePicture } from './picture.js';
import { type DrawingProps, SlabCard } from './slab-card.js';

/** `A` for the first cache, in its drawing and on its pages. */
export const letterOf = (rank: number) => String.fromCharCode('A'.charCodeAt(0) + (rank % 26));

/** A square in a cache's colour with its letter. */
export function letterStyle(rank: number): { background: string; color: string } {
  const background = rankColour(rank);
  return { background, color: inkOn(background) };
}

export function Caches(props: DrawingProps) {
  const { picture } = props;
  if (picture.caches.length === 0)
    return (
      <p class="learn-empty muted">
        No cache yet. The tour’s next stop makes one, or make your own under “New cache”.
      </p>
    );
  return (
    <div class="learn-caches">
      {picture.caches.map((cache, rank) => (
        <Cache key={cache.id} cache={cache} rank={rank} {...props} />
      ))}
    </div>
  );
}

type CacheProps = DrawingProps & { readonly cache: CachePicture; readonly rank: number };

function Cache(props: CacheProps) {
  const { cache, rank, live } = props;
  const { info, name, leaked } = cache;
  const held = cache.slabs.reduce((sum, { bytes }) => sum + bytes, 0);
  const own = cache.slabs.flatMap(({ objects }) => objects.filter(({ address }) => live.has(address))).length;
  return (
    <section class={`learn-cache ${leaked ? 'leaked' : ''}`} aria-label={`Cache ${name}`} data-cache={name}>
      <h3>
        <span class="learn-letter" style={letterStyle(rank)}>
          {letterOf(rank)}
        </span>
        <code>{name}</code>
        <span class="learn-about">
          {leaked ? 'destroyed with live objects · ' : ''}
          {info.objectSize} bytes{info.size === info.objectSize ? '' : ` in ${info.size}`} ·{' '}
          {flagWords(cache)} · {own} live ·{' '}
          {cache.slabs.length === 1 ? '1 slab' : `${cache.slabs.length} slabs`}, {formatBytes(held)}
          {info.refcount > 1 ? ` · ${info.refcount} users` : ''}
        </span>
      </h3>
      {info.slab === undefined ? <SlubLanes {...props} /> : <SlabLanes {...props} />}
    </section>
  );
}

/** The flags that a caller gives; what the engine sets says nothing. */
function flagWords({ flags }: CachePicture): string {
  return flags === 'none' ? 'no flags' : flags.replaceAll('|', ', ');
}

interface LaneProps extends CacheProps {
  readonly title: string;
  readonly about: string;
  /** In order. */
  readonly slabs: readonly SlabPicture[];
  /** Stands in front of all slabs but the first, where they are a list. */
  readonly none: string;
}

function Lane({ title, about, slabs, none, ...props }: LaneProps) {
  return (
    <div class="learn-lane" data-lane={title}>
      <h4 class="learn-title">
        {title} <span class="learn-about">{about}</span>
      </h4>
      {slabs.length === 0 ? (
        <p class="muted learn-none">{none}</p>
      ) : (
        <div class="learn-slabs">
          {slabs.map((slab) => (
            <SlabCard key={slab.serial} slab={slab} {...props} />
          ))}
        </div>
      )}
    </div>
  );
}

function SlubLanes(props: CacheProps) {
  const { cache } = props;
  const { info } = cache;
  const slabs = pick(cache);
  const full = slabs(cache.full);
  const disabled = cache.slabs.filter(({ place }) => place === 'disabled');
  return (
    <>
      {!cache.debugged &&
        cache.cpus.map(({ cpu, active, partial }) => (
          <Lane
            key={cpu}
            {...props}
            title={`CPU ${cpu}`}
            about={activeWords(partial.length, info.cpuPartialSlabs)}
            slabs={slabs([...(active === undefined ? [] : [active]), ...partial])}
            none="keeps no slab"
          />
        ))}
      <Lane
        {...props}
        title="node"
        about={`partial list; ${info.minPartial} slabs stay even when empty`}
        slabs={slabs(cache.partial)}
        none="no slab on the partial list"
      />
      {full.length > 0 && (
        <Lane {...props} title="full" about="on no list: nobody remembers them" slabs={full} none="" />
      )}
      {disabled.length > 0 && <Lane {...props} title="given up" about="damaged" slabs={disabled} none="" />}
    </>
  );
}

function activeWords(partial: number, most: number): string {
  return partial === 0 ? 'active slab' : `active slab, then its partial list, ${partial} of at most ${most}`;
}

function SlabLanes(props: CacheProps) {
  const { cache } = props;
  const slabs = pick(cache);
  const lists = [
    ['partial', cache.partial, 'asked first'],
    ['full', cache.full, 'what lies in arrays counts as in use'],
    ['free', cache.free, 'given back when there are too many free objects'],
  ] as const;
  return (
    <>
      <div class="learn-arrays">
        {cache.cpus.map(
          ({ cpu, array }) =>
            array && <Stack key={cpu} title={`array of CPU ${cpu}`} array={array} {...props} />,
        )}
        {cache.shared && cache.shared.limit > 0 && (
          <Stack title="shared array" array={cache.shared} {...props} />
        )}
      </div>
      {lists.map(([title, ids, about]) => (
        <Lane
          key={title}
          {...props}
          title={title}
          about={about}
          slabs={slabs(ids)}
          none={`no ${title} slab`}
        />
      ))}
    </>
  );
}

/** Entries of an array that are drawn: those that come next. */
const SHOWN = 24;

function Stack({
  title,
  array: { entries, limit },
  touched,
}: DrawingProps & { readonly title: string; readonly array: ArrayPicture }) {
  const shown = entries.slice(-SHOWN).reverse();
  return (
    <div class="learn-stack" data-array={title}>
      <h4 class="learn-title">
        {title}{' '}
        <span class="learn-about">
          {entries.length} of {limit}
        </span>
      </h4>
      {shown.length === 0 ? (
        <p class="muted learn-none">empty</p>
      ) : (
        <ol class="learn-entries" aria-label={`${title}, next one first`}>
          {shown.map(({ slab, index, address }, i) => (
            <li
              key={address}
              class={`learn-entry ${i === 0 ? 'next' : ''} ${address === touched ? 'touched' : ''}`}
              title={`object ${index} of slab ${slab} at ${formatAddress(address)}${i === 0 ? ': handed out next' : ''}`}
            >
              {slab < 0 ? '?' : `${slab}·${index}`}
            </li>
          ))}
          {entries.length > SHOWN && <li class="learn-entry more">… {entries.length - SHOWN} more</li>}
        </ol>
      )}
    </div>
  );
}

function pick({ slabs }: CachePicture): (ids: readonly number[]) => SlabPicture[] {
  const byId = new Map(slabs.map((slab) => [slab.id, slab]));
  return (ids) => ids.flatMap((id) => byId.get(id) ?? []);
}

// ---- zones ---------------------------------------------------------------------------------------------------------------

export function Zones({ picture, before }: Pick<DrawingProps, 'picture' | 'before'>) {
  const ranks = new Map(picture.caches.map(({ id }, rank) => [id, rank]));
  return (
    <div class="learn-zones">
      {picture.zones.map((zone, i) => (
        <Zone key={zone.name} zone={zone} old={before.zones[i]!} ranks={ranks} picture={picture} />
      ))}
    </div>
  );
}

const COLUMNS = 32;
const PAGE = 14;

interface ZoneProps {
  readonly zone: ZonePicture;
  readonly old: ZonePicture;
  readonly ranks: ReadonlyMap<number, number>;
  readonly picture: Picture;
}

function Zone({ zone, old, ranks, picture }: ZoneProps) {
  const { pages, free, managed, min, low } = zone;
  const rows = Math.ceil(pages.length / COLUMNS);
  const orders = zone.freeBlocks.slice(0, 1 + Math.log2(pages.length));
  const label = `${zone.name}: ${free} of ${managed} pages free; free blocks by order: ${orders.join(', ')}`;
  return (
    <div class="learn-zone" data-zone={zone.name}>
      <h4 class="learn-title">
        {zone.name}{' '}
        <span class="learn-about">
          {free} of {managed} pages free · watermarks {min}, {low}
        </span>
      </h4>
      <svg viewBox={`0 0 ${COLUMNS * PAGE + 1} ${rows * PAGE + 1}`} role="img" aria-label={label}>
        {pages.map((page, i) => {
          const [x, y] = [(i % COLUMNS) * PAGE, Math.floor(i / COLUMNS) * PAGE];
          const rank = ranks.get(page.cache ?? -1);
          const name = picture.caches.find(({ id }) => id === page.cache)?.name;
          const what = page.holder === 'slab' ? `slab ${page.slab} of ${name}` : page.holder;
          return (
            <g key={page.pfn} class={`learn-page ${page.holder} ${page.first ? 'first' : ''}`}>
              <title>{`page ${page.pfn}, ${formatAddress(page.pfn * 4096)}: ${what}, in a block of order ${page.order}`}</title>
              <rect
                x={x + 0.5}
                y={y + 0.5}
                width={PAGE}
                height={PAGE}
                style={rank === undefined ? {} : { fill: rankColour(rank) }}
              />
              {page.first && (
                <>
                  <line x1={x + 0.5} y1={y} x2={x + 0.5} y2={y + PAGE + 1} />
                  <text
                    x={x + PAGE / 2 + 1}
                    y={y + PAGE - 3.5}
                    style={rank === undefined ? {} : { fill: inkOn(rankColour(rank)) }}
                  >
                    {rank === undefined ? page.order : letterOf(rank)}
                  </text>
                </>
              )}
            </g>
          );
        })}
      </svg>
      <p class="learn-orders">
        <span class="muted">free blocks</span>
        {orders.map((count, order) => (
          <span key={order} class={count === old.freeBlocks[order] ? '' : 'changed'} data-order={order}>
            <span class="muted">{order}:</span>
            {count}
          </span>
        ))}
      </p>
    </div>
  );
}
