/**
 * Writes the lineage: what the host saw goes in as `host`, what a plugin says of its own work as a claim of
 * that plugin. An edge leads from what was made to what it was made by, of or with.
 */
import type { Attribution, ContentType } from "../../sdk/types.ts";
import { createBreather } from "../breathe.ts";
import type { Job } from "../jobs/job.ts";
import type { Tx } from "../stores/sql.ts";
import type {
  AnnouncedFact,
  GeneratedFact,
  ImportedFact,
  Maker,
  PluginVersion,
  UsedSource,
  WrittenFact,
} from "./facts.ts";

export type { GeneratedFact, ImportedFact } from "./facts.ts";

export type NodeType =
  | "Document"
  | "WebPage"
  | "Paper"
  | "Video"
  | "Audio"
  | "Post"
  | "Repository"
  | "Feed"
  | "Artifact"
  | "Part"
  | "PluginVersion"
  | "AIModel"
  | "Job"
  | "User"
  | "License"
  | "Tombstone";

export type EdgeType =
  | "GENERATED_FROM"
  | "GENERATED_BY"
  | "HAS_PART"
  | "SOURCED_FROM"
  | "CREATED_BY"
  | "VERSION_OF"
  | "HAS_LICENSE"
  | "IMPORTED_BY"
  | "RAN_AS";

const NODE_OF_CONTENT: Readonly<Record<ContentType, NodeType>> = {
  document: "Document",
  webpage: "WebPage",
  academic_paper: "Paper",
  video: "Video",
  audio: "Audio",
  social_media: "Post",
  repository: "Repository",
  feed: "Feed",
};

/** The id of a plugin version's node: the same code has the same node. */
export function pluginNode(plugin: PluginVersion): string {
  return `plugin:${plugin.id}@${plugin.version}+${plugin.digest.slice(0, 12)}`;
}

/** The id of a part's node within an artifact. */
export function partNode(artifact: string, part: string): string {
  return `${artifact}#${part}`;
}

/** Rows of one multi-row insert: a few milliseconds, then the loop may turn. */
const ROWS_AT_ONCE = 200;

