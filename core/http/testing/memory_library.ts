/** The library port in memory, for tests of the HTTP layer. */
import { createHash } from "node:crypto";
import { CarrelError } from "../../errors.ts";
import { newId } from "../../ids.ts";
import type { Content, ImportOptions, Library, StoredFile } from "../../library/library.ts";
import type { ArtifactView } from "../../library/artifact.ts";
import { readingOf } from "../../library/reading.ts";
import type { MemoryJobs } from "./memory_jobs.ts";

export interface MemoryLibrary extends Library {
  /** What was uploaded, in order. */
  readonly uploads: {
    readonly name: string;
    readonly mediaType: string | undefined;
    readonly bytes: Uint8Array;
    readonly options: ImportOptions;
  }[];
  addContent(files: Record<string, { mediaType: string; bytes: Uint8Array }>): Content;
  addArtifact(files: Record<string, { mediaType: string; bytes: Uint8Array }>): ArtifactView;
  /** How often `open` was called. */
  opened(): number;
}

export function createMemoryLibrary(jobs: MemoryJobs): MemoryLibrary {
  const contents = new Map<string, Content>();
  const artifacts = new Map<string, ArtifactView>();
  const blobs = new Map<string, Uint8Array>();
  const uploads: MemoryLibrary["uploads"] = [];
  let opened = 0;

  function store(files: Record<string, { mediaType: string; bytes: Uint8Array }>): StoredFile[] {
    return Object.entries(files).map(([name, { mediaType, bytes }]) => {
      const digest = createHash("sha256").update(bytes).digest("hex");
      blobs.set(digest, bytes);
      return { name, mediaType, digest, size: bytes.length };
    });
  }

  function find<T>(things: Map<string, T>, id: string): T {
    const thing = things.get(id);
    if (thing === undefined) throw new CarrelError("not_found", `Cannot find "${id}".`);
    return thing;
  }

  function page<T>(things: Iterable<T>, limit = 50, cursor = "0") {
    const all = [...things].reverse();
    const end = Number(cursor) + limit;
    return {
      items: all.slice(Number(cursor), end),
      cursor: end < all.length ? String(end) : undefined,
    };
  }

  return {
    uploads,
    opened: () => opened,
    addContent(files) {
      const id = newId("content");
      const created = new Date(0).toISOString();
      const content: Content = {
        id,
        url: `https://example.org/${id}`,
        filename: undefined,
        type: "webpage",
        title: "A page",
        authors: ["Ada"],
        published: undefined,
        language: "en",
        summary: undefined,
        licence: undefined,
        status: "ready",
        metadata: {},
        warnings: [],
        collection: "default",
        user: "user_1",
        revision: { id: newId("revision"), number: 1, created },
        files: store(files),
        created,
        updated: created,
      };
      contents.set(id, content);
      return content;
    },
    addArtifact(files) {
      const id = newId("artifact");
      const stored = store(files);
      const artifact: ArtifactView = {
        id,
        type: "ebook",
        title: "A book",
        sources: [{ content: "content_1", revision: "revision_1" }],
        files: stored,
        size: stored.reduce((sum, file) => sum + file.size, 0),
        parameters: {},
        metadata: {},
        plugin: "export.ebook",
        pluginDigest: "0".repeat(64),
        job: "export_1",
        user: "user_1",
        versionOf: undefined,
        parent: undefined,
        variantIndex: undefined,
        chosen: undefined,
        state: "ready",
        run: undefined,
        created: new Date(0).toISOString(),
        updated: new Date(0).toISOString(),
        reading: { state: "fully_ready", formats: {}, waitingSiblings: 0 },
      };
      artifacts.set(id, artifact);
      return artifact;
    },
    importJob: async (url, options, actor) => ({
      ...options,
      kind: "import",
      input: { url },
      user: actor.user,
    }),
    exportJob: async ({ sourceIds, format }, actor) => ({
      kind: "export",
      input: { sourceIds, format },
      user: actor.user,
    }),
    async importUrl(url, options, actor) {
      if (!URL.canParse(url)) {
        throw new CarrelError("invalid_url", `Cannot import "${url}": it is not a URL.`);
      }
      if (url.includes("explode")) throw new TypeError("a secret of the host");
      return await jobs.add({ ...options, kind: "import", input: { url }, user: actor.user });
    },
    async importUpload({ name, mediaType, bytes }, options, actor) {
      const whole = bytes instanceof Uint8Array
        ? bytes
        : new Uint8Array(await new Response(bytes).arrayBuffer());
      uploads.push({ name, mediaType, bytes: whole, options });
      return await jobs.add({ ...options, kind: "import", input: { name }, user: actor.user });
    },
    async export(options, actor) {
      for (const id of options.sourceIds) {
        if (!contents.has(id)) {
          throw new CarrelError(
            "source_missing",
            `Cannot export "${id}": there is no such content.`,
          );
        }
      }
      const { idempotencyKey, plugin, priority, ...input } = options;
      return await jobs.add({
        kind: "export",
        input,
        user: actor.user,
        idempotencyKey,
        plugin,
        priority,
      });
    },
    listContent: async ({ type, collection, url, limit, cursor }) =>
      page(
        [...contents.values()].filter((content) =>
          (type === undefined || content.type === type) &&
          (collection === undefined || content.collection === collection) &&
          (url === undefined || content.url === url)
        ),
        limit,
        cursor,
      ),
    getContent: async (id) => find(contents, id),
    async deleteContent(id, { hard }) {
      const content = find(contents, id);
      if (hard) contents.delete(id);
      else contents.set(id, { ...content, status: "deleted" });
    },
    listArtifacts: async ({ parent, state, limit, cursor }) =>
      page(
        [...artifacts.values()].filter((artifact) =>
          artifact.parent === parent && (state === undefined || artifact.state === state)
        ),
        limit,
        cursor,
      ),
    getArtifact: async (id) => ({ ...find(artifacts, id), siblings: [] }),
    async noteArtifact(id, event) {
      const artifact = find(artifacts, id);
      const reading = readingOf(artifact, [], new Set([event]));
      artifacts.set(id, { ...artifact, reading });
    },
    async deleteArtifact(id) {
      find(artifacts, id);
      artifacts.delete(id);
    },
    async file(owner, name) {
      const { files } = contents.get(owner) ?? find(artifacts, owner);
      const file = files.find((file) => file.name === name);
      if (file === undefined) throw new CarrelError("not_found", `Cannot find file "${name}".`);
      return file;
    },
    async open(file, range) {
      opened++;
      const bytes = find(blobs, file.digest);
      return new Blob([bytes.slice(range?.start, range?.end)]).stream();
    },
  };
}
