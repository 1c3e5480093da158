/**
 * What lies beside the compiled code: the page, and the recordings of truth/, of which the npm package
 * `slablab-cli` has the workload only.
 */
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const PACKAGE = new URL('../../', import.meta.url);

/** The workload that was recorded from a real kernel's IOMMU driver. */
export function shippedWorkloadPath(): string {
  return fileURLToPath(new URL('truth/v7s-workload.json.gz', PACKAGE));
}

/** The page, as `npm run build:page` builds it. It need not be there. */
export function shippedPagePath(): string {
  return fileURLToPath(new URL('dist/page', PACKAGE));
}

/** A file that may be a recording. */
export interface RecordingFile {
  readonly file: string;
  /** Somebody named this very file: if it is no recording, that is a mistake. */
  readonly named: boolean;
}

/** The recordings that are there, by name: those of Linux 6.1 first. */
export function shippedRecordings(): RecordingFile[] {
  return recordingsIn(fileURLToPath(new URL('truth', PACKAGE)));
}

/**
 * What a list of words on the command line stands for: a folder for the recordings in it, and in a list of several (`truth/*`) what is
 * no `.json` or `.json.gz` for something that lies beside them.
 */
export function expandRecordings(paths: readonly string[]): RecordingFile[] {
  return paths.flatMap((file) => {
    if (file !== '-' && statSync(file, { throwIfNoEntry: false })?.isDirectory()) return recordingsIn(file);
    return [{ file, named: file === '-' || paths.length === 1 || isRecordingName(file) }];
  });
}

function recordingsIn(folder: string): RecordingFile[] {
  const entries = readdirSync(folder, { withFileTypes: true }).sort((a, b) => (a.name < b.name ? -1 : 1));
  const files = entries.filter((entry) => entry.isFile() && isRecordingName(entry.name));
  const folders = entries.filter((entry) => entry.isDirectory());
  return [
    ...files.map((entry) => ({ file: join(folder, entry.name), named: false })),
    ...folders.flatMap((entry) => recordingsIn(join(folder, entry.name))),
  ];
}

function isRecordingName(name: string): boolean {
  return /\.json(\.gz)?$/.test(name);
}
