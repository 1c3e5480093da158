/** What replays found, in sentences. Each can be checked against the figures. */
import { counted, formatBytes, formatCount, formatShare } from '../../base/index.js';
import { cacheDifferences } from './differences.js';
import type { CacheResult, ReplayResult } from './result.js';

/** How many caches or pins a sentence tells. */
const TOLD = 3;

/** What a what-if's result is called: its settings, or `as recorded`; `as told` where a person said other than the snapshots do. */
export function replayName({
  settings,
  machine,
}: Pick<ReplayResult, 'settings'> & Partial<Pick<ReplayResult, 'machine'>>): string {
  if (settings.length > 0) return settings.join(' ');
  return (machine?.overruled.length ?? 0) > 0 ? 'as told' : 'as recorded';
}

/** A cache's name as it is shown: with a `?` where it is only likely. What nothing names begins with one. */
export function cacheLabel({ name, isCertain }: Pick<CacheResult, 'name' | 'isCertain'>): string {
  return isCertain ? name : `${name}?`;
}

/** Labels of a result's caches by their names. */
export function cacheLabels({ caches }: Pick<ReplayResult, 'caches'>): (name: string) => string {
  const labels = new Map(caches.map((cache) => [cache.name, cacheLabel(cache)]));
  return (name) => labels.get(name) ?? name;
}

/** Labels of several results' caches by their names: who is likely in one of them is likely in all. */
export function labelsOf(results: readonly Pick<ReplayResult, 'caches'>[]): (name: string) => string {
  const each = results.map(cacheLabels);
  return (name) => each.map((label) => label(name)).find((label) => label !== name) ?? name;
}

/** `Linux 6.1?, SLUB?`, `4 CPUs`, `6.00 GiB?`: what was made up has a `?`. */
export function machineParts({ machine }: Pick<ReplayResult, 'machine'>): string[] {
  const { evidence } = machine;
  const mark = (fact: keyof typeof evidence) => (evidence[fact] === 'assumed' ? '?' : '');
  return [
    `Linux ${machine.kernel}${mark('kernel')}, ${machine.allocator.toUpperCase()}${mark('allocator')}`,
    `${counted(machine.cpus, 'CPU')}${mark('cpus')}`,
    `${formatBytes(machine.memory)}${mark('memory')}`,
    ...(machine.pageSize === 4096 ? [] : [`pages of ${formatBytes(machine.pageSize)}${mark('pageSize')}`]),
  ];
}

/** One result by itself. */
export function resultWords(result: ReplayResult): string[] {
  const { peak, end, recoverable, emptyBytes, pins, orderFallbacks, failed } = result;
  const words = [
    `${shownName(result)}: objects hold ${formatBytes(peak.bytes)} at the peak, for ${formatBytes(peak.requested)} that were ` +
      `asked for, and ${formatBytes(end.bytes)} at the end, for ${formatBytes(end.requested)}.`,
  ];
  if (recoverable > 0) {
    const share = formatShare(recoverable / Math.max(end.bytes, 1));
    const empty = emptyBytes > 0 ? `, of which ${formatBytes(emptyBytes)} hold no object at all` : '';
    words.push(
      `${formatBytes(recoverable)} at the end (${share}) could be freed by packing the live objects of each cache side by side${empty}.`,
    );
  }
  const [pin] = pins;
  if (pin !== undefined) {
    const cache = cacheLabels(result)(pin.cache);
    const who = pin.site === '' ? 'from before the trace' : `(${pin.site}, ${pin.comm})`;
    words.push(
      `Biggest pin: ${counted(pin.objects, 'object')} of ${cache} ${who} ${pin.objects === 1 ? 'keeps' : 'keep'} ` +
        `${formatBytes(pin.bytes)} in ${counted(pin.slabs, 'sparse slab')}.`,
    );
  }
  if (orderFallbacks > 0)
    words.push(`${counted(orderFallbacks, 'slab')} had to be of a smaller order than preferred.`);
  if (failed > 0) words.push(`${counted(failed, 'allocation')} found no memory.`);
  return words;
}

/** What a what-if costs against another result, mostly the machine as it was recorded. */
export function compareReplays(base: ReplayResult, other: ReplayResult): string[] {
  const name = shownName(other);
  const held = difference(base.peak.bytes, other.peak.bytes);
  const words = [
    `${name} holds ${formatBytes(other.peak.bytes)} at the peak, ${held} ${comparedWith(base, held)} ` +
      `(${formatBytes(base.peak.bytes)}), and ${formatBytes(other.end.bytes)} at the end, ${difference(base.end.bytes, other.end.bytes)}.`,
  ];
  const caches = cacheDifferences([base, other]);
  if (caches.length > 0) {
    const label = labelsOf([base, other]);
    const told = caches
      .slice(0, TOLD)
      .map(({ name: cache, peaks: [before, after] }) => `${label(cache)} ${signed(after! - before!)}`);
    const rest = caches.length > TOLD ? ` and ${counted(caches.length - TOLD, 'other cache')}` : '';
    words.push(`The peaks that differ most: ${told.join(', ')}${rest}.`);
  }
  const more = [
    ['could be freed by packing', base.recoverable, other.recoverable, formatBytes],
    ['slabs of a smaller order than preferred', base.orderFallbacks, other.orderFallbacks, formatCount],
    ['allocations that found no memory', base.failed, other.failed, formatCount],
  ] as const;
  for (const [what, before, after, format] of more)
    if (before !== after) words.push(`${capital(what)}: ${format(after)} instead of ${format(before)}.`);
  return words;
}

/** Settings are written as they were given, also at a sentence's beginning. */
const shownName = (result: ReplayResult) =>
  result.settings.length === 0 ? capital(replayName(result)) : replayName(result);

const AS_MUCH = 'as much';

/** `48 KiB (0.5 %) more`, `as much`. */
function difference(before: number, after: number): string {
  if (before === after) return AS_MUCH;
  const by = Math.abs(after - before);
  return `${formatBytes(by)} (${formatShare(by / Math.max(before, 1))}) ${after > before ? 'more' : 'less'}`;
}

/** `than as recorded`, and after `as much`: `as recorded`, `as slub_max_order=0`. */
function comparedWith(base: ReplayResult, held: string): string {
  const name = replayName(base);
  if (held !== AS_MUCH) return `than ${name}`;
  return base.settings.length === 0 ? name : `as ${name}`;
}

const signed = (bytes: number) => `${bytes < 0 ? '-' : '+'}${formatBytes(Math.abs(bytes))}`;
const capital = (text: string) => `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
