/**
 * How telling each sentence is: continuous LexRank with a bias towards the question.
 *
 * Sentences are compared by the cosine of their words, weighted by tf·idf over these sentences; the score is the
 * stationary distribution of a walk over the similarities that returns with probability `BIAS` to a sentence
 * that is relevant to the question and stands early in its source.
 *
 * - G. Erkan, D. R. Radev: LexRank: Graph-based Lexical Centrality as Salience in Text Summarization, JAIR 22
 *   (2004), §3.2: idf-modified cosine and continuous LexRank.
 * - J. Otterbacher, G. Erkan, D. R. Radev: Using Random Walks for Question-focused Sentence Retrieval, HLT/EMNLP
 *   2005, §2: the bias, and relevance as Σ log(tf_s + 1) · log(tf_q + 1) · idf over the words of the question.
 * - H. P. Edmundson: New Methods in Automatic Extracting, JACM 16 (1969): position as a clue.
 */

/** Word → weight, of length 1 in all. */
export type Vector = ReadonlyMap<string, number>;

export interface Ranked {
  /** One for each sentence; they add up to 1. */
  readonly scores: readonly number[];
  readonly vectors: readonly Vector[];
}

export interface RankOptions {
  readonly sentences: readonly string[];
  /** Where each stands in its source: 0 the first, 1 the last. */
  readonly positions: readonly number[];
  readonly question: string;
  readonly language: string | undefined;
}

/** Of the walk's steps, those that begin anew. LexRank's damping is 0.15; a question wants more. */
const BIAS = 0.3;
/** How much the first sentence of a source is worth above the last. */
const POSITION = 1;
const ROUNDS = 60;
const CLOSE = 1e-9;

export function rank({ sentences, positions, question, language }: RankOptions): Ranked {
  const counts = sentences.map((text) => countWords(text, language));
  const idf = idfOf(counts);
  const vectors = counts.map((count) => vectorOf(count, idf));
  const start = normal(
    positions.map((position, i) =>
      (1 + POSITION * (1 - position)) *
      (1 + relevance(counts[i]!, countWords(question, language), idf))
    ),
  );
  const edges = similarities(vectors);
  let scores = start;
  for (let round = 0; round < ROUNDS; round++) {
    const next = start.map((weight) => BIAS * weight);
    edges.forEach((list, from) => {
      const { total } = list;
      // A sentence that is like no other leads anywhere.
      if (total === 0) {
        start.forEach((weight, to) => next[to]! += (1 - BIAS) * scores[from]! * weight);
      }
      for (const { to, weight } of list.to) {
        next[to]! += (1 - BIAS) * scores[from]! * weight / total;
      }
    });
    const moved = next.reduce((sum, score, i) => sum + Math.abs(score - scores[i]!), 0);
    scores = next;
    if (moved < CLOSE) break;
  }
  return { scores, vectors };
}

/** 0 for nothing in common, 1 for the same words. */
export function cosine(a: Vector, b: Vector): number {
  const [small, large] = a.size < b.size ? [a, b] : [b, a];
  let sum = 0;
  for (const [word, weight] of small) sum += weight * (large.get(word) ?? 0);
  return sum;
}

export function countWords(text: string, language: string | undefined): Map<string, number> {
  const counts = new Map<string, number>();
  const words = new Intl.Segmenter(language ?? "en", { granularity: "word" });
  for (const { segment, isWordLike } of words.segment(text)) {
    if (!isWordLike) continue;
    const word = segment.normalize("NFKC").toLowerCase();
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

function idfOf(counts: readonly ReadonlyMap<string, number>[]): ReadonlyMap<string, number> {
  const found = new Map<string, number>();
  for (const count of counts) {
    for (const word of count.keys()) found.set(word, (found.get(word) ?? 0) + 1);
  }
  const all = counts.length;
  return new Map([...found].map(([word, n]) => [word, Math.log(1 + all / n) - Math.LN2]));
}

function vectorOf(
  count: ReadonlyMap<string, number>,
  idf: ReadonlyMap<string, number>,
): Vector {
  const weights = [...count].map(([word, tf]) => [word, tf * (idf.get(word) ?? 0)] as const)
    .filter(([, weight]) => weight > 0);
  const length = Math.sqrt(weights.reduce((sum, [, weight]) => sum + weight * weight, 0));
  return new Map(weights.map(([word, weight]) => [word, weight / length]));
}

function relevance(
  sentence: ReadonlyMap<string, number>,
  question: ReadonlyMap<string, number>,
  idf: ReadonlyMap<string, number>,
): number {
  let sum = 0;
  for (const [word, tf] of question) {
    const here = sentence.get(word);
    if (here !== undefined) sum += Math.log(here + 1) * Math.log(tf + 1) * (idf.get(word) ?? 0);
  }
  return sum;
}

interface Edges {
  readonly to: { readonly to: number; readonly weight: number }[];
  total: number;
}

/** Only pairs that share a word are looked at: by an index of words. */
function similarities(vectors: readonly Vector[]): readonly Edges[] {
  const index = new Map<string, { readonly at: number; readonly weight: number }[]>();
  const edges = vectors.map((): Edges => ({ to: [], total: 0 }));
  vectors.forEach((vector, at) => {
    const shared = new Map<number, number>();
    for (const [word, weight] of vector) {
      const list = index.get(word) ?? [];
      for (const other of list) {
        shared.set(other.at, (shared.get(other.at) ?? 0) + weight * other.weight);
      }
      list.push({ at, weight });
      index.set(word, list);
    }
    for (const [other, weight] of shared) {
      edges[at]!.to.push({ to: other, weight });
      edges[other]!.to.push({ to: at, weight });
      edges[at]!.total += weight;
      edges[other]!.total += weight;
    }
  });
  return edges;
}

function normal(weights: readonly number[]): number[] {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  return weights.map((weight) => weight / total);
}
