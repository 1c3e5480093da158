/**
 * The recorded workload of a real IOMMU driver (schema `v7s-workload-1`, truth/README.md): buffers mapped and unmapped, with every
 * second-level table that the driver allocated or freed on the way.
 */
import { InputError, isObject, parseJson, printable } from '../../base/index.js';
import { refuseOtherFile } from '../../trace/index.js';
import { type SlabSample, type Workload, WorkloadBuilder } from './workload.js';

/** Position of the table events in a row, by the row's kind. */
const EVENTS_AT: Readonly<Record<string, number>> = { B: 8, V: 5 };

/** Reads the text of such a file. Throws InputError with the file's name, the line, and what was expected there. */
export function readV7sWorkload(text: string, file: string): Workload {
  refuseOtherFile(text, file, 'a workload');
  const lineOf = lineFinder(text);
  const json = parseJson(text, file);
  const fail = (what: string, got: unknown, near?: string): never => {
    const stands = printable(JSON.stringify(got) ?? 'nothing', 80);
    throw new InputError(
      file,
      near === undefined ? 1 : lineOf(near),
      `expected ${what}, but there stands ${stands}`,
    );
  };
  if (!isObject(json)) return fail('an object with "meta" and "runs"', json);
  const { meta, runs } = json;
  if (!isObject(meta) || meta.schema !== 'v7s-workload-1') {
    return fail(
      '"meta": {"schema": "v7s-workload-1"}',
      isObject(meta) ? (meta.schema ?? meta) : json,
      '"meta"',
    );
  }
  if (!Array.isArray(runs) || runs.length === 0) return fail('"runs" with a run', runs, '"runs"');
  const run: unknown = runs[0];
  if (!isObject(run) || !Array.isArray(run.ops)) return fail('"ops", a list of operations', run, '"runs"');
  const builder = new WorkloadBuilder();
  for (const [op, row] of (run.ops as unknown[]).entries()) {
    const kind = Array.isArray(row) ? row[0] : undefined;
    const events: unknown = Array.isArray(row) ? row[EVENTS_AT[String(kind)] ?? -1] : undefined;
    if (!Array.isArray(events)) {
      return fail(`operation ${op} as ["B", …, events] or ["V", …, events]`, row, '"ops"');
    }
    for (const event of events) {
      addEvent(builder, event, (what) => fail(`${what} in operation ${op}`, event, '"ops"'));
    }
    builder.endOperation();
  }
  if (Array.isArray(run.freeAll)) {
    const ids = run.freeAll.map((event: unknown) => (Array.isArray(event) ? Number(event[1]) : -1));
    attempt(
      () => builder.drainInOrder(ids),
      (why) => fail(`the frees of the end (${why})`, run.freeAll, '"freeAll"'),
    );
  }
  // A sample taken when the cache was gone already has no counters.
  const which = runs.length === 1 ? '' : ` (the first of ${runs.length} runs)`;
  const samples = Array.isArray(run.slabSamples) ? run.slabSamples.filter((s: unknown) => !isGone(s)) : [];
  return builder.build(
    {
      title: `second-level IOMMU tables of a display, camera, video and app mix, recorded from Linux 6.1${which}`,
      source: file,
      objectSize: 1024,
      objectAlign: 1024,
    },
    {
      samples: samples.map((s: unknown, i) =>
        readSample(s, () => fail(`slab sample ${i}`, s, '"slabSamples"')),
      ),
      ...(Number.isSafeInteger(run.finalEmptyTables) && { endEmpty: run.finalEmptyTables as number }),
    },
  );
}

/** Turns the builder's complaint into one that names the file. */
function attempt(step: () => void, fail: (why: string) => never): void {
  try {
    step();
  } catch (error) {
    fail(error instanceof Error ? error.message : String(error));
  }
}

function addEvent(builder: WorkloadBuilder, event: unknown, fail: (what: string) => never): void {
  const [kind, id] = Array.isArray(event) ? event : [];
  if ((kind !== 'a' && kind !== 'f') || !Number.isSafeInteger(id) || id < 0) {
    return fail('an event ["a", table] or ["f", table]');
  }
  attempt(
    () => (kind === 'a' ? builder.alloc(id) : builder.free(id)),
    (why) => fail(`events in order (${why})`),
  );
}

function isGone(sample: unknown): boolean {
  return isObject(sample) && isObject(sample.slab) && !('objects' in sample.slab);
}

function readSample(sample: unknown, fail: () => never): SlabSample {
  const slab = isObject(sample) && isObject(sample.slab) ? sample.slab : fail();
  const number = (field: string): number => {
    const value = Number(slab[field]);
    return Number.isSafeInteger(value) ? value : fail();
  };
  return {
    op: Number((sample as { op: unknown }).op),
    objects: number('objects'),
    totalObjects: number('total_objects'),
    slabs: number('slabs'),
    partial: number('partial'),
    objectsPartial: number('objects_partial'),
    cpuSlabs: number('cpu_slabs'),
    objectsPerSlab: number('objs_per_slab'),
  };
}

/** The line on which a text first stands, 1 if it does not. */
function lineFinder(text: string): (near: string) => number {
  return (near) => {
    const at = text.indexOf(near);
    return at < 0 ? 1 : text.slice(0, at).split('\n').length;
  };
}
