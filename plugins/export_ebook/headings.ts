import { type Element, textOf } from "./html_tree.ts";

/** A heading of the chapter, for the contents. `level` 2 is a section of the chapter. */
export interface Heading {
  readonly level: number;
  readonly id: string;
  readonly text: string;
}

/**
 * Gives the headings levels from 2 on and collects them; their slugs become anchors. With
 * `mayHaveTitle`, a lone first heading above all others is taken for a title: it ranks with those
 * below it, which it would otherwise hide from the contents.
 */
export function settleHeadings(
  blocks: readonly Element[],
  anchors: Map<string, string>,
  mayHaveTitle: boolean,
): Heading[] {
  const found: Element[] = [];
  const visit = (element: Element) => {
    if (isHeading(element)) found.push(element);
    else for (const child of element.children) if (typeof child !== "string") visit(child);
  };
  blocks.forEach(visit);
  const levelOf = (heading: Element) => Number(heading.tag[1]);
  const [first, ...others] = found;
  const highestOf = (headings: readonly Element[]) =>
    headings.reduce((level, heading) => Math.min(level, levelOf(heading)), 6);
  let highest = highestOf(found);
  if (mayHaveTitle && first && others.length > 0 && highestOf(others) > levelOf(first)) {
    highest = highestOf(others);
  }
  return found.map((heading) => {
    const level = Math.max(2, Math.min(6, levelOf(heading) - highest + 2));
    (heading as { tag: string }).tag = `h${level}`;
    const text = textOf(heading).replace(/\s+/g, " ").trim();
    const id = heading.attrs["id"]!;
    const slug = text.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, "").replace(/\s/g, "-");
    if (slug && !anchors.has(slug)) anchors.set(slug, id);
    return { level, id, text };
  });
}

/** Whether an element is a heading that says what the chapter's title says, but for case and signs. */
export function repeatsTitle(element: Element, title: string): boolean {
  const bare = (text: string) => text.toLowerCase().replace(/[^\p{L}\p{N}]+/gu, "");
  return isHeading(element) && bare(title) !== "" && bare(textOf(element)) === bare(title);
}

function isHeading(element: Element): boolean {
  return /^h[1-6]$/.test(element.tag);
}
