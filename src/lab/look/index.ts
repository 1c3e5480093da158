/** A replay, looked at at any of its rows. */
export * from './create-look.js';
export type { LevelColumns, LevelCurve, LevelSeries, Levels } from './levels.js';
export * from './look.js';