/** Writes lineage within a transaction; `now` stamps what is new. */
export function lineageOf(tx: Tx, now: string) {
  const nodes = new Map<string, { type: NodeType; label: string; properties: object }>();
  const edges: {
    from: string;
    to: string;
    type: EdgeType;
    claimedBy: string;
    properties: object;
  }[] = [];

  const node = (id: string, type: NodeType, label: string, properties: object = {}): string => {
    nodes.set(id, { type, label, properties });
    return id;
  };
  const edge = (
    from: string,
    type: EdgeType,
    to: string,
    properties: object = {},
    claimedBy = "host",
  ) => {
    edges.push({ from, to, type, claimedBy, properties });
  };

  const pluginVersion = (plugin: PluginVersion) =>
    node(pluginNode(plugin), "PluginVersion", `${plugin.id} ${plugin.version}`, {
      digest: plugin.digest,
    });

  function ranAs(of: string, job: Maker): void {
    edge(of, "RAN_AS", node(job.id, "Job", `${job.kind} job`, { attempt: job.attempt }));
  }

  async function createdBy(of: string, id: string): Promise<void> {
    const user = await tx.selectFrom("user").select("name").where("id", "=", id)
      .executeTakeFirst();
    edge(of, "CREATED_BY", node(id, "User", user?.name ?? id));
  }

  async function common(
    of: string,
    plugin: PluginVersion,
    job: Job,
    by: "IMPORTED_BY" | "GENERATED_BY",
  ): Promise<void> {
    edge(of, by, pluginVersion(plugin));
    ranAs(of, job);
    await createdBy(of, job.user);
  }

  /** What stood there of a file that is written anew. */
  async function forgetFile(part: string): Promise<void> {
    await tx.deleteFrom("lineage_edge").where("from_id", "=", part).execute();
  }

  /** Passages of one content in one claim; an artifact is claimed whole. */
  function sourced(part: string, sources: readonly UsedSource[], claimedBy: string): void {
    for (const [id, same] of Map.groupBy(sources, (source) => source.id)) {
      const whole = same.some(({ chunks }) => chunks.length === 0);
      const chunks = [...new Set(same.flatMap((source) => source.chunks))];
      const revision = same[0]?.revision;
      edge(part, "SOURCED_FROM", id, { revision, ...(whole ? { whole } : { chunks }) }, claimedBy);
    }
  }

  /** One licence at a time: the one before goes. */
  async function licensed(of: string, licence: string | undefined): Promise<void> {
    await tx.deleteFrom("lineage_edge").where("from_id", "=", of)
      .where("type", "=", "HAS_LICENSE").where("claimed_by", "=", "host").execute();
    if (licence) edge(of, "HAS_LICENSE", node(`license:${licence}`, "License", licence));
  }

  async function flush(): Promise<void> {
    const rows = [...nodes].map(([id, n]) => ({
      id,
      type: n.type,
      label: n.label,
      properties_json: JSON.stringify(n.properties),
      created: now,
    }));
    const breathe = createBreather();
    for (let at = 0; at < rows.length; at += ROWS_AT_ONCE) {
      await breathe();
      await tx.insertInto("lineage_node").values(rows.slice(at, at + ROWS_AT_ONCE))
        .onConflict((c) =>
          c.column("id").doUpdateSet((x) => ({
            type: x.ref("excluded.type"),
            label: x.ref("excluded.label"),
            properties_json: x.ref("excluded.properties_json"),
          }))
        ).execute();
    }
    const links = edges.map((e) => ({
      from_id: e.from,
      to_id: e.to,
      type: e.type,
      claimed_by: e.claimedBy,
      properties_json: JSON.stringify(e.properties),
      created: now,
    }));
    for (let at = 0; at < links.length; at += ROWS_AT_ONCE) {
      await breathe();
      await tx.insertInto("lineage_edge").values(links.slice(at, at + ROWS_AT_ONCE))
        .onConflict((c) =>
          c.columns(["from_id", "to_id", "type", "claimed_by"]).doUpdateSet((x) => ({
            properties_json: x.ref("excluded.properties_json"),
          }))
        ).execute();
    }
  }

  return {
    async imported({ content, revision, plugin, job }: ImportedFact): Promise<void> {
      node(content.id, NODE_OF_CONTENT[content.type], content.title, {
        url: content.url,
        filename: content.filename,
        revision,
      });
      await common(content.id, plugin, job, "IMPORTED_BY");
      await licensed(content.id, content.licence);
      await flush();
    },

    /** A content that is there has another title or licence. */
    async described({ id, title, licence }: {
      readonly id: string;
      readonly title: string;
      readonly licence: string | undefined;
    }): Promise<void> {
      await tx.updateTable("lineage_node").set({ label: title }).where("id", "=", id).execute();
      await licensed(id, licence);
      await flush();
    },

    async generated(fact: GeneratedFact): Promise<void> {
      const { artifact, plugin, job } = fact;
      node(artifact.id, "Artifact", artifact.title, { format: artifact.type });
      await common(artifact.id, plugin, job, "GENERATED_BY");
      for (const source of fact.sources) {
        edge(artifact.id, "GENERATED_FROM", source.content, { revision: source.revision });
      }
      if (fact.versionOf !== undefined) {
        edge(artifact.id, "VERSION_OF", fact.versionOf, { reason: fact.reason });
      }
      const known = new Map(fact.sources.map((s) => [s.content, s]));
      for (const [position, claim] of mergeClaims(fact.attributions).entries()) {
        const { part, source, chunks } = claim;
        const id = partNode(artifact.id, part.id);
        const properties = { kind: part.kind, location: part.location, part: part.id, position };
        node(id, "Part", part.title ?? part.id, properties);
        edge(artifact.id, "HAS_PART", id, {}, plugin.id);
        const revision = known.get(source)?.revision;
        // The whole source is said as such: a book of a thousand pages must not list every passage.
        const whole = chunks.length === 0 || chunks.length === known.get(source)?.chunks;
        edge(
          id,
          "SOURCED_FROM",
          source,
          { revision, ...(whole ? { whole: true } : { chunks }) },
          plugin.id,
        );
      }
      await flush();
    },

    async announced({ artifact, sources, parent, job }: AnnouncedFact): Promise<void> {
      node(artifact.id, "Artifact", artifact.title, { format: artifact.type });
      ranAs(artifact.id, job);
      await createdBy(artifact.id, job.user);
      for (const { content, revision } of sources) {
        edge(artifact.id, "GENERATED_FROM", content, { revision });
      }
      if (parent !== undefined) edge(artifact.id, "GENERATED_FROM", parent, { follows: true });
      await flush();
    },

    async wrote({ artifact, file, makers, givers }: WrittenFact): Promise<void> {
      const part = node(partNode(artifact, file.name), "Part", file.name, {
        kind: "file",
        part: file.name,
        position: file.position,
        digest: file.digest,
        language: file.language,
      });
      await forgetFile(part);
      edge(artifact, "HAS_PART", part);
      for (const { plugin, job, models, verbatim, given, used, from } of makers) {
        for (const  of of[artifact, part]) edge(of, "GENERATED_BY", pluginVersion(plugin));
        for (const { name, usage } of models) {
          const model = node(`model:${name}`, "AIModel", name);
          edge(part, "GENERATED_BY", model, usage, plugin.id);
        }
        node(job.id, "Job", `${job.kind} job`, { attempt: job.attempt });
        edge(part, "RAN_AS", job.id, { verbatim });
        for (const { id, revision } of given) {
          if (id !== artifact) edge(artifact, "GENERATED_FROM", id, { revision });
        }
        if (used === undefined) sourced(part, given, "host");
        else sourced(part, used, plugin.id);
        for (const name of from) edge(part, "GENERATED_FROM", partNode(artifact, name));
      }
      for (const giver of givers) await createdBy(part, giver);
      await flush();
    },
  };
}

/** One claim for each part and source, with the passages of all that were made. */
export function mergeClaims(attributions: readonly Attribution[]): Attribution[] {
  const merged = new Map<string, { claim: Attribution; chunks: Set<string>; whole: boolean }>();
  for (const claim of attributions) {
    const key = JSON.stringify([claim.part.id, claim.source]);
    let entry = merged.get(key);
    if (entry === undefined) merged.set(key, entry = { claim, chunks: new Set(), whole: false });
    // No passage named means the whole source, whatever else is named.
    if (claim.chunks.length === 0) entry.whole = true;
    for (const chunk of claim.chunks) entry.chunks.add(chunk);
  }
  return [...merged.values()].map(({ claim, chunks, whole }) => ({
    ...claim,
    chunks: whole ? [] : [...chunks],
  }));
}
