/**
 * What the IOMMU view has on its desk: a load, what came of it, and the address that is looked at. The load and the address are in the
 * page's address as well, unless it is a file's:
 *
 *     #iommu?load=generated&seed=3&ops=5000&tables=slub&free-empty=1&at=0x10000000
 *     #iommu?load=script&script=map+0x1000+0x40000000+64K
 */
import { type Signal, signal } from '@preact/signals';
import { parseSize, SlablabError } from '../../../base/index.js';
import type { Failure, Progress } from '../../worker/call.js';
import { CancelledError, createEngine, type Engine, EngineFailure } from '../../worker/client.js';
import type { FileGiven } from '../../worker/files.js';
import type { IommuAsk, IommuReply, LoadSource } from '../../worker/iommu-calls.js';

export type LoadName = 'generated' | 'recorded' | 'script' | 'file';

/** What is chosen, as the controls have it. */
export interface Choice {
  readonly load: LoadName;
  readonly seed: number;
  readonly ops: number;
  readonly script: string;
  readonly withoutDma32: boolean;
  readonly freeEmpty: boolean;
  readonly fixed: boolean;
  readonly era: 'current' | 'v6';
}

const SCRIPT = `# A frame buffer, a scattered one, and what is left of them.
map 0x10000000 0x40000000 8M
map 0x20000000 0x51000000 256K chunk=4K stride=8K
map 0x30010000 0x60000000 64K prot=READ
unmap 0x20000000 256K
unmap 0x10000000 1M
phys 0x30010042
`;

export const FIRST_CHOICE: Choice = {
  load: 'generated',
  seed: 1,
  ops: 1000,
  script: SCRIPT,
  withoutDma32: false,
  freeEmpty: false,
  fixed: false,
  era: 'current',
};

/** Of this site: the same that `slablab iommu recorded` reads. */
const RECORDED = 'examples/v7s-workload.json.gz';
/** A script that is longer makes no link. */
const SCRIPT_MAX = 2000;
const OPS_MAX = 1_000_000;

type Run =
  | { readonly kind: 'none' }
  | { readonly kind: 'running'; readonly progress: Progress | undefined }
  | { readonly kind: 'failed'; readonly failure: Failure }
  | { readonly kind: 'cancelled' };

export class Desk {
  readonly choice: Signal<Choice> = signal(FIRST_CHOICE);
  /** A file that was dropped or chosen; it is in no address. */
  readonly file = signal<FileGiven | undefined>(undefined);
  readonly run: Signal<Run> = signal({ kind: 'none' });
  /** What came of the last run that ended well, and what of. */
  readonly done = signal<(IommuReply & { readonly choice: Choice }) | undefined>(undefined);
  /** The input address that is looked at. */
  readonly at = signal(0);
  /** A worker of its own: a trace that is open in the page's stays as it is. */
  readonly engine: Engine = createEngine();
  #asked: string | undefined;

