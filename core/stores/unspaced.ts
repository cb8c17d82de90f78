/** Scripts that are written without spaces between words: there each letter is looked for as a word. */
const UNSPACED =
  /[\p{sc=Han}\p{sc=Hiragana}\p{sc=Katakana}\p{sc=Thai}\p{sc=Lao}\p{sc=Khmer}\p{sc=Myanmar}][\p{M}ー]*/gu;

/** Whether a word is of such a script, at least in part. */
export function isUnspaced(word: string): boolean {
  UNSPACED.lastIndex = 0;
  return UNSPACED.test(word);
}

/**
 * The text with a space around each letter of such a script, for an index that parts words at spaces; a
 * query made of the same letters is then a phrase of them. Other text comes back as it is.
 */
export function spaced(text: string): string {
  return text.replace(UNSPACED, " $& ");
}
