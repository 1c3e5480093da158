/**
 * The operations of a recorded workload (schema `v7s-workload-1`, truth/README.md) as a load to be run again: what a driver
 * mapped and unmapped, without what the kernel made of it.
 */
import { InputError, isObject, parseJson, UnknownNameError } from '../../base/index.js';
import type { IoPgtableConfig } from '../../iommu/index.js';
import { GFP } from '../../machine/index.js';
import { refuseOtherFile } from '../../trace/index.js';
import { parseQuirks } from './names.js';
import { type IommuLoad, type IommuStep, parseIommuScript } from './script.js';

const SCHEMA = 'v7s-workload-1';

/** Reads a load of either kind: JSON is a recorded workload, all else a script. Throws InputError as their readers do. */
export function readIommuLoad(text: string, file: string): IommuLoad {
  refuseOtherFile(text, file, 'a load');
  return /^\s*[{[]/.test(text) ? readRecordedLoad(text, file) : parseIommuScript(text, file);
}

/** Reads the text of such a file, its first run. Throws InputError with the file's name and what was expected there. */
export function readRecordedLoad(text: string, file: string): IommuLoad {
  const json = parseJson(text, file);
  const fail = (what: string, got: unknown): never => {
    const shown = JSON.stringify(got) ?? 'nothing';
    const stands = shown.length > 80 ? `${shown.slice(0, 80)}…` : shown;
    throw new InputError(file, 1, `expected ${what}, but there stands ${stands}`);
  };
  if (!isObject(json) || !isObject(json.meta) || json.meta.schema !== SCHEMA)
    return fail(`"meta": {"schema": "${SCHEMA}"}`, isObject(json) ? (json.meta ?? json) : json);
  const { meta, runs } = json;
  const run: unknown = Array.isArray(runs) ? runs[0] : undefined;
  if (!isObject(run) || !Array.isArray(run.ops)) return fail('"runs" with a run that has "ops"', runs);
  const prot = meta.prot ?? 3;
  if (!isAddress(prot)) return fail('"prot" as a number', prot);
  const steps = run.ops.map((row: unknown, i): IommuStep => {
    const step = readRow(row, prot, i + 1);
    return (
      step ??
      fail(`operation ${i + 1} as ["B", iova, len, base, chunk, stride, …] or ["V", iova, len, …]`, row)
    );
  });
  return {
    title: 'display, camera, video and apps, recorded from Linux 6.1',
    source: file,
    unit: 'operation',
    steps,
    careful: true,
    ...(isObject(meta.cfg) && { config: readConfig(meta.cfg, fail) }),
  };
}

/** `B` maps a buffer whose chunk k lies at base + k × stride, `V` unmaps one. */
function readRow(row: unknown, prot: number, line: number): IommuStep | undefined {
  if (!Array.isArray(row)) return undefined;
  const [kind, iova, size, paddr, chunk, stride] = row as unknown[];
  if (!isAddress(iova) || !isAddress(size)) return undefined;
  if (kind === 'V') return { kind: 'unmap', iova, size, line };
  if (kind !== 'B' || !isAddress(paddr) || !isAddress(chunk) || !isAddress(stride)) return undefined;
  if (chunk === 0 || chunk >= size)
    return { kind: 'map', iova, paddr, size, chunk: size, stride: size, prot, gfp: GFP.KERNEL, line };
  return { kind: 'map', iova, paddr, size, chunk, stride, prot, gfp: GFP.KERNEL, line };
}

function readConfig(
  cfg: Record<string, unknown>,
  fail: (what: string, got: unknown) => never,
): IoPgtableConfig {
  const { ias = 32, oas = 32, quirks = [], pgsizes, coherent = true } = cfg;
  if (!isAddress(ias) || !isAddress(oas) || !Array.isArray(quirks) || typeof coherent !== 'boolean')
    return fail('"cfg" with ias, oas, quirks and coherent', cfg);
  return {
    ias,
    oas,
    coherentWalk: coherent,
    quirks: readQuirks(quirks, fail),
    ...(pgsizes !== undefined && { pgsizeBitmap: Number(pgsizes) }),
  };
}

function readQuirks(quirks: readonly unknown[], fail: (what: string, got: unknown) => never): number {
  try {
    return parseQuirks(quirks.map(String));
  } catch (error) {
    if (!(error instanceof UnknownNameError)) throw error;
    return fail('quirks of short descriptors', quirks);
  }
}

function isAddress(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}
