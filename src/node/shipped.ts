/**
 * What lies beside the compiled code: package.json and the recordings of truth/, of which the npm package
 * has the workload only.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const PACKAGE = new URL('../../', import.meta.url);

/** The workload that was recorded from a real kernel's IOMMU driver. */
export function shippedWorkloadPath(): string {
  return fileURLToPath(new URL('truth/v7s-workload.json.gz', PACKAGE));
}

/** The recordings of Linux 6.1 that are there, by name. */
export function shippedRecordings(): string[] {
  const folder = new URL('truth/', PACKAGE);
  return readdirSync(folder)
    .filter((name) => name.endsWith('.json.gz'))
    .sort()
    .map((name) => fileURLToPath(new URL(name, folder)));
}

export function packageVersion(): string {
  const { version } = JSON.parse(readFileSync(new URL('package.json', PACKAGE), 'utf8')) as {
    version: string;
  };
  return version;
}
