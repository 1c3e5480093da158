/** Scripts of operations on caches. */
export {
  cachesCreated,
  type FreeOrder,
  type Operation,
  parseScript,
  runScript,
  type Script,
  type ScriptLine,
} from './script.js';
export { parseLines, readCount, type Verb, type Words } from './words.js';
