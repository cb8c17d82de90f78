/** The use cases of the library, on top of the stores, the jobs and the plugins. */
import { CarrelError } from "../errors.ts";
import { cleanText } from "../plain_json.ts";
import { checkAgainst } from "../json_schema.ts";
import type { NewJob } from "../jobs/job.ts";
import type { Jobs } from "../jobs/jobs.ts";
import type { Network } from "../network/private.ts";
import { siteOf } from "../network/site.ts";
import { sniffMediaType } from "../plugins/media.ts";
import type { Plugin, Plugins } from "../plugins/plugins.ts";
import type { BlobKeeper } from "../stores/blobs.ts";
import type { SqlStore } from "../stores/sql.ts";
import type { EventLog } from "../event_log/event_log.ts";
import type { EventBus } from "../events.ts";
import { deleteArtifact } from "./artifact_delete.ts";
import { getArtifact, listArtifacts, noteArtifact, viewArtifacts } from "./artifact_rows.ts";
import { contentByIds, getContent, listContent } from "./content_rows.ts";
import { deleteContent } from "./delete.ts";
import type { ExportJobInput } from "./export_pipeline.ts";
import type { ImportInput } from "./import_input.ts";
import { parseOverrides } from "./plugin_output.ts";
import type { Actor } from "../auth/actor.ts";
import type { ExportOptions, ImportOptions, Library, StoredFile, Upload } from "./library.ts";

const DEFAULT_COLLECTION = "default";
/** As much of an upload as it takes to tell what it is. */
const SNIFF_BYTES = 4096;

const readAll = async (stream: ReadableStream<Uint8Array>) =>
  new Uint8Array(
    await new Response(stream as ReadableStream<Uint8Array<ArrayBuffer>>).arrayBuffer(),
  );

/** The name of an uploaded file, as it can stand in a list, in one line and of bounded length. */
const uploadName = (name: string) =>
  name.toWellFormed().replace(/[\p{Cc}\u2028\u2029]+/gu, " ").trim().slice(0, 255).toWellFormed() ||
  "upload";

