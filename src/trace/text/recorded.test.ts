/**
 * The public traces, against what was counted when they were recorded: events by name, lines, markers with their places, NULLs that were
 * freed, allocations that failed.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { EVENT, EVENT_NAMES, type ReadReport } from '../batch/events.js';
import { Strings } from '../batch/strings.js';
import { createTextTraceReader, detectFormat, type TextFormat } from '../file/detect.js';
import { assertAllCounted, recorded } from './text.case.test.js';

/** What of a `.snapshots.json` is held against the text. */
interface Counted {
  readonly meta: {
    readonly lines: number;
    readonly events: number;
    readonly byEvent: Readonly<Record<string, number>>;
    readonly unparsed: number;
    readonly firstTs: number;
    readonly lastTs: number;
  };
  readonly markers: readonly {
    readonly marker: string;
    readonly edge: string;
    readonly line: number;
    readonly ts: number;
    readonly eventsBefore: number;
  }[];
  readonly expect: { readonly allocNull: number; readonly freeNullOrZeroSize: number };
}

interface Found {
  readonly report: ReadReport;
  readonly byEvent: Record<string, number>;
  readonly markers: { name: string; eventsBefore: number; ts: number }[];
  allocNull: number;
  freeNullOrZeroSize: number;
  firstTs: number;
  lastTs: number;
}

const ZERO_SIZE_PTR = 16;

function read(name: string, pieceBytes: number): Found {
  const text = recorded(name);
  const strings = new Strings();
  const found = {
    markers: [] as Found['markers'],
    allocNull: 0,
    freeNullOrZeroSize: 0,
    firstTs: -1,
    lastTs: 0,
  };
  let before = 0;
  const reader = createTextTraceReader(detectFormat(name, text.subarray(0, 4096)) as TextFormat, name, {
    strings,
    take({ length, kind, time, pointerLow, pointerHigh, name: texts }) {
      if (found.firstTs < 0) found.firstTs = time[0]! / 1e9;
      found.lastTs = time[length - 1]! / 1e9;
      for (let i = 0; i < length; i++, before++) {
        const isNull = pointerHigh[i] === 0 && (pointerLow[i] === 0 || pointerLow[i] === ZERO_SIZE_PTR);
        if (kind[i] === EVENT.MARK) {
          found.markers.push({ name: strings.text(texts[i]!), eventsBefore: before, ts: time[i]! / 1e9 });
        } else if (kind[i] === EVENT.KFREE && isNull) {
          found.freeNullOrZeroSize++;
        } else if ((kind[i] === EVENT.KMALLOC || kind[i] === EVENT.CACHE_ALLOC) && isNull) {
          found.allocNull++;
        }
      }
    },
  });
  for (let at = 0; at < text.length; at += pieceBytes) reader.write(text.subarray(at, at + pieceBytes));
  const report = reader.end();
  const byEvent: Record<string, number> = {};
  for (const [kind, count] of report.byKind.entries()) {
    const tracepoint = kind === EVENT.MARK ? 'tracing_mark_write' : EVENT_NAMES[kind]!;
    if (count > 0) byEvent[tracepoint] = count;
  }
  return { report, byEvent, ...found };
}

for (const name of ['boot-find', 'boot-find-slab', 'sock', 'tar', 'mm', 'gcc']) {
  test(`${name}: every event, marker and line that was recorded is read`, () => {
    const { meta, markers, expect } = JSON.parse(
      recorded(`${name}-public.snapshots.json`).toString(),
    ) as Counted;
    const found = read(`${name}-public.txt`, 1 << 20);
    const { report } = found;
    assert.deepEqual(found.byEvent, meta.byEvent);
    assertAllCounted(report);
    assert.deepEqual([report.damaged, report.lost, report.others.size], [0, 0, 0]);
    // Where the recorder counted lines, `#` lines were none, and one of trace-cmd's was not understood.
    const hashLines = name.startsWith('boot') || name === 'sock' ? report.comments : 0;
    assert.equal(report.lines - hashLines, meta.lines);
    assert.equal(report.comments - hashLines, meta.unparsed);
    assert.deepEqual([found.firstTs, found.lastTs], [meta.firstTs, meta.lastTs]);
    assert.deepEqual(
      found.markers,
      markers.map(({ marker, edge, eventsBefore, ts }) => ({
        name: `SNAP ${marker} ${edge}`,
        eventsBefore,
        ts,
      })),
    );
    for (const [i, { line }] of markers.entries()) {
      assert.equal(found.markers[i]!.eventsBefore + 1 + meta.unparsed, line);
    }
    assert.deepEqual(
      [found.allocNull, found.freeNullOrZeroSize],
      [expect.allocNull, expect.freeNullOrZeroSize],
    );
  });
}
