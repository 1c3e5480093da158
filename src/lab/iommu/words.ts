import { formatBytes, formatCount, formatShare } from '../../base/index.js';
import { STRATEGIES } from '../compare/index.js';
import type { IommuResult, SecondLevel } from './result.js';

/** What a run means, in sentences. Each can be checked against the figures. */
export function iommuWords(result: Omit<IommuResult, 'words'>): string[] {
  const words: string[] = [];
  const { secondLevel, crash, load, freeEmpty, domain, machine } = result;
  const kind = STRATEGIES.get(domain.tablesFrom);
  const mayLieAnywhere = domain.quirks.includes('ARM_MTK_TTBR_EXT');
  if (domain.refused !== null && mayLieAnywhere)
    words.push(
      'With ARM_MTK_TTBR_EXT the tables may lie anywhere below 2 to the power of oas: a larger --oas takes them.',
    );
  if (secondLevel.above4GiB > 0 && !mayLieAnywhere) {
    const why = kind === undefined ? '' : ` ${kind.name}: ${kind.why}.`;
    words.push(
      `${formatCount(secondLevel.above4GiB)} of ${formatCount(secondLevel.allocated)} tables came from above 4 GiB, where the ` +
        `32 bits of an entry cannot point, and were given back at once.${why}`,
    );
  }
  if (kind?.promisesBelow4GiB === false && machine.ramAbove4GiB === 0)
    words.push(
      'No RAM of this machine lies above 4 GiB, so that a cache without SLAB_CACHE_DMA32 does no harm on it.',
    );
  if (crash !== null) {
    const left = load.operations - load.done;
    const rest =
      left === 1 ? ' 1 operation was not done.' : ` ${formatCount(left)} operations were not done.`;
    words.push(`A kernel of that era stops there, and so does this.${left === 0 ? '' : rest}`);
  }
  if (secondLevel.empty > 0) {
    words.push(
      `${formatCount(secondLevel.empty)} of ${formatCount(secondLevel.live)} live tables map nothing: the kernel keeps a table that has ` +
        'become empty until 1 MiB or more is mapped or unmapped there, or the domain goes.',
    );
  }
  if (freeEmpty !== null) words.push(savingWords(freeEmpty.kernel, freeEmpty.freeing));
  return words;
}

/** What giving back emptied tables saves, and what it costs. */
function savingWords(kernel: SecondLevel, freeing: SecondLevel): string {
  const saved = kernel.meanBytes - freeing.meanBytes;
  const share = kernel.meanBytes === 0 ? 0 : Math.abs(saved) / kernel.meanBytes;
  const verb = saved < 0 ? 'cost' : 'save';
  const memory = `${formatBytes(Math.round(Math.abs(saved)))} on average (${formatShare(share)})`;
  const more = freeing.allocated - kernel.allocated;
  const times = `${formatCount(more)} ${more === 1 ? 'table' : 'tables'} more`;
  const cost =
    more <= 0
      ? 'no table more would be allocated'
      : `${times} would be allocated (${formatShare(more / kernel.allocated)})`;
  return `To give tables back when they become empty would ${verb} ${memory}; ${cost}.`;
}
