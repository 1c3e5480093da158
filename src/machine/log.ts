/**
 * What the kernel would print: warnings, failures, reports. Callers read it; nothing is printed by the engine.
 * Holds the newest lines up to a limit, so that a misuse in a loop of a billion operations does not fill memory.
 */
export class KernelLog {
  readonly #limit: number;
  #lines: string[] = [];
  #dropped = 0;
  readonly #once = new Set<string>();

  constructor(limit = 4096) {
    this.#limit = limit;
  }

  /** Oldest first. */
  get lines(): readonly string[] {
    return this.#lines;
  }

  /** How many older lines were given up. */
  get dropped(): number {
    return this.#dropped;
  }

  add(line: string): void {
    this.#lines.push(line);
    if (this.#lines.length > 2 * this.#limit) {
      this.#dropped += this.#lines.length - this.#limit;
      this.#lines = this.#lines.slice(-this.#limit);
    }
  }

  /** The kernel's WARN_ONCE: later lines under the same key are not printed. */
  addOnce(key: string, line: string): void {
    if (this.#once.has(key)) return;
    this.#once.add(key);
    this.add(line);
  }

  /** Forgets the lines; what was warned about once stays warned about. */
  clear(): void {
    this.#lines = [];
    this.#dropped = 0;
  }
}
