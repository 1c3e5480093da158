/**
 * Bytes as perf's records: `u32 type, u16 misc, u16 size` and a body. Some records announce more bytes behind them than 16 bits can say.
 */

const HEAD_BYTES = 8;

export interface RecordQueue {
  /** More bytes; calls for each record that they complete. */
  push(bytes: Uint8Array): void;
  /** To be called for a record: so many bytes behind it are no records. `take` gets them, if given, as far as they are there. */
  payload(bytes: number, take?: (bytes: Uint8Array) => void): void;
  /** Bytes that belong to a record of which the rest is missing. */
  readonly left: number;
}

/**
 * `record` gets a body, from `at` to `end` of a view that begins with its buffer, valid until it returns, and the offset of its head
 * among all bytes pushed. `damage` is told of a record that cannot be: what follows it is not read, because nobody knows where it begins.
 */
export function createRecordQueue(
  little: boolean,
  record: (type: number, misc: number, view: DataView, at: number, end: number, offset: number) => void,
  damage: (offset: number, why: string) => void,
): RecordQueue {
  let buffer = new Uint8Array(1 << 16);
  let view = new DataView(buffer.buffer);
  let end = 0;
  /** Of buffer's first byte. */
  let offset = 0;
  let isBroken = false;
  let payloadLeft = 0;
  let payload: Uint8Array[] = [];
  let takePayload: ((bytes: Uint8Array) => void) | undefined;

  const append = (bytes: Uint8Array): void => {
    if (end + bytes.length > buffer.length) {
      const larger = new Uint8Array(Math.max(buffer.length * 2, end + bytes.length));
      larger.set(buffer.subarray(0, end));
      buffer = larger;
      view = new DataView(buffer.buffer);
    }
    buffer.set(bytes, end);
    end += bytes.length;
  };

  /** Takes what of the payload is there from `at` on. Returns where records go on. */
  const readPayload = (at: number): number => {
    const bytes = Math.min(payloadLeft, end - at);
    if (takePayload !== undefined) payload.push(buffer.slice(at, at + bytes));
    payloadLeft -= bytes;
    if (payloadLeft === 0 && takePayload !== undefined) {
      const take = takePayload;
      const pieces = payload;
      takePayload = undefined;
      payload = [];
      take(joined(pieces));
    }
    return at + bytes;
  };

  const push = (bytes: Uint8Array): void => {
    if (isBroken) {
      offset += bytes.length;
      return;
    }
    append(bytes);
    let at = 0;
    while (end - at > 0) {
      if (payloadLeft > 0) {
        at = readPayload(at);
        continue;
      }
      if (end - at < HEAD_BYTES) break;
      const size = view.getUint16(at + 6, little);
      if (size < HEAD_BYTES) {
        damage(
          offset + at,
          `expected a record of at least ${HEAD_BYTES} bytes, found ${size}: nothing behind it is read`,
        );
        isBroken = true;
        at = end;
        break;
      }
      if (end - at < size) break;
      record(
        view.getUint32(at, little),
        view.getUint16(at + 4, little),
        view,
        at + HEAD_BYTES,
        at + size,
        offset + at,
      );
      at += size;
    }
    buffer.copyWithin(0, at, end);
    end -= at;
    offset += at;
  };

  return {
    push,
    payload(bytes, take) {
      payloadLeft = bytes;
      takePayload = take;
    },
    get left() {
      return end + payloadLeft;
    },
  };
}

function joined(pieces: readonly Uint8Array[]): Uint8Array {
  const all = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}
