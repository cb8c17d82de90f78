/** A text to put on a page, at a point from the lower left corner. */
export interface Placed {
  readonly text: string;
  readonly x?: number;
  readonly y: number;
  /** @default 10 */
  readonly size?: number;
  /** Sets it in a font that does not say which letters it draws. @default false */
  readonly illegible?: boolean;
}

export interface PdfParts {
  /** Texts of each page. A string is a whole content stream. */
  readonly pages: readonly (readonly Placed[] | string)[];
  /** Entries of the information dictionary, as they stand in the file, for example `(A title)`. */
  readonly info?: Readonly<Record<string, string>>;
  /** Puts a picture into the file. */
  readonly picture?: boolean;
}

/** For tests: writes a small PDF 1.4 by hand, in Helvetica, uncompressed. Bytes are Latin-1. */
export function makePdf({ pages, info = {}, picture = false }: PdfParts): Uint8Array {
  const objects: string[] = [];
  const add = (body: string) => objects.push(body);
  const first = 7;
  const kids = pages.map((_, i) => `${first + 2 * i} 0 R`).join(" ");
  add("<< /Type /Catalog /Pages 2 0 R >>");
  add(`<< /Type /Pages /Kids [${kids}] /Count ${pages.length} >>`);
  add(
    `<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>`,
  );
  add(`<< ${Object.entries(info).map(([key, value]) => `/${key} ${value}`).join(" ")} >>`);
  add("<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /ToUnicode 6 0 R >>");
  add(stream("", PRIVATE_MAP));
  pages.forEach((page, i) => {
    const content = typeof page === "string" ? page : page.map(show).join("\n");
    add(
      `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 600 800] /Contents ${first + 2 * i + 1} 0 R ` +
        "/Resources << /Font << /F1 3 0 R /F2 5 0 R >> >> >>",
    );
    add(stream("", content));
  });
  if (picture) {
    add(stream(
      "/Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8",
      "\0",
    ));
  }
  let file = "%PDF-1.4\n";
  const offsets = objects.map((body, i) => {
    const offset = file.length;
    file += `${i + 1} 0 obj\n${body}\nendobj\n`;
    return offset;
  });
  const table = file.length;
  file += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n`;
  for (const offset of offsets) file += `${String(offset).padStart(10, "0")} 00000 n \n`;
  file += `trailer\n<< /Size ${objects.length + 1} /Root 1 0 R /Info 4 0 R >>\n`;
  file += `startxref\n${table}\n%%EOF\n`;
  return Uint8Array.from(file, (char) => char.charCodeAt(0));
}

/** Maps each letter to a place in Unicode that belongs to nobody. */
const PRIVATE_MAP = "/CIDInit /ProcSet findresource begin begincmap " +
  "1 begincodespacerange <00> <FF> endcodespacerange " +
  "1 beginbfrange <20> <7E> <E020> endbfrange endcmap end";

/** A stream object from its dictionary's entries and its bytes. */
function stream(entries: string, bytes: string): string {
  return `<< ${entries} /Length ${bytes.length} >>\nstream\n${bytes}\nendstream`;
}

function show({ text, x = 50, y, size = 10, illegible = false }: Placed): string {
  const escaped = text.replace(/[\\()]/g, "\\$&");
  return `BT /F${illegible ? 2 : 1} ${size} Tf 1 0 0 1 ${x} ${y} Tm (${escaped}) Tj ET`;
}

/** For tests: lines of text one below the other. */
export function column(
  lines: readonly string[],
  options: { x?: number; top?: number; size?: number; leading?: number } = {},
): Placed[] {
  const { x = 50, top = 700, size = 10, leading = 12 } = options;
  return lines.map((text, i) => ({ text, x, y: top - i * leading, size }));
}
