// Who is measured: one row of the tables each, in the order of the tables.
import { importCopy } from './copies.mjs';

/**
 * A row: `id` for --only and JSON, `title`, `peer` a module of peers/ (none: a program of C, `native`), `variant` what the module's `open`
 * gets, `version`, and `missing` with the reason if it cannot be measured on this machine.
 */
export async function makeRoster(npm, built) {
  const slablab = await importCopy('./peers/slablab.mjs');
  const ours = (id, title, variant) => ({
    id,
    title,
    peer: 'slablab',
    variant,
    missing: slablab.missing(variant),
  });
  const wasm = (id, title, { wasm: module, version, missing }) => ({
    id,
    title,
    peer: 'wasm',
    variant: { kind: id, module },
    version,
    missing,
  });
  const native = (id, title, { program, version, missing }) => ({
    id,
    title,
    native: program,
    version,
    missing,
  });
  return [
    ours('slablab', 'slablab', 'default'),
    ours('live-check', 'slablab, live-link check', 'live-check'),
    ours('classic', 'slablab, classic SLUB', 'classic'),
    wasm('dlmalloc', 'dlmalloc in wasm', built.dlmalloc),
    wasm('tlsf', 'AssemblyScript TLSF', built.tlsf),
    { id: 'thing', title: '@thi.ng/malloc', peer: 'thing', ...npm['@thi.ng/malloc'] },
    { id: 'codemix', title: 'codemix malloc', peer: 'codemix', ...npm.malloc },
    { id: 'pool', title: 'JS pool', peer: 'objects', variant: 'pool' },
    { id: 'buffer', title: 'Buffer.allocUnsafe', peer: 'objects', variant: 'buffer' },
    { id: 'uint8array', title: 'new Uint8Array', peer: 'objects', variant: 'uint8array' },
    native('glibc', 'C: glibc malloc', built.glibc),
    native('mimalloc', 'C: mimalloc', built.mimalloc),
    { ...native('freelist', 'C: bare freelist', built.freelist), oneSize: true },
    { id: 'loop', title: 'the loop alone', peer: 'loop', isLoop: true },
    { ...native('nothing', 'C: the loop alone', built.nothing), isLoop: true },
  ];
}
