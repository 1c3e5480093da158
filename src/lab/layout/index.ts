/** The layout of a cache by itself: a door of its own, for who needs nothing else of the lab. */
export { type LayoutBox, objectBoxes, type SlabBoxes, slabBoxes } from './boxes.js';
export {
  freelistWords,
  LAYOUT_FACTS,
  LAYOUT_NAMES,
  type LayoutFact,
  objectsWords,
  segmentLetter,
  segmentNote,
} from './facts.js';
export { type LayoutOptions, layoutOfCache, layoutReport } from './report.js';
export type {
  CacheLayout,
  CommonLayout,
  LayoutMachineSummary,
  LayoutReport,
  LayoutRequestSummary,
  MergedCache,
  Segment,
  SegmentKind,
  SheafCacheLayout,
  SlabCacheLayout,
  SlubCacheLayout,
  SlubCommonLayout,
} from './result.js';