  /** Runs what is chosen, unless just that was run. */
  async start(choice: Choice, again = false): Promise<void> {
    this.choice.value = choice;
    const ask = askOf(choice, this.file.value);
    if (ask === undefined) return;
    const key = JSON.stringify(ask);
    if (key === this.#asked && !again) return;
    if (this.run.value.kind === 'running') this.engine.cancel();
    this.#asked = key;
    this.run.value = { kind: 'running', progress: undefined };
    try {
      const reply = await this.engine.call('iommu', ask, (progress) => {
        if (this.#asked === key) this.run.value = { kind: 'running', progress };
      });
      if (this.#asked !== key) return;
      this.done.value = { ...reply, choice };
      this.run.value = { kind: 'none' };
    } catch (error) {
      if (this.#asked !== key) return;
      this.#asked = undefined;
      if (error instanceof CancelledError) this.run.value = { kind: 'cancelled' };
      else if (error instanceof EngineFailure) this.run.value = { kind: 'failed', failure: error.failure };
      else throw error;
    }
  }

  /** Ends a run in the middle. What was there before is gone with its worker. */
  cancel(): void {
    this.engine.cancel();
    this.done.value = undefined;
  }

  /** Runs a file. */
  open(file: FileGiven): void {
    this.file.value = file;
    this.start({ ...this.choice.value, load: 'file' }, true);
  }
}

/** What the worker is asked; undefined where there is no file yet. */
function askOf(choice: Choice, file: FileGiven | undefined): IommuAsk | undefined {
  const load = sourceOf(choice, file);
  if (load === undefined) return undefined;
  const { withoutDma32, freeEmpty, fixed, era } = choice;
  const options = {
    ...(withoutDma32 && { tables: 'slub' }),
    freeEmpty,
    era,
    faults: fixed ? 'fixed' : 'kernel',
  } as const;
  return { load, options };
}

function sourceOf({ load, seed, ops, script }: Choice, file: FileGiven | undefined): LoadSource | undefined {
  switch (load) {
    case 'generated':
      return { kind: 'generated', seed, ops };
    case 'recorded':
      return { kind: 'file', file: { name: RECORDED, url: new URL(RECORDED, document.baseURI).href } };
    case 'script':
      return { kind: 'script', text: script };
    case 'file':
      return file && { kind: 'file', file };
  }
}

/** What prints the same figures. */
export function commandOf({ load, seed, ops, withoutDma32, freeEmpty, fixed, era }: Choice): string {
  const words = ['slablab iommu'];
  if (load === 'generated' && seed !== FIRST_CHOICE.seed) words.push(`--seed ${seed}`);
  if (load === 'generated' && ops !== FIRST_CHOICE.ops) words.push(`--ops ${ops}`);
  if (load === 'recorded') words.push('recorded');
  if (load === 'script' || load === 'file') words.push('FILE');
  if (withoutDma32) words.push('--without-dma32');
  if (freeEmpty) words.push('--free-empty');
  if (fixed) words.push('--faults fixed');
  if (era !== 'current') words.push(`--era ${era}`);
  return words.join(' ');
}

// ---- the address -----------------------------------------------------------------------------------------------------------

/** The names that the view has in the address. */
export const EXTRAS = [
  'load',
  'seed',
  'ops',
  'script',
  'tables',
  'free-empty',
  'faults',
  'era',
  'at',
] as const;

export function extrasOf(choice: Choice, at: number): Map<string, string> {
  const { load, seed, ops, script, withoutDma32, freeEmpty, fixed, era } = choice;
  const words = new Map<string, string>();
  if (load !== FIRST_CHOICE.load && load !== 'file') words.set('load', load);
  if (load === 'generated' && seed !== FIRST_CHOICE.seed) words.set('seed', String(seed));
  if (load === 'generated' && ops !== FIRST_CHOICE.ops) words.set('ops', String(ops));
  if (load === 'script' && script !== SCRIPT && script.length <= SCRIPT_MAX) words.set('script', script);
  if (withoutDma32) words.set('tables', 'slub');
  if (freeEmpty) words.set('free-empty', '1');
  if (fixed) words.set('faults', 'fixed');
  if (era !== 'current') words.set('era', era);
  if (at !== 0) words.set('at', `0x${at.toString(16)}`);
  return words;
}

/** What an address says; what makes no sense in it is left out. */
export function choiceOf(words: ReadonlyMap<string, string>): { choice: Choice; at: number } {
  const load = (['recorded', 'script'] as const).find((each) => each === words.get('load')) ?? 'generated';
  const choice: Choice = {
    load,
    seed: wholeNumber(words.get('seed'), 0, Number.MAX_SAFE_INTEGER) ?? FIRST_CHOICE.seed,
    ops: wholeNumber(words.get('ops'), 1, OPS_MAX) ?? FIRST_CHOICE.ops,
    script: words.get('script') ?? SCRIPT,
    withoutDma32: words.get('tables') === 'slub',
    freeEmpty: words.get('free-empty') === '1',
    fixed: words.get('faults') === 'fixed',
    era: words.get('era') === 'v6' ? 'v6' : 'current',
  };
  return { choice, at: addressOf(words.get('at') ?? '') ?? 0 };
}

export function wholeNumber(text: string | undefined, least: number, most: number): number | undefined {
  if (text === undefined || !/^\d{1,15}$/.test(text.trim())) return undefined;
  const value = Number(text);
  return value >= least && value <= most ? value : undefined;
}

/** An address as a person types it: `0x10000000`, `10000000` in hex with a letter in it, `256M`; undefined for what is none. */
export function addressOf(text: string): number | undefined {
  const word = text.trim();
  try {
    return parseSize(/^[\da-f]*[a-f][\da-f]*$/i.test(word) ? `0x${word}` : word);
  } catch (error) {
    if (!(error instanceof SlablabError)) throw error;
    return undefined;
  }
}
