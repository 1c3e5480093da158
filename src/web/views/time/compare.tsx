/**
 * What `slablab compare` prints of a workload, live: a row of the table is a strategy; one that is pointed at, or picked, has its curve in
 * front of the others.
 */
import { useState } from 'preact/hooks';
import { formatBytes, formatCount, formatMiB, formatShare, largestOf, MIB } from '../../../base/index.js';
import { formatRatio, ramWords, type StrategyResult } from '../../../lab/index.js';
import { Canvas, type Draw } from '../../parts/canvas.js';
import { rankColour } from '../../parts/colours.js';
import { extras, setExtra } from '../../state/store.js';
import type { OpenedWorkload } from '../../worker/open-calls.js';
import { byteTicks } from './scale.js';

export function CompareView({ workload: { result } }: { readonly workload: OpenedWorkload }) {
  const [pointed, setPointed] = useState<string>();
  const { workload, machine, strategies, words } = result;
  const picked = extras.value.get('strategy');
  const front = strategies.find(({ id }) => id === pointed) ?? strategies.find(({ id }) => id === picked);
  return (
    <section class="compare" aria-label="Strategies compared">
      <h2>Where should {formatBytes(workload.objectSize)} IOMMU tables come from?</h2>
      <p class="muted">
        {formatCount(workload.events)} events: {workload.title} · at most {formatCount(workload.peakLive)}{' '}
        live · {machine.name}: {ramWords(machine)} · Linux {machine.kernel} · {machine.cpus} CPUs
      </p>
      <div class="compare-plot">
        <Canvas
          draw={drawCurves(result, front)}
          label="Bytes held over the events, a curve for each strategy"
        />
      </div>
      <Table strategies={strategies} front={front} onPoint={setPointed} />
      {front !== undefined && (
        <p class="compare-words">
          <strong>{front.name}:</strong> {front.why}
          {front.messages.length > 0 && (
            <>
              {' '}
              The kernel says: <code>{front.messages[0]}</code>
            </>
          )}
        </p>
      )}
      {words.map((sentence) => (
        <p class="compare-words" key={sentence}>
          {sentence}
        </p>
      ))}
    </section>
  );
}

const HEADS = ['peak', 'mean', 'end', 'freed', '× asked', 'above 4 GiB', 'refused, failed'];

interface TableProps {
  readonly strategies: readonly StrategyResult[];
  readonly front: StrategyResult | undefined;
  /** Told the id of the strategy that is pointed at. */
  readonly onPoint: (id: string | undefined) => void;
}

function Table({ strategies, front, onPoint }: TableProps) {
  const picked = extras.value.get('strategy');
  return (
    <div class="compare-table-place">
      <table class="compare-table" onPointerLeave={() => onPoint(undefined)}>
        <thead>
          <tr>
            <th scope="col">strategy</th>
            {HEADS.map((head) => (
              <th key={head} scope="col" class="num">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {strategies.map((each, rank) => (
            <tr
              key={each.id}
              class={front === each ? 'picked' : undefined}
              onPointerEnter={() => onPoint(each.id)}
            >
              <th scope="row">
                <button
                  type="button"
                  class="plain"
                  aria-pressed={picked === each.id}
                  onFocus={() => onPoint(each.id)}
                  onBlur={() => onPoint(undefined)}
                  onClick={() => setExtra('strategy', picked === each.id ? undefined : each.id)}
                >
                  <span class="swatch" style={{ background: rankColour(rank) }} /> {fails(each) ? '✗ ' : ''}
                  {each.name}
                </button>
              </th>
              <td class="num">{sizeOf(each.peakBytes)}</td>
              <td class="num">{sizeOf(each.meanBytes)}</td>
              <td class="num">{sizeOf(each.endBytes)}</td>
              <td class="num">{sizeOf(each.drainedBytes)}</td>
              <td class="num">{formatRatio(each.wastePeak)}</td>
              <td class="num">{formatShare(each.shareAbove4GiB)}</td>
              <td class="num">
                {each.refused + each.failed === 0 ? '–' : formatCount(each.refused + each.failed)}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}

/** In MiB, as the whole column is; what is less than shows is still something. */
function sizeOf(bytes: number): string {
  return bytes > 0 && bytes < 0.005 * MIB ? '<0.01 MiB' : formatMiB(bytes);
}

function fails({ refused, failed }: StrategyResult): boolean {
  return refused + failed > 0;
}

/** Above so many times what is asked for a curve would press all others flat. */
const TOP_OF_ASKED = 6;

function drawCurves(
  { workload, strategies }: OpenedWorkload['result'],
  front: StrategyResult | undefined,
): Draw {
  return (context, width, height, palette) => {
    const served = strategies.filter((each) => !fails(each));
    const highest = Math.max(largestOf(served.map(({ peakBytes }) => peakBytes)), workload.askedPeakBytes);
    const top =
      Math.max(Math.min(highest, workload.askedPeakBytes * TOP_OF_ASKED), front?.peakBytes ?? 0) * 1.03;
    const y = (bytes: number) => height - 2 - (bytes / top) * (height - 10);
    context.font = '11px system-ui, sans-serif';
    context.lineWidth = 1;
    for (const bytes of byteTicks(top, 5)) {
      const at = Math.round(y(bytes)) + 0.5;
      context.strokeStyle = palette.line;
      context.beginPath();
      context.moveTo(0, at);
      context.lineTo(width, at);
      context.stroke();
      context.fillStyle = palette.muted;
      if (bytes > 0) context.fillText(formatMiB(bytes), 4, at - 3);
    }
    const curve = (values: readonly number[], colour: string, thick: number, alpha: number) => {
      context.beginPath();
      for (const [i, bytes] of values.entries())
        context.lineTo((i / Math.max(values.length - 1, 1)) * width, y(bytes));
      context.globalAlpha = alpha;
      context.strokeStyle = colour;
      context.lineWidth = thick;
      context.stroke();
      context.globalAlpha = 1;
    };
    context.setLineDash([4, 3]);
    curve(workload.asked, palette.text, 1, 0.8);
    context.setLineDash([]);
    const order = [...strategies.entries()].sort(([, a], [, b]) => Number(a === front) - Number(b === front));
    for (const [rank, each] of order) {
      const isFront = each === front;
      curve(
        each.series,
        palette.ranks[rank % palette.ranks.length]!,
        isFront ? 3 : 1.5,
        front && !isFront ? 0.35 : 1,
      );
    }
  };
}
