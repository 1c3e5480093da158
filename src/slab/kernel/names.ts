/** Kernels by what people call them: a release that has no profile is taken for the last one before it that has. */
import { lookUp, UnknownNameError } from '../../base/index.js';
import { KERNELS } from './kernels.js';
import type { KernelProfile } from './profile.js';

/** The last profile that is not newer than a release such as `6.18` or `6.18.44`; undefined where all are, or for no release. */
export function kernelBefore(release: string): string | undefined {
  const wanted = numbersOf(release);
  if (wanted === undefined) return undefined;
  return [...KERNELS.keys()].findLast((name) => {
    const [major = 0, minor = 0] = numbersOf(name) ?? [];
    return major < wanted[0] || (major === wanted[0] && minor <= wanted[1]);
  });
}

/** The profile of this name. Throws UnknownNameError, which names the one to take instead of a release that has none. */
export function kernelNamed(name: string): KernelProfile {
  const before = kernelBefore(name);
  if (KERNELS.has(name) || before === undefined) return lookUp('kernel', name, KERNELS);
  throw new UnknownNameError('kernel', name, [...KERNELS.keys()], [before]);
}

function numbersOf(release: string): readonly [major: number, minor: number] | undefined {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(release) ?? [];
  return major === undefined || minor === undefined ? undefined : [Number(major), Number(minor)];
}
