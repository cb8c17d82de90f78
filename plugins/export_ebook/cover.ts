import { type Book, countOf } from "./book.ts";
import { names } from "./chapter.ts";
import { clampLines, wrapText } from "./wrap.ts";
import { attributes, escapeXml, xhtmlPage } from "./xml.ts";

const WIDTH = 1200;
const HEIGHT = 1800;
const MARGIN = 110;
/** Where the paper ends and the wall with its windows begins. */
const HORIZON = 1040;

interface Palette {
  readonly paper: string;
  readonly wall: string;
  readonly shade: string;
  readonly light: string;
  readonly glow: string;
}

const PALETTES: readonly Palette[] = [
  { paper: "#f5eee0", wall: "#1f3044", shade: "#2c4159", light: "#f0bd5a", glow: "#fbe3a6" },
  { paper: "#f7efe2", wall: "#55232a", shade: "#6b333a", light: "#efb964", glow: "#fae2b0" },
  { paper: "#f3efe0", wall: "#1f4038", shade: "#2d534a", light: "#e9bd5c", glow: "#f8e5ab" },
  { paper: "#f4eee8", wall: "#3a2c52", shade: "#4c3d67", light: "#f1b878", glow: "#fce0bb" },
  { paper: "#f2efe4", wall: "#17454f", shade: "#245863", light: "#f3c26b", glow: "#fce6b4" },
  { paper: "#f6eddd", wall: "#493426", shade: "#5d4635", light: "#edb557", glow: "#fae0a4" },
];

/** An arcade of reading desks, seen from outside at night: one lit window for each source. */
export function makeCoverSvg(book: Book): string {
  const palette = PALETTES[hash(book.title) % PALETTES.length]!;
  const count = book.chapters.length;
  const start = { x: book.rtl ? WIDTH - MARGIN : MARGIN };
  const direction = book.rtl ? { direction: "rtl" } : {};
  const line = (text: string, y: number, size: number, extra: Record<string, string>) =>
    `<text${
      attributes({
        x: String(start.x),
        y: String(y),
        "font-size": String(size),
        ...direction,
        ...extra,
      })
    }>${escapeXml(text)}</text>`;

  const { size, lines } = fitTitle(book.title);
  const leading = Math.round(size * 1.14);
  let y = 250 + size;
  const title = lines.map((text, index) =>
    line(text, y + index * leading, size, {
      fill: palette.wall,
      "font-weight": "bold",
      "font-family": SERIF,
    })
  );
  y += (lines.length - 1) * leading;
  const ruleX = book.rtl ? WIDTH - MARGIN - 96 : MARGIN;
  const creators = clampLines(wrapText(names(book.creators), (WIDTH - 2 * MARGIN) / 42), 2);
  const author = creators.map((text, index) =>
    line(text, y + 142 + index * 52, 42, { fill: palette.wall, "font-family": SANS })
  );
  return `<?xml version="1.0" encoding="utf-8"?>
<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${HEIGHT}" viewBox="0 0 ${WIDTH} ${HEIGHT}">
<title>${escapeXml(book.title)}</title>
<defs>
<linearGradient id="lamp" x1="0" y1="0" x2="0" y2="1">
<stop offset="0" stop-color="${palette.light}"/>
<stop offset="1" stop-color="${palette.glow}"/>
</linearGradient>
</defs>
<rect width="${WIDTH}" height="${HEIGHT}" fill="${palette.paper}"/>
<rect y="${HORIZON}" width="${WIDTH}" height="${HEIGHT - HORIZON}" fill="${palette.wall}"/>
<rect y="${HORIZON}" width="${WIDTH}" height="10" fill="${palette.light}"/>
${
    line(`${countOf(count, "source")} · ${book.modified.slice(0, 4)}`.toUpperCase(), 178, 30, {
      fill: palette.wall,
      "font-family": SANS,
      "letter-spacing": "6",
      ...(book.rtl ? { direction: "ltr", "text-anchor": "end" } : {}),
    })
  }
<rect x="${MARGIN}" y="212" width="${WIDTH - 2 * MARGIN}" height="3" fill="${palette.wall}"/>
${title.join("\n")}
${
    creators.length > 0
      ? `<rect x="${ruleX}" y="${y + 62}" width="96" height="8" fill="${palette.light}"/>`
      : ""
  }
${author.join("\n")}
${arcade(count, palette, book.rtl)}
<text x="${WIDTH / 2}" y="${HEIGHT - 52}" font-size="26" font-family="${
    escapeXml(SANS)
  }" letter-spacing="10" text-anchor="middle" fill="${palette.glow}">CARREL</text>
</svg>
`;
}

export function makeCoverPage(book: Book): string {
  return xhtmlPage({
    title: book.title,
    language: book.languages[0],
    rtl: book.rtl,
    bodyClass: "cover",
    bodyType: "cover",
    body: `<img class="cover" src="cover.svg" alt="${
      escapeXml(["Cover: " + book.title, names(book.creators)].filter((part) => part).join(", by "))
    }" role="doc-cover"/>`,
  });
}

