import { UnknownNameError } from './errors.js';

/** Edit distance with transpositions (optimal string alignment), lower-cased. */
function editDistance(a: string, b: string): number {
  const rows: number[][] = [];
  for (let i = 0; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      if (i === 0) {
        row.push(j);
        continue;
      }
      const cost = a[i - 1] === b[j - 1] ? 0 : 1;
      let best = Math.min(rows[i - 1]![j]! + 1, row[j - 1]! + 1, rows[i - 1]![j - 1]! + cost);
      if (i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1]) {
        best = Math.min(best, rows[i - 2]![j - 2]! + 1);
      }
      row.push(best);
    }
    rows.push(row);
  }
  return rows[a.length]![b.length]!;
}

/** The known words near to `word`, nearest first, at most three. */
export function nearestNames(word: string, known: readonly string[]): string[] {
  const wanted = word.toLowerCase();
  const scored = known.map((name) => {
    const candidate = name.toLowerCase();
    const contained = wanted.length >= 3 && (candidate.includes(wanted) || wanted.includes(candidate));
    const distance = editDistance(wanted, candidate);
    return { name, distance: contained ? Math.min(distance, 1) : distance };
  });
  const limit = Math.max(1, Math.ceil(wanted.length / 3));
  return scored
    .filter((s) => s.distance <= limit)
    .sort((a, b) => a.distance - b.distance)
    .slice(0, 3)
    .map((s) => s.name);
}

/** Looks a word up in a table; an unknown one is an error that names its neighbours. */
export function lookUp<T>(kind: string, word: string, table: ReadonlyMap<string, T>): T {
  const found = table.get(word);
  if (found !== undefined) return found;
  const known = [...table.keys()];
  throw new UnknownNameError(kind, word, known, nearestNames(word, known));
}
