/**
 * What the engine of the text readers asks of a tool's format.
 */

/** What one tool prints, as far as it differs from the others. */
export interface TextShape {
  /** For the report: `ftrace text`. */
  readonly format: string;
  /** What a line looks like, for messages. */
  readonly expected: string;
  /** Pointers are printed by the kernel, which may have hashed them. */
  readonly pointersMayBeHashed: boolean;
  /** What is printed into the trace by hand comes as an event of one of these names. */
  readonly prints: readonly string[];
  /** Takes a line apart; false if it is none of an event. `to` is the line's end. */
  readHead(bytes: Uint8Array, from: number, to: number, head: Head): boolean;
  /** A line that only this tool prints and that is no event: a header, a frame of a call chain. */
  isComment(bytes: Uint8Array, from: number, to: number): boolean;
}

/** How a line begins, taken apart. Offsets are into the bytes that the shape was given. */
export interface Head {
  /** The task's name. */
  commFrom: number;
  commTo: number;
  pid: number;
  cpu: number;
  /** Nanoseconds. */
  time: number;
  /** The point of a time in seconds, 0 if the time has none. */
  point: number;
  /** Whole seconds before the point, in nanoseconds. */
  seconds: number;
  /** Where the event's name begins. */
  nameFrom: number;
  /** The time is a count of some clock. */
  isCount: boolean;
  hasCpu: boolean;
}

export function emptyHead(): Head {
  return {
    commFrom: 0,
    commTo: 0,
    pid: 0,
    cpu: 0,
    time: 0,
    point: 0,
    seconds: 0,
    nameFrom: 0,
    isCount: false,
    hasCpu: true,
  };
}
