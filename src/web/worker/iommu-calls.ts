/**
 * What the IOMMU view asks of its worker: to run a load, and then to look at the tables that it left. The domain stays open until the next
 * load, so that any address can be walked.
 */
import { ArgumentError, MIB } from '../../base/index.js';
import {
  generateIommuLoad,
  type IommuLoad,
  type IommuOptions,
  type IommuResult,
  type IommuWalk,
  type OpenIommu,
  openIommu,
  parseIommuScript,
  readIommuLoad,
} from '../../lab/index.js';
import type { Call, CallContext, Handlers } from './call.js';
import { type FileGiven, openFile, wholeText } from './files.js';

/** Where a load comes from. */
export type LoadSource =
  | { readonly kind: 'generated'; readonly seed: number; readonly ops: number }
  | { readonly kind: 'script'; readonly text: string }
  /** A script or a recorded workload, packed or not. */
  | { readonly kind: 'file'; readonly file: FileGiven };

export interface IommuAsk {
  readonly load: LoadSource;
  readonly options: Pick<IommuOptions, 'tables' | 'freeEmpty' | 'era' | 'faults'>;
}

export interface IommuReply {
  /** As `slablab iommu --json` prints it; nothing is freed yet, so that `freed` is null. */
  readonly result: IommuResult;
  /** The descriptors of the first level; empty where there is no domain. */
  readonly words: Uint32Array;
}

/** Steps of a walk: entries with their fields in words. */
export type WalkSteps = IommuWalk['steps'];

export interface IommuCalls {
  iommu: Call<IommuAsk, IommuReply>;
  /** How an address is read. Throws for one that has more bits than the domain's input. */
  iommuWalk: Call<{ readonly iova: number }, WalkSteps>;
  /** The entries of the second-level table behind an entry of the first; undefined where no table is. */
  iommuTable: Call<{ readonly index: number }, WalkSteps | undefined>;
}

const PAGE = 4096;
const TELL_MS = 80;

export function iommuHandlers(): Handlers<IommuCalls> {
  let open: OpenIommu | undefined;
  const domainOf = () => {
    if (open?.domain == null) throw new ArgumentError('there is no domain: run a load first');
    return open.domain;
  };
  return {
    async iommu({ load: source, options }, context) {
      context.tell({ what: 'reading the load', events: 0, share: undefined, elapsed: 0 });
      const load = await loadOf(source);
      open = openIommu(load, options, progressOf(load, options, context));
      return { result: open.result, words: open.domain?.l1Words() ?? new Uint32Array(0) };
    },
    iommuWalk({ iova }) {
      const domain = domainOf();
      if (!Number.isSafeInteger(iova) || iova < 0 || iova >= 2 ** domain.config.ias)
        throw new ArgumentError(
          `an input address has ${domain.config.ias} bits here: there is no 0x${iova.toString(16)} to walk`,
        );
      return domain.walk(iova);
    },
    iommuTable({ index }) {
      const domain = domainOf();
      const first = domain.walk(index * MIB);
      if (first.length < 2) return undefined;
      return Array.from({ length: MIB / PAGE }, (_, i) => domain.walk(index * MIB + i * PAGE)[1]!);
    },
  };
}

/** Throws InputError for a text that is no load, with the line. */
export async function loadOf(source: LoadSource): Promise<IommuLoad> {
  if (source.kind === 'generated') return generateIommuLoad({ seed: source.seed, ops: source.ops });
  if (source.kind === 'script') return parseIommuScript(source.text, 'script');
  return readIommuLoad(await textOf(source.file), source.file.name);
}

/** A script is a text like any other, which no reader of traces knows; what is packed is unpacked as they do it. */
async function textOf(file: FileGiven): Promise<string> {
  const { blob } = file;
  if (blob === undefined) return wholeText(await openFile(file));
  const [first = 0, second = 0] = new Uint8Array(await blob.slice(0, 2).arrayBuffer());
  const packed = (first === 0x1f && second === 0x8b) || (first === 0x28 && second === 0xb5);
  return packed ? wholeText(await openFile(file)) : blob.text();
}

/** Told after each operation; a comparison does all of them twice. */
function progressOf(load: IommuLoad, { freeEmpty }: IommuAsk['options'], { tell }: CallContext): () => void {
  const all = load.steps.length * (freeEmpty ? 2 : 1);
  const begun = performance.now();
  let done = 0;
  let told = 0;
  return () => {
    // The clock is dearer than most operations.
    if ((++done & 63) !== 0) return;
    const elapsed = performance.now() - begun;
    if (elapsed - told < TELL_MS) return;
    told = elapsed;
    tell({ what: 'mapping and unmapping', events: done, share: done / all, elapsed });
  };
}
