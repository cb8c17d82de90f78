export interface CitedSource {
  readonly title: string;
  readonly authors: readonly string[];
  readonly published: string | undefined;
  readonly url: string | undefined;
  /** The name of the file, for what was uploaded. */
  readonly filename: string | undefined;
  readonly licence: string | undefined;
}

/** The attribution to print below a work: title, authors, year, address and licence, one line a source. */
export function attributionText(sources: readonly CitedSource[]): string {
  return sources.map((source) => {
    const year = /^\d{4}/.exec(source.published ?? "")?.[0];
    const by = source.authors.length > 0 ? ` by ${source.authors.join(", ")}` : "";
    const when = year ? ` (${year})` : "";
    const place = source.url ?? source.filename;
    const where = place ? `, ${place}` : "";
    const licence = source.licence ? `, licensed ${source.licence}` : "";
    return `“${source.title}”${by}${when}${where}${licence}.`;
  }).join("\n");
}
