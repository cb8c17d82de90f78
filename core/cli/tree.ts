/** Draws a lineage as a tree: the thing on top, below each node what it was made by, of or with. */
import type { GenealogyJson } from "../http/schemas.ts";
import type { Style } from "./format.ts";
import { when } from "./format.ts";
import { clean, cut, widthOf } from "./width.ts";

export interface TreeOptions {
  readonly style: Style;
  /** Columns; longer labels are cut. */
  readonly width: number;
  /** Edges followed from the root. @default all */
  readonly depth?: number | undefined;
  /** Leaves out the kinds of edges that are not wanted. */
  readonly follow?: ((edge: GenealogyJson["edges"][number]) => boolean) | undefined;
  /** Ids of what was deleted softly: it is still known by its name, and no longer there. */
  readonly deleted?: ReadonlySet<string> | undefined;
  /** Where the drawing begins. @default the genealogy's root */
  readonly from?: string | undefined;
}

/** The words for an edge, read from parent to child. */
const EDGE_WORDS: Readonly<Record<string, string>> = {
  GENERATED_FROM: "from",
  HAS_SCRIPT: "has",
  HAS_SCENE: "has",
  HAS_PART: "has",
  SOURCED_FROM: "from",
  USED_PARAGRAPH: "used",
  GENERATED_BY: "made by",
  NARRATED_BY: "spoken by",
  CREATED_BY: "for",
  VERSION_OF: "version of",
  CITES: "cites",
  HAS_LICENSE: "licence",
  IMPORTED_BY: "imported by",
  RAN_AS: "ran as",
};

/** Parts first, then sources, then who and what made it; edges of one kind stay in their order. */
const RANK = [
  "HAS_PART",
  "HAS_SCRIPT",
  "HAS_SCENE",
  "USED_PARAGRAPH",
  "SOURCED_FROM",
  "GENERATED_FROM",
  "VERSION_OF",
  "CITES",
  "GENERATED_BY",
  "IMPORTED_BY",
  "NARRATED_BY",
  "HAS_LICENSE",
  "RAN_AS",
  "CREATED_BY",
];

function rankOf(type: string): number {
  const rank = RANK.indexOf(type);
  return rank < 0 ? RANK.length : rank;
}

/** Columns of a label that a part's whole id must leave. */
const LEAST_LABEL = 24;

type Node = GenealogyJson["nodes"][number];

/** What is left of a thing that was deleted for good. */
const TOMBSTONE = "Tombstone";

/** What a node is: a part says its kind itself. */
function typeOf(node: Node): string {
  if (node.type === TOMBSTONE) return "Deleted";
  const { kind } = node.properties;
  return node.type === "Part" && typeof kind === "string" && kind !== ""
    ? kind[0]!.toUpperCase() + kind.slice(1)
    : node.type;
}

/** What a node is called; of what was deleted, only the id is left. */
function labelOf(node: Node): string {
  if (node.type !== TOMBSTONE) return node.label;
  const { deleted } = node.properties;
  return typeof deleted === "string" ? `${node.id} on ${when(deleted)}` : node.id;
}

/** The id of a part, `artifact_…#chapter-1`: what `carrel provenance` takes. */
function partId(node: Node | undefined): string {
  return node?.type === "Part" && node.id.includes("#") ? node.id : "";
}

/** What tells a node from others of the same name: an address, a file's name, a digest, a place in a file. */
function detailOf(node: Node): string {
  const { url, filename, digest, location } = node.properties;
  if (node.type === TOMBSTONE) return "";
  if (typeof location === "string") return location;
  if (typeof filename === "string") return filename;
  if (typeof url === "string") return url.replace(/^upload:([0-9a-f]{12})[0-9a-f]*$/, "sha256 $1…");
  if (typeof digest === "string") return `sha256 ${digest.slice(0, 12)}…`;
  return node.type === "Job" ? node.id : "";
}

/**
 * Lines with box-drawing characters. A node that was drawn before is named again and not opened again, so that
 * a graph with cycles or shared ancestors ends.
 */
export function drawTree(genealogy: GenealogyJson, options: TreeOptions): string[] {
  const { style } = options;
  const nodes = new Map(genealogy.nodes.map((node) => [node.id, node]));
  const below = new Map<string, GenealogyJson["edges"]>();
  for (const edge of genealogy.edges) {
    if (options.follow && !options.follow(edge)) continue;
    below.set(edge.from, [...(below.get(edge.from) ?? []), edge]);
  }
  const lines: string[] = [];
  const drawn = new Set<string>();

  const draw = (
    id: string,
    lead: string,
    rest: string,
    words: string,
    claim: string,
    depth: number,
  ) => {
    const node = nodes.get(id);
    const type = clean(node === undefined ? "" : typeOf(node));
    const label = clean(node === undefined ? id : labelOf(node));
    const children = [...below.get(id) ?? []].sort((a, b) => rankOf(a.type) - rankOf(b.type));
    const again = drawn.has(id) && children.length > 0;
    const tail = [
      ...(options.deleted?.has(id) ? ["deleted"] : []),
      ...(claim ? [`claimed by ${claim}`] : []),
      ...(again ? ["see above"] : []),
    ].join(", ");
    const note = tail === "" ? "" : `  (${tail})`;
    const before = widthOf(lead) + (words ? widthOf(words) + 1 : 0) +
      (type ? widthOf(type) + 1 : 0);
    const room = Math.max(12, options.width - before - widthOf(note));
    // An id is for copying: it is whole, or it is short and whole.
    const whole = clean(partId(node));
    const part = widthOf(whole) + 2 + LEAST_LABEL <= room ? whole : whole.replace(/^.*(?=#)/, "");
    const shown = cut(label, part === "" ? room : Math.max(12, room - widthOf(part) - 2));
    // The detail stands only where it does not crowd out the label.
    const left = room - widthOf(shown) - 2;
    const detail = part !== ""
      ? part
      : node === undefined || left < 16
      ? ""
      : cut(clean(detailOf(node)), left);
    lines.push(
      style.dim(lead) + (words ? style.dim(words) + " " : "") +
        (type ? style.cyan(type) + " " : "") + shown +
        (detail ? `  ${style.dim(detail)}` : "") + style.dim(note),
    );
    if (again || depth === 0) return;
    drawn.add(id);
    children.forEach((edge, i) => {
      const last = i === children.length - 1;
      draw(
        edge.to,
        rest + (last ? "└─ " : "├─ "),
        rest + (last ? "   " : "│  "),
        EDGE_WORDS[edge.type] ?? clean(edge.type.toLowerCase().replaceAll("_", " ")),
        edge.claimed_by === "host" ? "" : clean(edge.claimed_by),
        depth - 1,
      );
    });
  };
  draw(options.from ?? genealogy.root, "", "", "", "", options.depth ?? Infinity);
  if (genealogy.truncated) lines.push(style.dim("… more above: ask with a larger --depth"));
  return lines;
}
