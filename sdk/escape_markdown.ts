/**
 * Marks what Markdown would take for its own signs. Only that: each needless backslash is one more
 * that a reader, a search index or a diff stumbles over.
 *
 * `text` is one line, or a part of one.
 */
export function escapeMarkdown(text: string, options: {
  /** Whether the text stands at the beginning of a line. @default true */
  readonly lineStart?: boolean | undefined;
} = {}): string {
  const escaped = text
    .replace(/\\(?=[!-/:-@[-`{-~])/g, "\\\\")
    .replace(/[*`~[\]]/g, "\\$&")
    // Underscores between letters are no emphasis.
    .replace(/(?<![\p{L}\p{N}_])_+|_+(?![\p{L}\p{N}_])/gu, (run) => "\\_".repeat(run.length))
    // At the end of a part nobody knows what follows.
    .replace(/<(?=[a-z/!?]|$)/gi, "\\<")
    .replace(/&(?=#?\w+;|$)/g, "\\&");
  if (options.lineStart === false) return escaped;
  return escaped
    .replace(/^(#{1,6})(?=\s|$)/, "\\$1")
    .replace(/^(?:>|[-+](?=\s|$)|-{2,}|=+\s*$)/, "\\$&")
    .replace(/^(\d{1,9})([.)])(?=\s|$)/, "$1\\$2");
}
