import { stemmer } from "stemmer";
import { isUnspaced } from "../stores/unspaced.ts";

const WORD = /[\p{L}\p{N}]+/gu;

/** Folds case and diacritics, as the full-text index does. */
const fold = (word: string) => word.normalize("NFD").replace(/\p{M}/gu, "").toLowerCase();

/**
 * The ranges of `text` (UTF-16 code units, end exclusive) whose word has the stem of one of the query's, or
 * begins with its last one, as the full text matches.
 */
export function highlight(text: string, query: string): [start: number, end: number][] {
  const words = [...query.matchAll(WORD)].map(([word]) => fold(word));
  const last = words.at(-1);
  if (last === undefined) return [];
  const stems = new Set(words.map(stemmer));
  const ranges: [number, number][] = [];
  for (const match of text.matchAll(WORD)) {
    const word = fold(match[0]);
    if (isUnspaced(word)) {
      // The run is a whole sentence: the words are somewhere in it.
      for (const part of words.filter(isUnspaced)) {
        for (let at = word.indexOf(part); at !== -1; at = word.indexOf(part, at + part.length)) {
          ranges.push([match.index + at, match.index + at + part.length]);
        }
      }
    } else if (stems.has(stemmer(word)) || word.startsWith(last)) {
      ranges.push([match.index, match.index + match[0].length]);
    }
  }
  return ranges.sort(([a], [b]) => a - b);
}
