/** Opening files: from a drop, a click on an example, or the address; with progress, a cancel, and the reason where it fails. */
import { batch, signal } from '@preact/signals';
import type { Failure, Progress } from '../worker/call.js';
import { CancelledError, EngineFailure, engine } from '../worker/client.js';
import type { FileGiven } from '../worker/files.js';
import { cursor, opened, range, selection } from './store.js';

/** What is being opened, and how far that has come; undefined when nothing is. */
export const opening = signal<
  { readonly names: string; readonly progress: Progress | undefined } | undefined
>(undefined);
/** Why the last file could not be opened. */
export const failure = signal<Failure | undefined>(undefined);

interface OpenOptions {
  /** The address says where to look at: leave cursor, range and selection as they are. */
  readonly keepPlace?: boolean;
}

/** Opens files together: a trace with its snapshots, or one of anything. Returns whether they are open. */
export async function openFiles(
  files: readonly FileGiven[],
  { keepPlace = false }: OpenOptions = {},
): Promise<boolean> {
  const names = files.map(({ name }) => name).join(', ');
  if (opening.value !== undefined) cancelOpening();
  const mine = { names, progress: undefined };
  batch(() => {
    failure.value = undefined;
    opening.value = mine;
  });
  try {
    const reply = await engine.call('open', { files }, (progress) => {
      opening.value = { names, progress };
    });
    batch(() => {
      opened.value = reply;
      opening.value = undefined;
      if (keepPlace) return;
      cursor.value = undefined;
      range.value = undefined;
      selection.value = {};
    });
    return true;
  } catch (error) {
    if (error instanceof CancelledError) return false;
    batch(() => {
      opening.value = undefined;
      failure.value =
        error instanceof EngineFailure ? error.failure : { code: 'internal', message: String(error) };
    });
    return false;
  }
}

/** Ends the worker. What was open before went with it. */
export function cancelOpening(): void {
  engine.cancel();
  batch(() => {
    opening.value = undefined;
    opened.value = undefined;
  });
}
