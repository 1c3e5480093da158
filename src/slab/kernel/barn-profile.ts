/** The sheaves and barns that SLUB has since Linux 7.0, as data: what they hold, and what they are made of. */
export interface BarnProfile {
  /** Full sheaves that a barn holds at most, and empty ones where a sheaf comes from a grace period. */
  readonly full: number;
  readonly empty: number;
  /** Objects of main that go back to the slabs at a time when a CPU is flushed. */
  readonly flushPiece: number;
  /** Bytes of a sheaf without its objects, of each object in it, and of a barn. */
  readonly sheafHead: number;
  readonly sheafEach: number;
  readonly barnBytes: number;
}

/** Recorded on 7.3: truth/7.3/README.md, sections 3.2 to 3.7 and 3.14. */
export const BARN_7_3: BarnProfile = {
  full: 10,
  empty: 10,
  flushPiece: 32,
  sheafHead: 32,
  sheafEach: 8,
  barnBytes: 48,
};
