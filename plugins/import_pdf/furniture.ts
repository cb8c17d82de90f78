import type { Line } from "./lines.ts";

/** Lines looked at from the top and from the bottom of a page. */
const EDGE = 2;

/**
 * Takes away what is printed on most pages: running titles, footers, page numbers. A line goes if
 * its text, digits aside, stands at an edge of at least half of the pages, and of three.
 */
export function withoutFurniture(pages: readonly (readonly Line[])[]): Line[][] {
  const seen = new Map<string, number>();
  const edges = pages.map(edgeKeys);
  for (const keys of edges) {
    for (const key of new Set(keys.values())) seen.set(key, (seen.get(key) ?? 0) + 1);
  }
  const often = Math.max(3, pages.filter((lines) => lines.length > 0).length / 2);
  return pages.map((lines, index) => {
    const kept = lines.filter((line) => {
      const key = edges[index]!.get(line);
      return key === undefined || seen.get(key)! < often;
    });
    // A page that holds nothing else says just that.
    return kept.length === 0 ? [...lines] : kept;
  });
}

function edgeKeys(lines: readonly Line[]): Map<Line, string> {
  const byHeight = [...lines].sort((a, b) => b.y - a.y);
  const keys = new Map<Line, string>();
  for (const line of [...byHeight.slice(0, EDGE), ...byHeight.slice(-EDGE)]) {
    keys.set(line, line.text.toLowerCase().replace(/\d+/g, "#").replace(/\s+/g, ""));
  }
  return keys;
}
