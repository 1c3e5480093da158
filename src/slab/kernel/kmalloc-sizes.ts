/** The sizes that kmalloc has caches for, in bytes and as their names say them: what the profiles of kernels choose from. */
export const KMALLOC_SIZES: readonly (readonly [bytes: number, name: string])[] = [
  [8, '8'],
  [16, '16'],
  [32, '32'],
  [64, '64'],
  [96, '96'],
  [128, '128'],
  [192, '192'],
  [256, '256'],
  [512, '512'],
  [1024, '1k'],
  [2048, '2k'],
  [4096, '4k'],
  [8192, '8k'],
];
