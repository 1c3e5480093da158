import { createAsRecorded, expectOutcome } from './create.js';
import {
  DESCRIBED,
  onlyBoot,
  type RecordedCache,
  RecordedKernel,
  type RecordingHead,
  undoing,
} from './recording.js';
import { type SetResult, SetTally } from './result.js';

interface MergeScenario {
  readonly group?: string;
  readonly creates: readonly (Parameters<typeof createAsRecorded>[2] & {
    readonly out: Parameters<typeof expectOutcome>[3] & { readonly aliases?: number };
  })[];
  readonly destroys: readonly {
    readonly destroy: string;
    readonly refs_before: number;
    readonly left?: {
      readonly name: string;
      readonly refcount: number;
      readonly object_size: number;
      readonly inuse?: number;
      readonly size: number;
    };
  }[];
}

export interface MergeRecording extends RecordingHead {
  readonly caches_already_there: readonly RecordedCache[];
  readonly scenarios: readonly MergeScenario[];
}

/** merge-*: caches made one after the other, kept until all are there, then destroyed in the recorded order. */
export function verifyMerge(recording: MergeRecording, set: string): SetResult {
  const kernel = new RecordedKernel(recording);
  const machine = kernel.machine(onlyBoot(recording.boots), recording.caches_already_there, DESCRIBED);
  const tally = new SetTally(set);
  const undone = undoing(machine);
  recording.scenarios.forEach((scenario, n) => {
    tally.case(`scenario ${n}${scenario.group ? ` (${scenario.group})` : ''}`, (expect) => {
      undone(() => {
        const made = new Map<string, ReturnType<typeof createAsRecorded>>();
        for (const request of scenario.creates) {
          const inCreate: typeof expect = (field, expected, got) =>
            expect(`${request.name}: ${field}`, expected, got);
          const cache = expectOutcome(inCreate, kernel, machine, request.out, request.name, () =>
            createAsRecorded(kernel, machine, request),
          );
          made.set(request.name, cache);
          if (cache && request.out.aliases !== undefined) {
            inCreate('aliases', request.out.aliases, Math.max(cache.info.refcount - 1, 0));
          }
        }
        for (const step of scenario.destroys) {
          const cache = made.get(step.destroy);
          expect(`destroy ${step.destroy}`, true, cache !== undefined && cache !== null);
          if (!cache) continue;
          expect(`destroy ${step.destroy}: refs_before`, step.refs_before, cache.info.refcount);
          cache.destroy();
          const left = machine.caches().includes(cache) ? cache.info : undefined;
          expect(
            `destroy ${step.destroy}: left`,
            step.left,
            left && {
              name: left.name,
              refcount: left.refcount,
              object_size: left.objectSize,
              // SLAB has no such number.
              ...(left.slab === undefined && { inuse: left.inuse }),
              size: left.size,
            },
          );
        }
      });
    });
  });
  machine.validate();
  return tally.result();
}