const SERIF = "'Iowan Old Style','Palatino Linotype',Palatino,'Book Antiqua',Georgia,serif";
const SANS = "'Avenir Next',Avenir,'Helvetica Neue',Helvetica,Arial,sans-serif";

/** The largest size at which the title stays above the author and the wall. */
function fitTitle(title: string): { size: number; lines: readonly string[] } {
  const room = WIDTH - 2 * MARGIN;
  for (const [size, max] of [[136, 3], [112, 4], [94, 5], [78, 6], [64, 7]] as const) {
    const lines = wrapText(title, room / size);
    if (
      lines.length <= max &&
      title.split(" ").every((word) => wrapText(word, room / size).length === 1)
    ) {
      return { size, lines: balanced(title, room / size, lines.length) };
    }
  }
  return { size: 64, lines: clampLines(wrapText(title, room / 64), 7) };
}

/** The same number of lines, as even as they come: the narrowest column that does not need more. */
function balanced(title: string, width: number, lines: number): readonly string[] {
  let best = wrapText(title, width);
  for (let narrower = width * 0.95; narrower > width * 0.4; narrower -= width * 0.05) {
    const tried = wrapText(title, narrower);
    if (tried.length > lines || tried.join(" ") !== best.join(" ")) break;
    best = tried;
  }
  return best;
}

/** Columns and rows by how many windows have to be lit. */
function grid(count: number): [columns: number, rows: number] {
  if (count <= 4) return [4, 1];
  if (count <= 12) return [6, 2];
  if (count <= 27) return [9, 3];
  return [12, 4];
}

function arcade(count: number, palette: Palette, rtl: boolean): string {
  const [columns, rows] = grid(count);
  const left = MARGIN;
  const top = HORIZON + 90;
  const pitchX = (WIDTH - 2 * MARGIN) / columns;
  const pitchY = (HEIGHT - 120 - top) / rows;
  const width = pitchX * 0.76;
  const height = pitchY * (rows === 1 ? 0.92 : 0.84);
  const out: string[] = [];
  for (let index = 0; index < columns * rows; index++) {
    const column = rtl ? columns - 1 - index % columns : index % columns;
    const x = left + column * pitchX + (pitchX - width) / 2;
    const y = top + Math.floor(index / columns) * pitchY;
    out.push(windowAt(x, y, width, height, index < count, palette));
  }
  return out.join("\n");
}

function windowAt(
  x: number,
  y: number,
  width: number,
  height: number,
  lit: boolean,
  palette: Palette,
): string {
  const radius = width / 2;
  const foot = y + height;
  const arch = (inset: number) =>
    `M${n(x + inset)} ${n(foot - inset)}V${n(y + radius)}a${n(radius - inset)} ${
      n(radius - inset)
    } 0 0 1 ${n(width - 2 * inset)} 0V${n(foot - inset)}z`;
  const shapes = [`<path d="${arch(0)}" fill="${palette.shade}"/>`];
  if (lit) {
    const inset = width * 0.07;
    const middle = x + radius;
    const desk = foot - height * 0.22;
    const page = width * 0.29;
    const rise = width * 0.13;
    // One half of an open book; `side` is -1 for the left page, 1 for the right one.
    const half = (side: number) =>
      `<path d="M${n(middle)} ${n(desk)}q${n(side * page * 0.5)} ${n(-rise * 0.75)} ${
        n(side * page)
      } ${n(-rise * 0.35)}v${n(-rise)}q${n(-side * page * 0.5)} ${n(-rise * 0.4)} ${
        n(-side * page)
      } ${n(rise * 0.35)}z" fill="${palette.wall}"/>`;
    shapes.push(
      `<path d="${arch(inset)}" fill="url(#lamp)"/>`,
      `<rect x="${n(x)}" y="${n(desk)}" width="${n(width)}" height="${
        n(foot - desk)
      }" fill="${palette.shade}"/>`,
      `<rect x="${n(x - inset)}" y="${n(desk)}" width="${n(width + 2 * inset)}" height="${
        n(Math.max(3, height * 0.022))
      }" fill="${palette.wall}"/>`,
      half(-1),
      half(1),
      `<path d="M${n(middle)} ${n(desk)}v${n(-rise)}" stroke="${palette.glow}" stroke-width="${
        n(Math.max(1.5, width * 0.016))
      }"/>`,
    );
  }
  return shapes.join("");
}

/** A coordinate with at most one digit behind the point. */
function n(value: number): string {
  return String(Math.round(value * 10) / 10);
}

/** FNV-1a, so that a title always gets the same colours. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(text)) {
    value = Math.imul(value ^ byte, 0x01000193) >>> 0;
  }
  return value;
}
