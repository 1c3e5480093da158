import { EngineError } from './errors.js';

/**
 * States a fact about the engine itself. A failure is a bug in slablab, never bad input: bad input has
 * errors of its own (errors.ts).
 */
export function assert(condition: boolean, fact: string): asserts condition {
  if (!condition) throw new EngineError(`slablab broke its own rule: ${fact}`);
}
