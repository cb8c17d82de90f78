import { type ExportSource, languageTag } from "@carrel/sdk";

const RTL_SCRIPTS = new Set([
  "Adlm",
  "Arab",
  "Hebr",
  "Mand",
  "Nkoo",
  "Rohg",
  "Samr",
  "Syrc",
  "Thaa",
]);

/** Whether text in this language runs from right to left; without a language, by the text itself. */
export function isRightToLeft(language: string | undefined, text: string): boolean {
  if (language && language !== "und") {
    const script = new Intl.Locale(language).maximize().script;
    if (script) return RTL_SCRIPTS.has(script);
  }
  const sample = text.slice(0, 4000);
  const rtl = sample.match(
    /[\p{Script=Arabic}\p{Script=Hebrew}\p{Script=Syriac}\p{Script=Thaana}]/gu,
  );
  const letters = sample.match(/\p{L}/gu);
  return (rtl?.length ?? 0) * 2 > (letters?.length ?? 0);
}

/**
 * The languages of a book, most text first. A source without a language counts for none of them;
 * `und` (undetermined) stands alone when no source says one.
 */
export function bookLanguages(
  sources: readonly ExportSource[],
  chosen: string | undefined,
): readonly [string, ...string[]] {
  const weights = new Map<string, number>();
  for (const source of sources) {
    const language = languageTag(source.language);
    if (!language || language === "und") continue;
    weights.set(language, (weights.get(language) ?? 0) + source.markdown.length + 1);
  }
  const found = [...weights].sort((a, b) => b[1] - a[1]).map(([language]) => language);
  const first = languageTag(chosen) ?? found[0] ?? "und";
  return [first, ...found.filter((language) => language !== first)];
}
