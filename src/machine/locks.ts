/**
 * # Locks, and when nobody needs them
 *
 *     a lock word      0 | CPU + 1                          zone, node of a cache, links, table of caches
 *     a slab's word    frozen | in use | first free         unlocked
 *                      frozen | in use | LOCKED | CPU + 1   locked: the first free object is in the holder's journal
 *
 * A lock names its holder, so that a dead Worker's lock is known for what it is. Lock words are taken by one compare-exchange; a CPU that
 * finds one taken spins for a while, marks the word (WAITED) and sleeps until it is let go. A host that forbids sleeping (a page's main
 * thread) spins on. After PATIENCE_MS nobody waits any longer: LockHeldError. The call is cut off then, in the middle of what its other
 * locks guard: they stay with this CPU, and each later slow step throws the same error, until the thread puts its own CPU in order like a
 * dead one's (`detachCpu`).
 *
 * Each of these steps also asks whether this thread still is the CPU by its attachment (cpus.ts): two loads from the line of its journal
 * that it writes anyway. If not, DetachedError, and it neither takes nor lets go anything more. A thread that is detached while it runs can
 * still write between two such steps; only threads that have ended are to be detached.
 *
 * A slab is locked in its own word, which SLUB does too where a machine has no exchange of two words (`slab_lock`). The kernel's
 * lock-free push would cost one exchange less; but a CPU that is killed at it leaves no trace of whether the push took place, and the
 * object may have been handed out again since. The lock leaves one: what is locked has not taken place. Sections are a dozen writes long.
 *
 * ## While nobody else can be there, nothing of this is paid
 *  1. A ledger in an ArrayBuffer has one thread. `SHARED` is false, a constant, and what asks it is compiled away.
 *  2. A ledger in a SharedArrayBuffer has one thread until somebody else is given its handle. Only the attached thread itself can give it
 *     away, and it sets `H_CONCURRENT` before it does. So between two words of a slow path there is no moment at which another CPU
 *     could join: the thread is reading its handle then and not allocating. No fence is needed, and no handshake: whoever has the
 *     handle got it by a message, and sees all that was written before.
 *  3. From then on everybody locks, for good. Going back would need to know that no handle is on its way, and every slow path would need a
 *     fence between "I begin" and "did somebody join?", which costs as much as the lock.
 *
 * Fast paths (slub.ts, steps a and f) touch what one CPU owns, and take no lock in any of the three.
 *
 * ## The journal
 * Before a CPU changes what others see, it notes in its journal (ledger.ts, J_) what it is about to do; plain stores to a line of its own.
 * If it dies, its heir reads there what to undo (slab/workers/attach.ts). In states 1 and 2 nothing is noted: when the only thread dies,
 * the machine dies with it.
 *
 * Slow paths ask `concurrent()` at each step instead of once: a handle may be given away in a constructor's callback.
 */
import { DetachedError, EngineError, LockHeldError } from '../base/index.js';
import type { CpuToken } from './cpus.js';
import {
  COUNTERS_FREE,
  COUNTERS_LOCKED,
  CPU_ATTACHED,
  H_CONCURRENT,
  J_CHAIN,
  J_CHAIN_WAS,
  J_GENERATION,
  J_LINE,
  J_SLAB,
  J_STATE,
  J_WORD,
  JOURNAL_WORDS,
  type Ledger,
} from './ledger.js';

/** Which CPU this thread is, and the locks that it takes as that CPU. */
export interface Locks {
  /** The ledger lies in a SharedArrayBuffer. */
  readonly shared: boolean;
  /** Another CPU may be at work, or may come at any moment. */
  concurrent(): boolean;
  /** The CPU as which this thread acts: its own, or a dead one's while it is that one's heir; -1 when it has none any more. */
  readonly cpu: number;
  /** By which this thread is a CPU (cpus.ts); undefined where nobody else can come, and when it is none any more. */
  readonly attachment: CpuToken | undefined;
  /** This thread is that CPU from now on. */
  attach(token: CpuToken): void;
  /** This thread is no CPU any more, by its own will. */
  leave(): void;
  /** Throws DetachedError if this thread is no CPU any more. Every taking and releasing of a lock asks. */
  check(): void;
  /** Whether a call of this thread was cut off (LockHeldError). It may take locks again: it is about to put in order what it left. */
  mend(): boolean;
  /** Is called once, when this thread has lost its CPU: fast paths, which do not ask, have to be closed. */
  whenGone: () => void;
  /** This thread acts as another CPU: a dead one, and then its own again. */
  become(cpu: number): void;
  /** First word of this CPU's journal. */
  readonly journal: number;
  /** Takes a lock word. Nothing happens where no other CPU can be. Throws LockHeldError. */
  take(words: Int32Array, at: number, what: string): void;
  release(words: Int32Array, at: number): void;
  /** Whether this CPU has it. */
  holds(words: Int32Array, at: number): boolean;
  /**
   * Locks a slab and returns its word as it was. `p` is the CPU's line of the slab's cache, -1 for a slab that is nobody's yet; `frees`
   * says that objects will be freed to it. Throws LockHeldError.
   */
  takeSlab(slab: number, p: number, frees?: boolean): number;
  /** Of the slab that is locked: the first object + 1 that is being freed, and what the links of the whole chain hold now. */
  noteChain(chain: number, was: number): void;
  /** Writes a slab's new word, which unlocks it. */
  releaseSlab(slab: number, counters: number): void;
}