export function createLibrary(parts: {
  sql: SqlStore;
  blobs: BlobKeeper;
  jobs: Jobs;
  plugins: Plugins;
  network: Network;
  events: EventBus;
  eventLog?: Pick<EventLog, "append" | "wake"> | undefined;
}): Library {
  const { sql, blobs, jobs, plugins, network, events, eventLog } = parts;

  /** The plugin that the request names, or the best one of those that match. */
  function choose(named: string | undefined, able: readonly Plugin[], kind: string, thing: string) {
    const plugin = named === undefined ? able[0] : plugins.get(named);
    if (plugin === undefined) {
      throw new CarrelError("no_plugin", `Cannot ${kind} ${thing}: no enabled plugin takes it`);
    }
    if (plugin.kind !== kind) {
      throw new CarrelError(
        "bad_request",
        `Cannot ${kind} with "${plugin.id}": it is of kind ${plugin.kind}`,
      );
    }
    if (!plugin.enabled) {
      throw new CarrelError("conflict", `Cannot ${kind} with "${plugin.id}": it is disabled`);
    }
    return plugin;
  }

  /** What the request says of the content. Throws `invalid_parameters`. */
  function fieldsOf({ collection, metadata }: ImportOptions) {
    return {
      collection: cleanText(collection ?? DEFAULT_COLLECTION),
      metadata: metadata && parseOverrides(metadata),
    };
  }

  function newImport(
    plugin: Plugin,
    input: ImportInput,
    options: ImportOptions,
    actor: Actor,
  ): NewJob {
    return {
      kind: "import",
      plugin: plugin.id,
      site: input.upload ? undefined : siteOf(new URL(input.url).hostname),
      input,
      user: actor.user,
      priority: options.priority,
      idempotencyKey: options.idempotencyKey,
      flightKey: JSON.stringify([
        "import",
        plugin.id,
        input.url,
        input.collection,
        input.metadata ?? null,
        actor.user,
      ]),
    };
  }

  const library: Library = {
    async importJob(url, options, actor) {
      const source = await network.checkSource(url);
      const plugin = choose(options.plugin, plugins.matchUrl(source.url), "import", `"${url}"`);
      const input: ImportInput = {
        url: source.url,
        ...fieldsOf(options),
        pinned: options.plugin !== undefined,
      };
      return newImport(plugin, input, options, actor);
    },

    async importUrl(url, options, actor) {
      return await jobs.add(await library.importJob(url, options, actor));
    },

    async importUpload(given: Upload, options, actor) {
      const fields = fieldsOf(options);
      const upload = { ...given, name: uploadName(given.name) };
      // A lease of this upload's own: it is let go once the job's row refers to the blob.
      const owner = `upload:${crypto.randomUUID()}`;
      try {
        const blob = await blobs.put(owner, upload.bytes, upload.mediaType);
        if (blob.size === 0) {
          throw new CarrelError("empty", `Cannot import "${upload.name}": the file is empty`);
        }
        const head = await readAll(await blobs.open(blob.digest, { start: 0, end: SNIFF_BYTES }));
        const mediaType = sniffMediaType(head, upload.mediaType, upload.name);
        const able = plugins.matchMedia(mediaType, upload.name);
        if (able.length === 0 && options.plugin === undefined) {
          throw new CarrelError(
            "unsupported_media_type",
            `Cannot import "${upload.name}": no enabled plugin takes ${mediaType}`,
            { details: { media_type: mediaType } },
          );
        }
        const plugin = choose(options.plugin, able, "import", `"${upload.name}"`);
        const url = `upload:${blob.digest}`;
        const input: ImportInput = {
          url,
          upload: { ...blob, mediaType: upload.mediaType ?? mediaType, name: upload.name, url },
          ...fields,
          pinned: options.plugin !== undefined,
        };
        return await jobs.add(newImport(plugin, input, options, actor));
      } finally {
        await blobs.release(owner);
      }
    },

    async exportJob(options: ExportOptions, actor) {
      const wanted = [...new Set(options.sourceIds)];
      const found = new Map((await contentByIds(sql.db, wanted)).map((c) => [c.id, c]));
      const missing = wanted.filter((id) => !found.has(id));
      if (missing.length > 0) {
        throw new CarrelError(
          "source_missing",
          `Cannot export "${missing[0]}": there is no such content, or it was deleted`,
          { details: { missing } },
        );
      }
      if (options.versionOf !== undefined) await getArtifact(sql.db, options.versionOf);
      const plugin = choose(
        options.plugin,
        plugins.matchFormat(options.format),
        "export",
        `to "${options.format}"`,
      );
      const input: ExportJobInput = {
        sources: wanted.map((id) => ({ content: id, revision: found.get(id)?.revision.id ?? "" })),
        format: options.format,
        parameters: checkAgainst(
          plugin.manifest.parameters,
          options.parameters ?? {},
          "invalid_parameters",
          `the parameters of ${plugin.id}`,
        ),
        versionOf: options.versionOf,
        reason: options.reason,
      };
      return {
        kind: "export",
        plugin: plugin.id,
        input,
        user: actor.user,
        priority: options.priority,
        idempotencyKey: options.idempotencyKey,
        flightKey: JSON.stringify(["export", plugin.id, input, actor.user]),
      };
    },

    async export(options, actor) {
      return await jobs.add(await library.exportJob(options, actor));
    },

    listContent: (filter) => listContent(sql.db, filter),
    getContent: (id) => getContent(sql.db, id),

    async deleteContent(id, { hard }, { user }) {
      const freed = await deleteContent(sql, id, hard, { log: eventLog, user });
      eventLog?.wake();
      // Those that other contents, artifacts or jobs refer to stay.
      if (hard) {
        await blobs.sweep({ only: freed, olderThanMs: 0 });
        await sql.forgetText();
      }
      events.emit("content.deleted", { content: id, hard });
    },

    async listArtifacts(filter, actor) {
      const { items, cursor } = await listArtifacts(sql.db, filter);
      return { items: await viewArtifacts(sql.db, items, actor), cursor };
    },
    async getArtifact(id, actor) {
      const [view] = await viewArtifacts(sql.db, [await getArtifact(sql.db, id)], actor);
      return view!;
    },
    noteArtifact: (id, event, actor) => noteArtifact(sql.db, id, event, actor),

    async deleteArtifact(id, { hard }, { user }) {
      const freed = await sql.transaction((tx) =>
        deleteArtifact(tx, id, { hard, user, log: eventLog })
      );
      eventLog?.wake();
      if (!hard) return;
      await blobs.sweep({ only: freed, olderThanMs: 0 });
      await sql.forgetText();
    },

    async file(owner, name) {
      const { files } = owner.startsWith("artifact_")
        ? await getArtifact(sql.db, owner)
        : await getContent(sql.db, owner);
      const file = files.find((f) => f.name === name);
      if (file) return file;
      const names = files.map((f) => f.name).join(", ");
      throw new CarrelError(
        "not_found",
        `Cannot open "${name}" of "${owner}": its files are ${names}`,
      );
    },

    open: (file: StoredFile, range) => blobs.open(file.digest, range),
  };
  return library;
}
