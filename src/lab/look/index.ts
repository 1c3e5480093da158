/** A replay, looked at at any of its rows. */
export { createLook, type LookOptions } from './create-look.js';
export type { LevelColumns, LevelCurve, LevelSeries, Levels } from './levels.js';
export {
  type Allocated,
  type CacheAt,
  type CacheDetail,
  type CacheSlab,
  type EventAt,
  type EventKind,
  type FrameAt,
  type FrameCells,
  HOLDER,
  HOLDER_SHIFT,
  type Look,
  type Moment,
  OBJECT_STATES,
  type ObjectMap,
  type SiteAt,
  type SlabBrief,
  type SlabMap,
  type SlabState,
  type Wanted,
  type ZoneMap,
} from './look.js';
