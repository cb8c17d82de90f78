import { Marked, type TokenizerAndRendererExtension } from "marked";
import { cleanText, escapeXml } from "./xml.ts";

/**
 * Markdown (CommonMark, GitHub's tables, `[^1]` footnotes, TeX between dollars) as HTML. The HTML is
 * not trusted and may be broken: whatever HTML stood in the Markdown is still there.
 */
export function markdownToHtml(markdown: string): string {
  const clean = shallow(cleanText(markdown));
  try {
    const { text, notes } = takeFootnotes(clean);
    const numbers = new Map<string, number>();
    const extensions: TokenizerAndRendererExtension[] = [];
    if (notes.size > 0) extensions.push(footnoteReferences(notes, numbers));
    if (text.includes("$")) extensions.push(MATH);
    const marked = new Marked({ async: false, gfm: true, extensions });
    const html = marked.parse(text, { async: false });
    if (notes.size === 0) return html;
    return html + footnoteSection(notes, numbers, (note) => marked.parse(note, { async: false }));
  } catch {
    // The parser recurses: a text made to exhaust its stack becomes plain paragraphs.
    return plainParagraphs(clean);
  }
}

function plainParagraphs(text: string): string {
  return text.split(/\n{2,}/).map((paragraph) => `<p>${escapeXml(paragraph)}</p>`).join("\n");
}

/** Quotes in quotes are read anew at each level: beyond 12 levels the marks are dropped. */
function shallow(markdown: string): string {
  return markdown.replace(/^((?:[ \t]{0,3}>){12})[ \t>]+/gm, "$1 ");
}

/** Takes `[^name]: text` definitions, with their indented lines, out of the text. */
function takeFootnotes(markdown: string): { text: string; notes: Map<string, string> } {
  const notes = new Map<string, string>();
  if (!markdown.includes("[^")) return { text: markdown, notes };
  const kept: string[] = [];
  let fence: string | undefined;
  let open: string | undefined;
  for (const line of markdown.split("\n")) {
    const mark = /^ {0,3}(```|~~~)/.exec(line)?.[1];
    if (mark && (fence === undefined || fence === mark)) fence = fence ? undefined : mark;
    const start = fence ? null : /^ {0,3}\[\^([^\]\s]{1,80})\]:[ \t]*(.*)$/.exec(line);
    if (start) {
      open = start[1]!;
      if (!notes.has(open)) notes.set(open, start[2]!);
      else open = undefined;
    } else if (open !== undefined && /^(?: {2,}|\t)\S/.test(line)) {
      notes.set(open, `${notes.get(open)}\n${line.trimStart()}`);
    } else if (open !== undefined && line.trim() === "") {
      notes.set(open, `${notes.get(open)}\n`);
      kept.push(line);
    } else {
      open = undefined;
      kept.push(line);
    }
  }
  return { text: kept.join("\n"), notes };
}

function footnoteReferences(
  notes: ReadonlyMap<string, string>,
  numbers: Map<string, number>,
): TokenizerAndRendererExtension {
  return {
    name: "noteref",
    level: "inline",
    start: (source) => source.indexOf("[^"),
    tokenizer(source) {
      const match = /^\[\^([^\]\s]{1,80})\]/.exec(source);
      if (!match || !notes.has(match[1]!)) return undefined;
      return { type: "noteref", raw: match[0], note: match[1]! };
    },
    renderer(token) {
      const note = token["note"] as string;
      const first = !numbers.has(note);
      if (first) numbers.set(note, numbers.size + 1);
      const id = first ? ` id="note-reference:${escapeXml(note)}"` : "";
      const href = `#footnote:${encodeURIComponent(note)}`;
      return `<sup><a class="noteref"${id} href="${href}">${numbers.get(note)}</a></sup>`;
    },
  };
}

function footnoteSection(
  notes: ReadonlyMap<string, string>,
  numbers: ReadonlyMap<string, number>,
  render: (markdown: string) => string,
): string {
  let next = numbers.size;
  const ordered = [...notes].map(([note, text]) => ({
    note,
    text,
    referred: numbers.has(note),
    number: numbers.get(note) ?? ++next,
  })).sort((a, b) => a.number - b.number);
  const asides = ordered.map(({ note, text, number, referred }) => {
    const label = referred
      ? `<a class="backlink" href="#note-reference:${encodeURIComponent(note)}">${number}.</a> `
      : `${number}. `;
    const body = render(text).trim().replace(/^<p>/, `<p>${label}`);
    const whole = body.startsWith("<p>") ? body : `<p>${label}</p>${body}`;
    return `<aside class="footnote" id="footnote:${escapeXml(note)}">${whole}</aside>`;
  });
  return `<hr>${asides.join("\n")}`;
}

/** `$x^2$` and `$$…$$`, kept as TeX. Money (`$5 and $10`) is not math: TeX has at least one sign of TeX. */
const MATH: TokenizerAndRendererExtension = {
  name: "math",
  level: "inline",
  start: (source) => source.indexOf("$"),
  tokenizer(source) {
    const match = /^\$\$([^$]{1,4000})\$\$/.exec(source) ??
      /^\$(?!\s)([^$\n]{1,400})(?<!\s)\$(?!\d)/.exec(source);
    if (!match || !/[\\^_{}=<>+*/]|^\p{L}$/u.test(match[1]!)) return undefined;
    return { type: "math", raw: match[0], tex: match[1]!.trim() };
  },
  renderer: (token) => `<code class="math">${escapeXml(token["tex"] as string)}</code>`,
};
