import { ArgumentError } from './errors.js';

/** 2^10 bytes. */
export const KIB = 1024;
/** 2^20 bytes. */
export const MIB = 1024 * KIB;
/** 2^30 bytes. */
export const GIB = 1024 * MIB;
/** 2^40 bytes. */
export const TIB = 1024 * GIB;

const SUFFIX: ReadonlyMap<string, number> = new Map([
  ['', 1],
  ['k', KIB],
  ['m', MIB],
  ['g', GIB],
  ['t', TIB],
]);

/** Reads `4096`, `512K`, `1.5G`, `4GiB`, `0x40000000`. Bytes; throws ArgumentError. */
export function parseSize(text: string): number {
  const hex = /^0x[0-9a-f]+$/i.exec(text);
  const match = /^(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?$/i.exec(text);
  const bytes = hex
    ? Number(text)
    : match
      ? Number(match[1]) * SUFFIX.get(match[2]!.toLowerCase())!
      : Number.NaN;
  if (bytes > Number.MAX_SAFE_INTEGER)
    throw new ArgumentError(
      `'${text}' is too large: sizes go up to ${Number.MAX_SAFE_INTEGER} bytes (8192T)`,
    );
  if (!Number.isNaN(bytes) && !Number.isInteger(bytes))
    throw new ArgumentError(`'${text}' is no whole number of bytes`);
  if (!Number.isSafeInteger(bytes)) {
    throw new ArgumentError(
      `'${text}' is no size: expected a number of bytes with an optional K, M, G or T, such as 4G`,
    );
  }
  return bytes;
}

/** `1.71 MiB`: two decimals under 100, one under 1000, none above; bytes below 1 KiB are whole. */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || Number.isInteger(value) || value >= 1000 ? 0 : value < 100 ? 2 : 1;
  return `${value.toFixed(digits)} ${units[unit]}`;
}

/**
 * Several sizes of one sentence, written alike: with decimals for all where one of them needs some, so that `8.00 GiB` and `5 GiB` do
 * not stand side by side.
 */
export function formatBytesAlike(sizes: readonly number[]): string[] {
  const texts = sizes.map(formatBytes);
  const isRounded = texts.some((text) => text.includes('.'));
  return texts.map((text) =>
    isRounded && !text.endsWith(' B') ? text.replace(/^(\d{1,2}) /, '$1.00 ') : text,
  );
}

/** MiB with two decimals under 100 and one above: for columns that share the unit. */
export function formatMiB(bytes: number): string {
  const mib = bytes / MIB;
  return `${mib.toFixed(mib < 100 ? 2 : 1)} MiB`;
}

/** `0x140000000`: a physical address as the kernel prints one. */
export function formatAddress(address: number): string {
  return `0x${address.toString(16)}`;
}

/** `337,378`: groups of three. */
export function formatCount(n: number): string {
  return String(n).replace(/\B(?=(\d{3})+(?!\d))/g, ',');
}

/** `1 event`, `255,387 events`, `2 classes`. */
export function counted(count: number, what: string): string {
  return `${formatCount(count)} ${what}${count === 1 ? '' : what.endsWith('s') ? 'es' : 's'}`;
}

/** `100 %`, `0 %`, `12.5 %`: a share, never rounded to all or nothing. */
export function formatShare(share: number): string {
  if (share > 0 && share < 0.001) return '< 0.1 %';
  if (share < 1 && share > 0.999) return '> 99.9 %';
  return `${(share * 100).toFixed(share === 0 || share === 1 ? 0 : 1)} %`;
}
