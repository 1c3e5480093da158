/** The kernels of which there is a profile. */
import { LINUX_6_1 } from './linux-6.1.js';
import { LINUX_6_12 } from './linux-6.12.js';
import { LINUX_7_3 } from './linux-7.3.js';
import type { KernelProfile } from './profile.js';

/** The kernels that `kernel` can name, by their version. */
export const KERNELS: ReadonlyMap<string, KernelProfile> = new Map(
  [LINUX_6_1, LINUX_6_12, LINUX_7_3].map((profile) => [profile.name, profile]),
);
