/** How much of a text is no text: signs of fonts that do not say which letters they draw. */
export interface TextQuality {
  /** Characters that are no letters of any script: controls, private use, replacement, unassigned. */
  readonly broken: number;
  readonly total: number;
}

/** Marks of lists in the private area where old symbol fonts have them. */
const SYMBOL_BULLET = /[\uF0A7\uF0A8\uF0B7\uF0D8\uF0FC\uF076]/g;

const BROKEN = /[\p{Cc}\p{Co}\p{Cn}\uFFFD]/gu;

export function measure(original: string): TextQuality {
  const text = original.replace(SYMBOL_BULLET, "•");
  let broken = 0;
  let spaces = 0;
  for (const [char] of text.matchAll(/[\p{Cc}\p{Co}\p{Cn}\uFFFD\s]/gu)) {
    if (/\s/.test(char)) spaces++;
    else broken++;
  }
  return { broken, total: text.length - spaces };
}

/** Broken characters become spaces: in fonts that are legible otherwise they mostly are just that. */
export function cleaned(text: string): string {
  return text.replace(SYMBOL_BULLET, "•").replace(BROKEN, " ").replace(/\s+/g, " ");
}

/** The fonts of which so much is broken that the rest of their text, too, is chance. */
export function brokenFonts(
  items: Iterable<{ readonly fontName: string; readonly str: string }>,
): Set<string> {
  const fonts = new Map<string, { broken: number; total: number }>();
  for (const { fontName, str } of items) {
    const sum = fonts.get(fontName) ?? { broken: 0, total: 0 };
    const { broken, total } = measure(str);
    sum.broken += broken;
    sum.total += total;
    fonts.set(fontName, sum);
  }
  const names = [...fonts].filter(([, sum]) => sum.broken > sum.total * 0.3).map(([name]) => name);
  return new Set(names);
}

/** Sentences for `warnings`, by page numbers. */
export function qualityWarnings(
  pages: readonly { readonly page: number; readonly quality: TextQuality }[],
): string[] {
  const warnings: string[] = [];
  const bare = pages.filter(({ quality }) => quality.total === 0).map(({ page }) => page);
  if (bare.length === pages.length) {
    warnings.push(
      "The document has no text layer: its pages are pictures, so there is no text to search.",
    );
  } else if (bare.length > 0) {
    warnings.push(`No text was found on ${pageList(bare)}.`);
  }
  const garbled = pages.filter(({ quality }) =>
    quality.broken > 2 && quality.broken > quality.total * 0.02
  )
    .map(({ page }) => page);
  if (garbled.length > 0) {
    warnings.push(
      `The fonts on ${
        pageList(garbled)
      } do not say which letters they draw, so that text is wrong or missing in part.`,
    );
  }
  return warnings;
}

/** `page 3`, `pages 1–4 and 7`. */
function pageList(pages: readonly number[]): string {
  const ranges: string[] = [];
  for (let i = 0; i < pages.length; i++) {
    const from = pages[i]!;
    while (pages[i + 1] === pages[i]! + 1) i++;
    ranges.push(pages[i] === from ? `${from}` : `${from}–${pages[i]}`);
  }
  const shown = ranges.length > 8 ? [...ranges.slice(0, 8), "others"] : ranges;
  const list = shown.length === 1
    ? shown[0]!
    : `${shown.slice(0, -1).join(", ")} and ${shown.at(-1)}`;
  return `${pages.length === 1 ? "page" : "pages"} ${list}`;
}
