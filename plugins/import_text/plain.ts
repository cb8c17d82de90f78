import { escapeMarkdown } from "@carrel/sdk";

/** Lines shorter than this, all of a paragraph, are verse, an address or a list: they keep their ends. */
const SHORT_LINE = 45;

/** Plain text as Markdown that reads the same: paragraphs, indented blocks and short lines stay so. */
export function plainToMarkdown(text: string): string {
  const paragraphs = text.replace(/\f/g, "\n\n").split(/\n(?:[ \t]*\n)+/);
  return paragraphs.map(paragraph).filter((block) => block !== "").join("\n\n");
}

function paragraph(block: string): string {
  const lines = block.split("\n").map((line) => line.trimEnd()).filter((line) =>
    line.trim() !== ""
  );
  if (lines.length === 0) return "";
  const underline = lines.length === 2 ? /^(?:={3,}|-{3,})$/.exec(lines[1]!)?.[0] : undefined;
  if (underline !== undefined) {
    const text = escapeMarkdown(lines[0]!.trim(), { lineStart: false });
    return `${underline.startsWith("=") ? "#" : "##"} ${text}`;
  }
  if (lines.length > 1 && lines.every((line) => /^(\t| {4})/.test(line))) return verbatim(lines);
  const escaped = lines.map((line) => escapeMarkdown(line.trim().replace(/[ \t]+/g, " ")));
  const short = lines.slice(0, -1).every((line) => line.trim().length < SHORT_LINE);
  return escaped.join(short ? "\\\n" : "\n");
}

/** Tables, drawings and code are set by their spaces. */
function verbatim(lines: readonly string[]): string {
  const spread = lines.map((line) => line.replace(/\t/g, "    "));
  const margin = Math.min(...spread.map((line) => line.search(/\S/)));
  const ticks = Math.max(
    2,
    ...lines.flatMap((line) => [...line.matchAll(/`+/g)].map(([run]) => run.length)),
  );
  const fence = "`".repeat(ticks + 1);
  return `${fence}\n${spread.map((line) => line.slice(margin)).join("\n")}\n${fence}`;
}

/** The first line, if it stands alone and is short: most texts begin with their name. */
export function plainTitle(text: string): string | undefined {
  const [first = "", next] = text.trimStart().split("\n", 2);
  const title = first.replace(/\s+/g, " ").trim();
  const alone = next === undefined || next.trim() === "" || /^[=-]{3,}\s*$/.test(next);
  const good = alone && title.length >= 3 && title.length <= 100 && /\p{L}/u.test(title) &&
    !/[.,;:]$/.test(title);
  return good ? title : undefined;
}
