/** What the caches view asks the worker: all caches in front of a row, and one of them in full. */
import type { CacheAt, CacheDetail, Pin } from '../../lab/index.js';
import type { Call, Handlers } from './call.js';
import type { Session } from './session.js';

/** All caches at a moment. */
export interface CachesAt {
  readonly row: number;
  /** Nanoseconds of the trace's clock. */
  readonly time: number;
  readonly pageSize: number;
  /** Those that hold most first. */
  readonly caches: readonly CacheAt[];
}

/** One cache at a moment. */
export interface CacheMoment extends CacheDetail {
  readonly row: number;
  readonly pageSize: number;
  /** Who keeps its sparse slabs. */
  readonly pins: readonly Pin[];
}

export interface CachesCalls {
  /** `set` is a what-if as `--set` takes it; '' is as recorded. */
  caches: Call<{ readonly set: string; readonly row: number }, CachesAt>;
  /** Null where the machine has no cache of that name. */
  cache: Call<{ readonly set: string; readonly row: number; readonly name: string }, CacheMoment | null>;
}

/** Origins of pins to look through for those of one cache, and how many of it are told. */
const PINS_LOOKED_AT = 500;
const PINS_TOLD = 12;

export function cachesHandlers(session: Session): Handlers<CachesCalls> {
  return {
    caches({ set, row }, context) {
      const moment = session.look(set, context).at(row);
      const { pageSize } = moment.machine.kernel;
      return { row, time: moment.time, pageSize, caches: moment.caches() };
    },
    cache({ set, row, name }, context) {
      const moment = session.look(set, context).at(row);
      const detail = moment.cache(name);
      if (detail === undefined) return null;
      const { names } = detail.at;
      const pins = moment.pins(PINS_LOOKED_AT).filter(({ cache }) => names.includes(cache));
      const { pageSize } = moment.machine.kernel;
      return { ...detail, row, pageSize, pins: pins.slice(0, PINS_TOLD) };
    },
  };
}
