/** How packed files begin, other than gzip, and what unpacks them. */
export interface Packer {
  readonly name: string;
  /** The first bytes, a character a byte. */
  readonly magic: string;
  /** A shell command that unpacks standard input, or the file that is named behind it. */
  readonly command: string;
}

/** The packers that are told apart, gzip aside. */
export const PACKERS: readonly Packer[] = [
  { name: 'zstd', magic: '\x28\xb5\x2f\xfd', command: 'zstd -dc' },
  { name: 'xz', magic: '\xfd7zXZ', command: 'xz -dc' },
  { name: 'bzip2', magic: 'BZh', command: 'bzip2 -dc' },
  { name: 'lz4', magic: '\x04\x22\x4d\x18', command: 'lz4 -dc' },
];

/** Whether a file begins with these bytes, a character a byte. */
export function beginsWith(bytes: Uint8Array, magic: string): boolean {
  for (let i = 0; i < magic.length; i++) if (bytes[i] !== magic.charCodeAt(i)) return false;
  return true;
}
