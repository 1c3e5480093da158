/** Whole numbers that come out smallest first, each once however often it was put in before: a binary heap. */
export class PlaceQueue {
  readonly #heap: number[] = [];
  readonly #within = new Set<number>();

  add(place: number): void {
    if (this.#within.has(place)) return;
    this.#within.add(place);
    const heap = this.#heap;
    let at = heap.push(place) - 1;
    for (let above = (at - 1) >> 1; at > 0 && heap[above]! > place; above = (at - 1) >> 1) {
      heap[at] = heap[above]!;
      at = above;
    }
    heap[at] = place;
  }

  /** Takes out the smallest; undefined if there is none. */
  take(): number | undefined {
    const heap = this.#heap;
    const [smallest] = heap;
    const last = heap.pop();
    if (smallest === undefined || last === undefined) return undefined;
    this.#within.delete(smallest);
    if (heap.length === 0) return smallest;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      if (below + 1 < heap.length && heap[below + 1]! < heap[below]!) below++;
      if (below >= heap.length || heap[below]! >= last) break;
      heap[at] = heap[below]!;
      at = below;
    }
    heap[at] = last;
    return smallest;
  }
}
