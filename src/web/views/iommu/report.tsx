/** What came of a load: figures, sentences, what failed, and what giving back empty tables would change. */
import { formatAddress, formatBytes, formatCount } from '../../../base/index.js';
import { formatRatio, type IommuResult, type SecondLevel } from '../../../lab/index.js';

type Fact = readonly [name: string, what: string, value: string, raw: number];

function factsOf({ load, firstLevel, secondLevel }: IommuResult): Fact[] {
  const { live, empty, peakLive, endBytes, above4GiB } = secondLevel;
  const asked = live * 1024;
  return [
    ['operations', 'operations', formatCount(load.operations), load.operations],
    ['mapped', 'mapped', formatBytes(firstLevel?.mappedBytes ?? 0), firstLevel?.mappedBytes ?? 0],
    ['live', 'tables live', formatCount(live), live],
    ['empty', 'of them empty', formatCount(empty), empty],
    ['peak', 'at most live', formatCount(peakLive), peakLive],
    ['held', 'held for tables', formatBytes(endBytes), endBytes],
    [
      'ratio',
      '× asked',
      asked === 0 ? '–' : formatRatio(endBytes / asked),
      asked === 0 ? 0 : endBytes / asked,
    ],
    ['above', 'came from above 4 GiB', formatCount(above4GiB), above4GiB],
    ['failed', 'refused', formatCount(load.failed), load.failed],
    ['bugs', 'driver bugs that bit', formatCount(load.bugs), load.bugs],
  ];
}

/** Facts of which more than none is bad news. */
const BAD = new Set(['above', 'failed', 'bugs']);

export function Facts({ result }: { readonly result: IommuResult }) {
  const { domain, crash, load } = result;
  return (
    <>
      {domain.refused !== null && (
        <p class="failure">✗ alloc_io_pgtable_ops returns NULL: {domain.refused}.</p>
      )}
      {crash !== null && (
        <p class="failure">
          ✗ The kernel crashes at {load.unit} {formatCount(crash.line)}, <code>{crash.text}</code>:{' '}
          {crash.message}
        </p>
      )}
      <dl class="iommu-facts">
        {factsOf(result).map(([name, what, value, raw]) => (
          <div key={name} class={BAD.has(name) && raw > 0 ? 'bad' : ''}>
            <dt>{what}</dt>
            <dd class="iommu-fact" data-fact={name} data-value={raw}>
              {BAD.has(name) && raw > 0 ? '✗ ' : ''}
              {value}
            </dd>
          </div>
        ))}
      </dl>
    </>
  );
}

export function Words({ words }: Pick<IommuResult, 'words'>) {
  if (words.length === 0) return null;
  return (
    <ul class="iommu-words">
      {words.map((sentence) => (
        <li key={sentence}>{sentence}</li>
      ))}
    </ul>
  );
}

// ---- given back --------------------------------------------------------------------------------------------------------------

interface Row {
  readonly what: string;
  readonly of: (level: SecondLevel) => number;
  readonly format: (value: number) => string;
}

const bytes = (value: number) => formatBytes(Math.round(value));
const ROWS: readonly Row[] = [
  { what: 'held at the end', of: (level) => level.endBytes, format: bytes },
  { what: 'held at the peak', of: (level) => level.peakBytes, format: bytes },
  { what: 'held on average', of: (level) => level.meanBytes, format: bytes },
  { what: 'tables live at the end', of: (level) => level.live, format: formatCount },
  { what: 'of them empty', of: (level) => level.empty, format: formatCount },
  { what: 'tables allocated', of: (level) => level.allocated, format: formatCount },
];

export function FreeEmpty({ freeEmpty }: Pick<IommuResult, 'freeEmpty'>) {
  if (freeEmpty === null) return null;
  const { kernel, freeing } = freeEmpty;
  return (
    <section class="iommu-free-empty" aria-label="If empty tables were given back">
      <h3>If tables were given back when they become empty</h3>
      <table>
        <thead>
          <tr>
            <th scope="col">
              <span class="visually-hidden">figure</span>
            </th>
            <th scope="col" class="num">
              kernel
            </th>
            <th scope="col" class="num">
              given back
            </th>
          </tr>
        </thead>
        <tbody>
          {ROWS.map(({ what, of, format }) => (
            <tr key={what}>
              <th scope="row">{what}</th>
              <td class="num" data-value={of(kernel)}>
                {format(of(kernel))}
              </td>
              <td class="num" data-value={of(freeing)}>
                {format(of(freeing))}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}

// ---- what went wrong ---------------------------------------------------------------------------------------------------------

/** Of a long list, the first. */
const SHOWN = 50;

export function Troubles({ result }: { readonly result: IommuResult }) {
  const { failures, bugs, lookups, load } = result;
  return (
    <>
      {load.failed > 0 && (
        <details class="iommu-list">
          <summary>
            What failed: {formatCount(load.failed)} of {formatCount(load.done)} operations
            {load.skipped > 0 && `; ${formatCount(load.skipped)} unmaps of what was never mapped left out`}
          </summary>
          <ol>
            {failures.slice(0, SHOWN).map(({ line, text, ret, error, asked, achieved, messages }) => (
              <li key={line}>
                {load.unit} {formatCount(line)}: <code>{text}</code> →{' '}
                {error === null
                  ? `${formatBytes(achieved)} of ${formatBytes(asked)} unmapped`
                  : `-${error} (${ret})${achieved === 0 ? '' : `, ${formatBytes(achieved)} of ${formatBytes(asked)} stay mapped`}`}
                {messages[0] !== undefined && <pre>{messages[0]}</pre>}
              </li>
            ))}
          </ol>
          <More all={load.failed} />
        </details>
      )}
      {load.bugs > 0 && (
        <details class="iommu-list">
          <summary>Bugs of the kernel’s driver that bit: {formatCount(load.bugs)}</summary>
          <ol>
            {bugs.slice(0, SHOWN).map(({ line, text, words, iova }) => (
              <li key={`${line} ${iova} ${words}`}>
                {load.unit} {formatCount(line)}: <code>{text}</code>: {words}
              </li>
            ))}
          </ol>
          <More all={load.bugs} />
        </details>
      )}
      {lookups.length > 0 && (
        <details class="iommu-list">
          <summary>iova_to_phys: {formatCount(lookups.length)}</summary>
          <ol>
            {lookups.slice(0, SHOWN).map(({ line, iova, paddr }) => (
              <li key={line}>
                {load.unit} {formatCount(line)}: {formatAddress(iova)} →{' '}
                {paddr === 0 ? '0, nothing' : formatAddress(paddr)}
              </li>
            ))}
          </ol>
          <More all={lookups.length} />
        </details>
      )}
    </>
  );
}

function More({ all }: { readonly all: number }) {
  return all > SHOWN ? <p class="muted">… and {formatCount(all - SHOWN)} more</p> : null;
}
