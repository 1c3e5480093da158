/**
 * What the what-if view asks of workers.
 *
 * Two machines are replayed side by side, each in a worker of its own, so that neither waits for the other and both can be cancelled
 * without losing what is open. The page's worker saves its trace as a .slt, and the others open that, however it came to be open.
 */
import { prepareReplay, type ReplayResult, readWhatIf, replay, type Snapshots } from '../../lab/index.js';
import { memoryBytes, openTraceFile } from '../../trace/index.js';
import type { Call, Handlers } from './call.js';
import type { Session } from './session.js';

/** A trace on its way from one worker to another. */
export interface LentTrace {
  /** The bytes of a .slt. */
  readonly slt: Blob;
  /** What messages call it. */
  readonly file: string;
  readonly snapshots: Snapshots | undefined;
}

export interface WhatIfCalls {
  /** The snapshots of the open trace, if there are any. */
  snapshots: Call<null, Snapshots | undefined>;
  /** Opens what another worker saved. */
  borrow: Call<LentTrace, null>;
  /** Replays the open trace under settings as `--set` takes them; '' is as recorded. */
  whatIf: Call<{ readonly set: string }, ReplayResult>;
}

export function whatifHandlers(session: Session): Handlers<WhatIfCalls> {
  return {
    snapshots: () => session.recorded.snapshots,
    async borrow({ slt, file, snapshots }) {
      const trace = openTraceFile(memoryBytes(new Uint8Array(await slt.arrayBuffer())), file);
      session.open(trace, prepareReplay({ trace, snapshots }), () => {});
      return null;
    },
    whatIf({ set }, { tell }) {
      const { recorded } = session;
      const begun = performance.now();
      const rows = Math.max(recorded.trace.rows, 1);
      return replay(recorded, readWhatIf(set), {
        onProgress: (events) =>
          tell({ what: 'replaying', events, share: events / rows, elapsed: performance.now() - begun }),
      });
    },
  };
}
