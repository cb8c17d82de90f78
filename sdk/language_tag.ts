/** A BCP 47 language tag in its canonical form (`en_us` → `en-US`); undefined for what is none. */
export function languageTag(tag: unknown): string | undefined {
  if (typeof tag !== "string" || tag.trim() === "") return undefined;
  try {
    return Intl.getCanonicalLocales(tag.trim().replaceAll("_", "-"))[0];
  } catch {
    return undefined;
  }
}
