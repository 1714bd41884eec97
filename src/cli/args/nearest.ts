/** The word that was probably meant. */
import { distance } from 'fastest-levenshtein';

/** What begins a word: a single letter begins too many. */
const PREFIX_MIN = 2;

/**
 * `did you mean list?`, or undefined when no candidate is near: the first that begins with the word, else the
 * one with the fewest edits, at most one in three letters. The case of letters does not count. `dashes` stand
 * before the answer.
 */
export function didYouMean(word: string, candidates: readonly string[], dashes = ''): string | undefined {
  const lower = word.toLowerCase();
  const begun = candidates.find((candidate) => lower.length >= PREFIX_MIN && candidate.startsWith(lower));
  const meant = begun ?? nearest(lower, candidates);
  return meant === undefined ? undefined : `did you mean ${dashes}${meant}?`;
}

function nearest(word: string, candidates: readonly string[]): string | undefined {
  let best: string | undefined;
  let bestEdits = Math.max(1, Math.floor(word.length / 3));
  for (const candidate of candidates) {
    const edits = editsOf(word, candidate);
    // Hardly anybody mistypes the first letter.
    const better = best === undefined ? edits <= bestEdits : edits < bestEdits;
    if (better || (edits === bestEdits && best?.[0] !== word[0] && candidate[0] === word[0]))
      [best, bestEdits] = [candidate, edits];
  }
  return best;
}

/** Levenshtein's, but two neighbours in the wrong order are one slip of the fingers. */
function editsOf(word: string, candidate: string): number {
  const edits = distance(word, candidate);
  return edits === 2 && sorted(word) === sorted(candidate) ? 1 : edits;
}

function sorted(word: string): string {
  return [...word].sort().join('');
}