/** In a lock word: somebody sleeps on it, so its release has to wake. The bits below name the holder. */
const WAITED = 1 << 30;
const HOLDER = WAITED - 1;
/** Looks at a taken lock before sleeping. Sections are a dozen writes long, so a holder that has a processor is done by then. */
const SPINS = 500;
/** The longest sleep on a lock word: a release wakes the sleeper, so this only bounds how late the patience and the CPU are asked after. */
const SLEEP_MS = 20;
/** The same on a slab's word, whose release wakes nobody: the sleep itself is the delay, so it is short. */
const SLAB_SLEEP_MS = 0.1;
/** How long a lock is waited for before LockHeldError. */
const PATIENCE_MS = 10_000;

/** The holder of a lock word, or -1. */
function lockHolder(word: number): number {
  return (word & HOLDER) - 1;
}

/** The holder of a slab's lock, or -1. */
export function slabHolder(counters: number): number {
  return counters & COUNTERS_LOCKED ? (counters & (COUNTERS_LOCKED - 1)) - 1 : -1;
}

/** The locks of a ledger, as this thread sees them. It is CPU 0 until it becomes another one. */
export function createLocks(ledger: Ledger): Locks {
  const { header, journal, slabCounters } = ledger;
  const SHARED = !(ledger.buffer instanceof ArrayBuffer);
  const canSleep = SHARED && mayWait(header);
  let cpu = 0;
  let j = 0;
  /** First word of the journal of the CPU that this thread is by an attachment, -1 for none; and the word that says so. */
  let own = -1;
  let generation = 0;
  let gone: DetachedError | undefined;
  let whenGone = () => {};
  let cutOff: LockHeldError | undefined;

  const concurrent = () => SHARED && header[H_CONCURRENT] !== 0;

  function check(): void {
    if (cutOff !== undefined) throw new LockHeldError(cutOff.what, cutOff.holder, PATIENCE_MS / 1000);
    if (own >= 0 ? isMine() : gone === undefined) return;
    if (gone === undefined) lose('other');
    throw new DetachedError(gone!.cpu, gone!.generation, gone!.by);
  }

  /** State and heir are one half of the word, the generation is the other. */
  function isMine(): boolean {
    return journal[own + J_STATE] === CPU_ATTACHED && journal[own + J_GENERATION] === generation;
  }

  function lose(by: 'self' | 'other'): void {
    gone = new DetachedError(own < 0 ? cpu : own / JOURNAL_WORDS, generation >>> 0, by);
    own = -1;
    cpu = -1;
    // What is written beyond an array's end goes nowhere.
    j = journal.length;
    whenGone();
  }

  /** Passes a moment, or gives up. `round` counts how often. */
  function pause(words: Int32Array, at: number, seen: number, since: number): void {
    // Nobody is told when a slab is unlocked, which is at once unless the holder has no processor.
    if (canSleep) Atomics.wait(words, at, seen, words === slabCounters ? SLAB_SLEEP_MS : SLEEP_MS);
    check();
    if (Date.now() - since < PATIENCE_MS) return;
    const holder = words === slabCounters ? slabHolder(seen) : lockHolder(seen);
    cutOff = new LockHeldError(words === slabCounters ? `slab ${at}` : 'a lock', holder, PATIENCE_MS / 1000);
    throw cutOff;
  }

  function take(words: Int32Array, at: number, what: string): void {
    if (!concurrent()) return;
    check();
    if (Atomics.compareExchange(words, at, 0, cpu + 1) !== 0) contend(words, at, what);
  }

  function contend(words: Int32Array, at: number, what: string): void {
    if (holds(words, at)) throw new EngineError(`CPU ${cpu} takes ${what} twice`);
    for (let i = 0; i < SPINS; i++) {
      if (words[at] === 0 && Atomics.compareExchange(words, at, 0, cpu + 1) === 0) return;
    }
    const since = Date.now();
    while (true) {
      const seen = Atomics.load(words, at);
      if (seen === 0) {
        // Others may sleep still: with WAITED set, the release of this lock wakes them.
        if (Atomics.compareExchange(words, at, 0, (cpu + 1) | WAITED) === 0) return;
        continue;
      }
      if (seen & WAITED || Atomics.compareExchange(words, at, seen, seen | WAITED) === seen)
        pause(words, at, seen | WAITED, since);
    }
  }

  function release(words: Int32Array, at: number): void {
    if (!concurrent()) return;
    // A handle that was given away in between: there was no lock then, and there is none to let go.
    // Nor is there for a thread that has lost its CPU: its heir let it go, and whoever has it now is somebody else.
    // And a call that was cut off keeps what it has: what the lock guards is half done.
    if (words[at] === 0 || cpu < 0 || cutOff !== undefined) return;
    check();
    if (Atomics.exchange(words, at, 0) & WAITED) Atomics.notify(words, at);
  }

  /** A thread that has lost its CPU becomes none: an heir that is detached itself does not come back to what it was. */
  function become(other: number): void {
    if (gone !== undefined) return;
    cpu = other;
    j = other * JOURNAL_WORDS;
  }

  function holds(words: Int32Array, at: number): boolean {
    return lockHolder(words[at]!) === cpu;
  }

  function takeSlab(slab: number, p: number, frees = false): number {
    if (!SHARED || header[H_CONCURRENT] === 0) return slabCounters[slab]!;
    check();
    journal[j + J_SLAB] = 0;
    journal[j + J_CHAIN] = 0;
    let since = 0;
    for (let spins = 0; ; spins++) {
      const word = slabCounters[slab]!;
      if (!(word & COUNTERS_LOCKED)) {
        journal[j + J_WORD] = word;
        // A remote free to a frozen slab does not move it: its owner keeps it, and no line of this CPU gets or gives a slab.
        journal[j + J_LINE] = !frees || word >= 0 ? p + 1 : 0;
        journal[j + J_SLAB] = slab;
        const locked = (word & ~COUNTERS_FREE) | COUNTERS_LOCKED | (cpu + 1);
        if (Atomics.compareExchange(slabCounters, slab, word, locked) === word) return word;
        continue;
      }
      if (spins < SPINS) continue;
      if (since === 0) since = Date.now();
      pause(slabCounters, slab, word, since);
    }
  }

  function noteChain(chain: number, was: number): void {
    journal[j + J_CHAIN_WAS] = was;
    journal[j + J_CHAIN] = chain;
  }

  function releaseSlab(slab: number, counters: number): void {
    if (!SHARED || header[H_CONCURRENT] === 0) {
      slabCounters[slab] = counters;
      return;
    }
    check();
    Atomics.store(slabCounters, slab, counters);
    journal[j + J_SLAB] = 0;
  }

  return {
    shared: SHARED,
    concurrent,
    get cpu() {
      return cpu;
    },
    get journal() {
      return j;
    },
    get attachment() {
      return own < 0 ? undefined : { cpu: own / JOURNAL_WORDS, generation: generation >>> 0 };
    },
    attach(token) {
      become(token.cpu);
      own = j;
      generation = token.generation | 0;
    },
    leave() {
      if (gone === undefined) lose('self');
    },
    check,
    mend() {
      const was = cutOff !== undefined;
      cutOff = undefined;
      return was;
    },
    set whenGone(act: () => void) {
      whenGone = act;
    },
    get whenGone() {
      return whenGone;
    },
    become,
    take,
    release,
    holds,
    takeSlab,
    noteChain,
    releaseSlab,
  };
}

/** Asking for a value that is not there returns at once where waiting is allowed, and throws where it is not. */
function mayWait(words: Int32Array): boolean {
  try {
    Atomics.wait(words, H_CONCURRENT, words[H_CONCURRENT]! + 1, 0);
    return true;
  } catch {
    return false;
  }
}
