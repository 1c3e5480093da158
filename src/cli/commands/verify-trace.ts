/** `slablab verify TRACE --snapshots FILE`: how near does a replay come to what the recorded kernel said of its caches? */
import { InputError } from '../../base/index.js';
import { measureNearness, type Nearness } from '../../lab/index.js';
import { EXIT } from '../exit.js';
import { openRecording, rowsMeter } from '../recorded.js';
import { holdRows, nearnessJson, nearnessScreen } from '../render/replay-nearness.js';
import type { Session } from '../session.js';

interface VerifyTraceFlags {
  readonly snapshots: string;
  /** How far the slabs of a cache may be off, as a share. */
  readonly within: number;
  readonly verbose?: true;
  readonly json?: true;
}

function foundInstead({ after }: Nearness): string {
  if (after === null) return 'there is none to compare with';
  return `there is only ${after.snapshot}, ${after.seconds.toFixed(1)} s after the last event, from which the past was estimated`;
}

export async function verifyTrace(path: string, flags: VerifyTraceFlags, session: Session): Promise<void> {
  const { terminal } = session;
  const { recorded, opened } = await openRecording(path, { snapshots: flags.snapshots }, terminal, {
    holdsBack: true,
  });
  const { trace, snapshots, mismatch } = recorded;
  if (mismatch.length > 0) {
    opened.close();
    throw new InputError(
      flags.snapshots,
      0,
      `these snapshots are not of the recording ${opened.file}: ${mismatch.join('; ')}`,
    );
  }
  const meter = rowsMeter(terminal, 'replaying', trace.rows);
  const nearness = measureNearness({ ...recorded, snapshots: snapshots!, onProgress: meter.tell });
  meter.done();
  opened.close();
  if (nearness.slabs.count === 0) {
    throw new InputError(
      flags.snapshots,
      0,
      `expected a snapshot taken while ${opened.file} was recorded, or one before it and one within a minute after it, with caches of ` +
        `${nearness.leastSlabs} slabs and more, but ${foundInstead(nearness)}`,
    );
  }
  const held = holdRows(nearness, flags.within);
  const report = { file: opened.file, snapshots: flags.snapshots, within: flags.within, nearness, held };
  if (flags.json) session.printJson(nearnessJson(report));
  else terminal.print(nearnessScreen(report, { terminal, verbose: flags.verbose === true }));
  if (held.failed.length > 0) session.exitCode = EXIT.differs;
}
