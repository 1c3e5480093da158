/** What a kernel's command line says to its slab allocator. */

import type { KernelProfile, MachineOptions } from '../../slab/index.js';

/** What a kernel command line says to its allocator, in its order. Other words are not for us. */
export function bootOptions(cmdline: string, profile: KernelProfile): MachineOptions {
  const words = cmdline.split(/\s+/).map((word) => word.split('=', 2) as [key: string, value?: string]);
  return profile.has.orderRange ? slubBootOptions(words, profile) : slabBootOptions(words, profile);
}

type BootWords = readonly (readonly [key: string, value?: string])[];

function slabBootOptions(words: BootWords, { allocator, orders }: KernelProfile): MachineOptions {
  const options: MachineOptions = { allocator };
  for (const [key, value] of words) {
    if (key === 'slab_nomerge') options.slubNomerge = true;
    else if (key === 'slab_max_order')
      options.slabMaxOrder = Math.min(Math.max(Number(value), 0), orders - 1);
  }
  return options;
}

function slubBootOptions(words: BootWords, { parameterPrefixes }: KernelProfile): MachineOptions {
  const options: MachineOptions = {};
  for (const [key, value] of words) {
    if (key === 'slub_nomerge' || key === 'slab_nomerge') options.slubNomerge = true;
    const prefix = parameterPrefixes.find((p) => key.startsWith(`${p}_`));
    if (prefix === undefined) continue;
    const name = key.slice(prefix.length + 1);
    if (name === 'min_order') options.slubMinOrder = Number(value);
    else if (name === 'max_order') options.slubMaxOrder = Number(value);
    else if (name === 'min_objects') options.slubMinObjects = Number(value);
    // Without letters it is all of the usual ones.
    else if (name === 'debug') options.slubDebug = value || 'FZPU';
  }
  return options;
}
