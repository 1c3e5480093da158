import { formatBytes, formatBytesAlike, formatCount } from '../../base/index.js';
import type { CompareResult, StrategyResult } from './result.js';

/** `8.78`, `1.0`, `13`: a ratio with the digits that matter. */
export function formatRatio(ratio: number): string {
  return ratio.toFixed(ratio < 10 ? 2 : 1);
}

/** `4 GiB of RAM from 1 GiB, 1 GiB of it above 4 GiB`. */
export function ramWords({
  ramBytes,
  ramStart,
  ramAbove4GiB,
}: Pick<CompareResult['machine'], 'ramBytes' | 'ramStart' | 'ramAbove4GiB'>): string {
  const [all, above] = formatBytesAlike(ramAbove4GiB === 0 ? [ramBytes] : [ramBytes, ramAbove4GiB]);
  return `${all} of RAM from ${formatBytes(ramStart)}, ${above ?? 'none'} of it above 4 GiB`;
}

/** What the figures mean, best first, worst last. Each sentence can be checked against the table. */
export function compareWords(result: Omit<CompareResult, 'words'>): string[] {
  const { strategies, workload } = result;
  const working = strategies.filter((s) => s.failed === 0 && s.refused === 0);
  const words: string[] = [];
  const [best] = working;
  if (best === undefined) words.push('No strategy serves every table of this workload on this machine.');
  else {
    const needs = strategies.length > 1 ? 'needs least' : 'needs';
    words.push(
      `${best.name} ${needs}: ${formatBytes(best.peakBytes)} at the peak, ${formatRatio(best.wastePeak)} × the ` +
        `${formatBytes(workload.askedPeakBytes)} that ${formatCount(workload.peakLive)} live tables ask for; ${best.why}.`,
    );
    const worst = working.at(-1)!;
    if (worst !== best) words.push(worstSentence(worst, best, working));
  }
  for (const failing of strategies.filter((s) => !working.includes(s))) words.push(failingSentence(failing));
  for (const { name, drainedBytes, reaped } of strategies) {
    if (reaped === null || reaped.bytes === drainedBytes) continue;
    const does = reaped.bytes === 0 ? 'gives all of it back' : `brings that to ${formatBytes(reaped.bytes)}`;
    words.push(
      `When all is freed ${name} still holds ${formatBytes(drainedBytes)} in arrays and free slabs; its reaper ` +
        `${does} within ${reaped.seconds} seconds.`,
    );
  }
  if (workload.endEmpty !== null && workload.endEmpty > 0) {
    words.push(
      `At the end ${formatCount(workload.endLive)} tables are live; ${formatCount(workload.endEmpty)} of them map nothing.`,
    );
  }
  return words;
}

function worstSentence(
  worst: StrategyResult,
  best: StrategyResult,
  working: readonly StrategyResult[],
): string {
  const times = formatRatio(worst.peakBytes / best.peakBytes);
  const pages = working.find((s) => s.id === 'pages');
  const beyondPages =
    pages && pages !== worst && worst.peakBytes > pages.peakBytes ? ', more than a page for each table' : '';
  return `${worst.name} holds ${times} × the memory of ${best.name}${beyondPages}: ${worst.why}.`;
}

function failingSentence(failing: StrategyResult): string {
  const parts: string[] = [];
  if (failing.refused > 0) {
    parts.push(
      `puts ${formatCount(failing.refused)} of ${formatCount(failing.allocations)} tables above 4 GiB, ` +
        `where a 32-bit entry cannot point: ${failing.why}`,
    );
  }
  if (failing.failed > 0)
    parts.push(
      `finds no memory for ${formatCount(failing.failed)} of ${formatCount(failing.allocations)} tables`,
    );
  return `${failing.name} ${parts.join(', and ')}.`;
}
