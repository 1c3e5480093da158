/** The layers by name and colour, with what each holds in front of the cursor's event, to the byte. */

import { formatBytes } from '../../../base/index.js';
import { shownCache } from '../../parts/cache-label.js';
import { useAnswer } from '../../parts/use-answer.js';
import { selection, shownCursor } from '../../state/store.js';
import { engine } from '../../worker/client.js';
import type { OpenedTrace } from '../../worker/open-calls.js';

interface LegendEntry {
  readonly name: string;
  /** Of the levels' series. */
  readonly series: number;
  readonly colour: string;
  /** It can be picked, for all views. */
  readonly isCache: boolean;
}

interface LegendProps {
  readonly trace: OpenedTrace;
  readonly whole: number | undefined;
  readonly entries: readonly LegendEntry[];
}

export function Legend({ trace, whole, entries }: LegendProps) {
  const row = shownCursor.value;
  const series = [...(whole === undefined ? [] : [whole]), ...entries.map((entry) => entry.series)];
  const { value } = useAnswer(
    () => engine.call('levelsAt', { series, row }),
    `${row} ${series.join()}`,
    trace,
  );
  const [all, ...each] = whole === undefined ? [undefined, ...(value ?? [])] : (value ?? []);
  const parts = each.reduce<number>((sum, bytes) => sum + (bytes ?? 0), 0);
  return (
    <div class="time-legend">
      <table>
        <caption class="muted">in front of the cursor's event</caption>
        <tbody>
          {all !== undefined && (
            <tr>
              <td>
                <span class="swatch" style={{ background: 'var(--other)' }} />
              </td>
              <td>all others</td>
              <td class="num">{formatBytes(Math.max(all - parts, 0))}</td>
            </tr>
          )}
          {entries.map((entry, i) => <Row key={entry.name} entry={entry} bytes={each[i]} />).reverse()}
          <tr class="time-sum">
            <td />
            <td>{all === undefined ? 'all zones' : 'pages with objects'}</td>
            <td class="num">{value === undefined ? '' : formatBytes(all ?? parts)}</td>
          </tr>
        </tbody>
      </table>
    </div>
  );
}

function Row({ entry, bytes }: { readonly entry: LegendEntry; readonly bytes: number | undefined }) {
  const { name, colour, isCache } = entry;
  const isPicked = isCache && selection.value.cache === name;
  return (
    <tr class={isPicked ? 'picked' : undefined}>
      <td>
        <span class="swatch" style={{ background: colour }} />
      </td>
      <td class="mono">
        {isCache ? (
          <button
            type="button"
            class="plain"
            aria-pressed={isPicked}
            title="Pick it, in all views"
            onClick={() => {
              selection.value = isPicked ? {} : { cache: name };
            }}
          >
            {shownCache(name)}
          </button>
        ) : (
          name
        )}
      </td>
      <td class="num">{bytes === undefined ? '' : formatBytes(bytes)}</td>
    </tr>
  );
}
