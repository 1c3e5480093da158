/** Every call that the page can make of its worker, by name. */

import type { CachesCalls } from './caches-calls.js';
import type { Ask, Reply } from './call.js';
import type { IommuCalls } from './iommu-calls.js';
import type { MemoryCalls } from './memory-calls.js';
import type { OpenCalls } from './open-calls.js';
import type { TimeCalls } from './time-calls.js';
import type { WhatIfCalls } from './whatif-calls.js';

export interface Calls extends OpenCalls, TimeCalls, MemoryCalls, CachesCalls, WhatIfCalls, IommuCalls {}

export type CallName = keyof Calls;
export type AskOf<Name extends CallName> = Ask<Calls, Name>;
export type ReplyOf<Name extends CallName> = Reply<Calls, Name>;
