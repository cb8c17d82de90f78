/** Reads the lineage: ancestors of a thing, and the attribution of an artifact. */
import { createBreather } from "../breathe.ts";
import { CarrelError } from "../errors.ts";
import type { SqlStore } from "../stores/sql.ts";
import { attributionText } from "./attribution_text.ts";
import type { AttributedPart, LineageEdge, LineageNode, Provenance } from "./provenance.ts";

const DEFAULT_DEPTH = 10;
const MAX_DEPTH = 50;
/** Nodes of one answer: what a person or a page can still take in. */
const MAX_NODES = 5_000;
/** Passages of one attribution: parts that each name the same long source whole would multiply them. */
const MAX_PASSAGES = 100_000;
/** Ids of one statement, below every dialect's bound on variables. */
const IDS_AT_ONCE = 500;

type Source = AttributedPart["sources"][number];
type Passage = Source["passages"][number];

/** The passages of a revision, in order, and the place of each id among them. */
interface Passages {
  readonly all: readonly Passage[];
  readonly places: ReadonlyMap<string, number>;
}

const NO_PASSAGES: Passages = { all: [], places: new Map() };

export function createProvenance(sql: SqlStore): Provenance {
  const { db } = sql;

  async function nodesOf(ids: readonly string[]): Promise<LineageNode[]> {
    const nodes: LineageNode[] = [];
    for (let at = 0; at < ids.length; at += IDS_AT_ONCE) {
      const rows = await db.selectFrom("lineage_node").selectAll()
        .where("id", "in", ids.slice(at, at + IDS_AT_ONCE)).execute();
      for (const { id, type, label, properties_json } of rows) {
        nodes.push({ id, type, label, properties: JSON.parse(properties_json) });
      }
    }
    return nodes;
  }

  /** Their properties as JSON text: most readers want none. */
  async function edgesFrom(ids: readonly string[]) {
    const edges: (LineageEdge & { properties: string })[] = [];
    const breathe = createBreather();
    for (let at = 0; at < ids.length; at += IDS_AT_ONCE) {
      const rows = await db.selectFrom("lineage_edge").selectAll()
        .where("from_id", "in", ids.slice(at, at + IDS_AT_ONCE)).execute();
      for (const row of rows) {
        edges.push({
          from: row.from_id,
          to: row.to_id,
          type: row.type,
          claimedBy: row.claimed_by,
          properties: row.properties_json,
        });
      }
      await breathe();
    }
    return edges;
  }

  async function node(id: string): Promise<LineageNode> {
    const [found] = await nodesOf([id]);
    if (found) return found;
    throw new CarrelError(
      "not_found",
      `Cannot show the lineage of "${id}": nothing is known of it`,
    );
  }

  /** Contents that are still there, by id. */
  async function citedOf(ids: readonly string[]) {
    const rows = [];
    for (let at = 0; at < ids.length; at += IDS_AT_ONCE) {
      rows.push(
        ...await db.selectFrom("content")
          .select(["id", "title", "authors_json", "published", "licence", "url"])
          .where("id", "in", ids.slice(at, at + IDS_AT_ONCE)).execute(),
      );
    }
    return new Map(rows.map((row) => [row.id, row]));
  }

  /** Reads the passages of revisions, each revision once. */
  function createPassages(): (revision: string | undefined) => Promise<Passages> {
    const known = new Map<string, Passages>();
    return async (revision) => {
      if (revision === undefined) return NO_PASSAGES;
      const before = known.get(revision);
      if (before) return before;
      const rows = await db.selectFrom("chunk").select(["id", "start", "end", "page"])
        .where("revision_id", "=", revision).orderBy("position").execute();
      const read: Passages = {
        all: rows.map(({ id, start, end, page }) => ({
          chunk: id,
          start,
          end,
          page: page ?? undefined,
        })),
        places: new Map(rows.map(({ id }, place) => [id, place])),
      };
      known.set(revision, read);
      return read;
    };
  }

  return {
    async genealogy(id, { depth = DEFAULT_DEPTH }) {
      const root = await node(id);
      const seen = new Set([root.id]);
      const edges: LineageEdge[] = [];
      let level = [root.id];
      let truncated = false;
      // Breadth first, one statement a level: a cycle ends where it began.
      for (let d = 0; level.length > 0; d++) {
        if (d === Math.min(Math.max(depth, 0), MAX_DEPTH)) {
          truncated = (await edgesFrom(level)).length > 0;
          break;
        }
        const next: string[] = [];
        for (const { from, to, type, claimedBy } of await edgesFrom(level)) {
          if (!seen.has(to)) {
            if (seen.size === MAX_NODES) {
              truncated = true;
              continue;
            }
            seen.add(to);
            next.push(to);
          }
          edges.push({ from, to, type, claimedBy });
        }
        level = next;
      }
      const nodes = await nodesOf([...seen]);
      // The root first, then in the order in which they were met.
      const order = new Map([...seen].map((nodeId, at) => [nodeId, at]));
      nodes.sort((a, b) => (order.get(a.id) ?? 0) - (order.get(b.id) ?? 0));
      return { root: root.id, nodes, edges, truncated };
    },

    async attribution(artifact) {
      const root = await node(artifact);
      if (root.type !== "Artifact") {
        throw new CarrelError(
          "bad_request",
          `Cannot attribute "${artifact}": it is a ${root.type}, not an artifact`,
        );
      }
      const edges = await edgesFrom([artifact]);
      const partEdges = edges.filter((edge) => edge.type === "HAS_PART");
      const partNodes = await nodesOf(partEdges.map((edge) => edge.to));
      const claims = await edgesFrom(partNodes.map((part) => part.id));
      const generated = edges.filter((edge) => edge.type === "GENERATED_FROM");
      const sources = new Map(
        (await nodesOf(generated.map((edge) => edge.to))).map((source) => [source.id, source]),
      );
      const byPart = Map.groupBy(claims, (claim) => claim.from);
      const claimants = new Map(partEdges.map((edge) => [edge.to, edge.claimedBy]));
      const passagesOf = createPassages();
      const breathe = createBreather();
      const parts: AttributedPart[] = [];
      let left = MAX_PASSAGES;
      let truncated = false;
      partNodes.sort((a, b) => Number(a.properties["position"]) - Number(b.properties["position"]));
      for (const part of partNodes) {
        const used: Source[] = [];
        for (const claim of byPart.get(part.id) ?? []) {
          if (claim.type !== "SOURCED_FROM") continue;
          const source = sources.get(claim.to);
          const properties = JSON.parse(claim.properties);
          const revision = text(properties["revision"]);
          const named = among(await passagesOf(revision), properties["chunks"]);
          const passages = named.slice(0, left);
          left -= passages.length;
          truncated ||= passages.length < named.length;
          used.push({
            content: claim.to,
            title: source?.label ?? "(deleted)",
            url: text(source?.properties["url"]),
            revision,
            passages,
          });
          await breathe();
        }
        parts.push({
          id: text(part.properties["part"]) ?? part.id,
          kind: text(part.properties["kind"]) ?? "section",
          title: part.label,
          location: text(part.properties["location"]),
          claimedBy: claimants.get(part.id) ?? "host",
          sources: used,
        });
      }
      const cited = await citedOf([...sources.keys()]);
      const order = [...new Set(generated.map((edge) => edge.to))];
      return {
        artifact,
        text: attributionText(
          order.map((id) => {
            const row = cited.get(id);
            return {
              title: row?.title ?? sources.get(id)?.label ?? "(deleted)",
              authors: row ? JSON.parse(row.authors_json) : [],
              published: row?.published ?? undefined,
              url: row && !row.url.startsWith("upload:") ? row.url : undefined,
              filename: text(sources.get(id)?.properties["filename"]),
              licence: row?.licence ?? text(sources.get(id)?.properties["licence"]),
            };
          }),
        ),
        parts,
        truncated,
      };
    },

    async generatedFrom(content) {
      const rows = await db.selectFrom("lineage_edge")
        .innerJoin("artifact", "artifact.id", "lineage_edge.from_id")
        .select(["artifact.id as artifact", "artifact.title", "artifact.created"])
        .where("lineage_edge.to_id", "=", content)
        .where("lineage_edge.type", "=", "GENERATED_FROM")
        .orderBy("artifact.id", "desc")
        .execute();
      return rows;
    },
  };
}

/** Those of the passages that a claim names, in their order; all for a claim of the whole source. */
function among({ all, places }: Passages, named: unknown): readonly Passage[] {
  if (!Array.isArray(named)) return all;
  const found = new Set(named.map((chunk) => places.get(chunk)));
  return [...found].filter((place) => place !== undefined).sort((a, b) => a - b)
    .map((place) => all[place]!);
}

const text = (value: unknown): string | undefined => typeof value === "string" ? value : undefined;
