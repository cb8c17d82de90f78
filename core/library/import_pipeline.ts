/**
 * The import job: download and extract in the plugin's runner, cut into passages and store on the host.
 * Each stage leaves a checkpoint, so that a retry does not fetch or extract again what it has.
 */
import { guestOfJob, type JobGuestParts } from "../capabilities/guest_services.ts";
import { CarrelError } from "../errors.ts";
import type { EventLog } from "../event_log/event_log.ts";
import type { ChildCounts, Job, JobHandler, JobRun } from "../jobs/job.ts";
import { sniffMediaType } from "../plugins/media.ts";
import type { Plugin, Plugins } from "../plugins/plugins.ts";
import type { BlobKeeper } from "../stores/blobs.ts";
import { type Desk, type Pool, SandboxError } from "../../sandbox/types.ts";
import type { Download, ImportInput } from "./import_input.ts";
import { chunkMarkdown } from "./chunks.ts";
import { importItems, type ItemParts, retryItems } from "./import_items.ts";
import { parseExtraction, parseRaw, withOverrides } from "./plugin_output.ts";
import { type ImportedContent, saveContent, saveUnchanged } from "./save_content.ts";
import { findUnchanged } from "./content_rows.ts";
import type { Prompts } from "../prompts/prompts.ts";
import type { Redirects } from "./redirects.ts";
import { stageDigest } from "./stage_digest.ts";
import { parseDownload } from "./stage_output.ts";
import type { SqlStore } from "../stores/sql.ts";

/** Starts anew with another site granted, at most so often. */
const MAX_SITE_CHANGES = 5;

interface Parts {
  readonly sql: SqlStore;
  readonly blobs: BlobKeeper;
  readonly plugins: Plugins;
  readonly pool: Pool;
  readonly prompts: Pick<Prompts, "examine">;
  /** What plugins have of the host while they work. @default nothing */
  readonly guests?: JobGuestParts | undefined;
  readonly jobs: ItemParts["jobs"];
  /** Is told of new content. */
  readonly eventLog?: Pick<EventLog, "append"> | undefined;
}

interface ImportParts extends Parts {
  readonly redirects: Redirects;
}

type Imported =
  | { readonly unchanged: { content: string; revision: string } }
  | { readonly save: ImportedContent }
  | { readonly items: ChildCounts };

export function importHandler(parts: ImportParts): JobHandler<Imported> {
  const { sql, blobs, plugins, redirects } = parts;

  async function run(run: JobRun): Promise<Imported> {
    const input = run.job.input as ImportInput;
    if (input.deleted) {
      throw new CarrelError("gone", "Cannot import it again: what was imported has been deleted");
    }
    if (input.upload === undefined && run.job.plugin === undefined) {
      throw new CarrelError(
        "no_plugin",
        `Cannot import "${input.url}": no enabled plugin takes it`,
      );
    }
    // The runner that downloads extracts as well, if the same plugin does both.
    const desks = new Desks(parts, run);
    try {
      const download = input.upload ?? await run.stage(
        {
          name: "downloading",
          executor: "plugin",
          digest: await stageDigest(plugins, run.job.plugin ?? ""),
          from: 0,
          parse: parseDownload,
        },
        () => fetchSource(desks, run, input),
      );
      const unchanged = await findUnchanged(sql.db, {
        ...input,
        digest: download.digest,
        // Another plugin than the last time makes another text of the same bytes.
        plugin: input.pinned ? run.job.plugin : undefined,
      });
      if (unchanged) return { unchanged };

      const bytes = await blobs.get(download.digest);
      const mediaType = sniffMediaType(bytes, download.mediaType, download.name);
      const plugin = choosePlugin(run.job, input, mediaType, download.name);
      const digest = await plugins.bundleDigest(plugin.id);
      const extracted = await run.stage(
        {
          name: "extracting",
          executor: "plugin",
          digest: await stageDigest(plugins, plugin.id),
          from: 30,
          parse: (stored) => parseExtraction(stored, plugin.id),
        },
        async () => {
          const desk = desks.current(plugin.id) ?? await desks.open(plugin.id, input.url);
          const raw = { bytes, mediaType, url: download.url, filename: download.name };
          return parseExtraction(await desks.call(desk, "extract", [raw], [30, 80]), plugin.id);
        },
      );
      if ("items" in extracted) {
        // They may take long: nobody needs the runner meanwhile.
        await desks.close();
        return { items: await importItems(parts, run, extracted.items) };
      }
      const passages = await chunkMarkdown(extracted.markdown, extracted.pages, run.signal);
      run.progress(90, "storing");
      return {
        save: {
          input,
          download,
          mediaType,
          extracted: withOverrides(extracted, input.metadata),
          passages,
          text: await blobs.put(
            run.job.id,
            new TextEncoder().encode(extracted.markdown),
            "text/markdown",
          ),
          plugin: { id: plugin.id, version: plugin.version, digest },
        },
      };
    } finally {
      await desks.close();
    }
  }

  /**
   * Downloads in the plugin's runner; a redirect to another site starts a new one with that site granted, once
   * the host has seen the redirect itself.
   */
  async function fetchSource(desks: Desks, run: JobRun, input: ImportInput): Promise<Download> {
    let url = input.url;
    for (let changes = 0;; changes++) {
      try {
        const id = run.job.plugin ?? "";
        const desk = await desks.open(id, url);
        if (!desk.methods.includes("download")) {
          throw new CarrelError("no_plugin", `Cannot download "${url}": ${id} takes uploads only`);
        }
        const raw = parseRaw(await desks.call(desk, "download", [{ url }], [0, 30]), id);
        if (raw.bytes.length === 0) {
          throw new CarrelError("empty", `Cannot import "${url}": the answer is empty`);
        }
        const blob = await blobs.put(run.job.id, raw.bytes, raw.mediaType);
        return {
          ...blob,
          mediaType: raw.mediaType,
          name: raw.filename ?? nameOf(raw.url),
          url: raw.url,
        };
      } catch (error) {
        const claimed = redirectOf(error, url);
        if (claimed === undefined) throw error;
        if (changes === MAX_SITE_CHANGES) {
          throw new CarrelError(
            "too_many_redirects",
            `Cannot download "${input.url}": it leads from site to site more than ${MAX_SITE_CHANGES} times`,
          );
        }
        await desks.close();
        url = await redirects.confirm(url, claimed, run.signal);
        run.progress(0, `redirected to ${new URL(url).host}`);
      }
    }
  }

  /** The bytes decide which plugin reads them; the one that downloaded goes first if it can. */
  function choosePlugin(job: Job, input: ImportInput, mediaType: string, name: string): Plugin {
    const first = job.plugin === undefined ? undefined : plugins.get(job.plugin);
    if (first && input.pinned) return first;
    const able = plugins.matchMedia(mediaType, name);
    const plugin = able.find((p) => p.id === first?.id) ?? able[0];
    if (plugin) return plugin;
    throw new CarrelError(
      "unsupported_media_type",
      `Cannot read "${name}": no enabled plugin takes ${mediaType}`,
      { details: { media_type: mediaType } },
    );
  }

  return {
    run,
    async commit(tx, value, job) {
      if ("items" in value) return value;
      if ("save" in value) return await saveContent(tx, value.save, job, parts.eventLog);
      return await saveUnchanged(tx, value.unchanged, (job.input as ImportInput).metadata);
    },
    onRetry: retryItems,
  };
}

/** Where a plugin says that its source has moved to another site. */
function redirectOf(error: unknown, from: string): string | undefined {
  if (!(error instanceof SandboxError) || error.code !== "redirected") return undefined;
  const url = typeof error.data["url"] === "string" ? URL.parse(error.data["url"], from) : null;
  return url && (url.protocol === "https:" || url.protocol === "http:") ? url.href : undefined;
}

/** The last part of a URL's path, as a file name. */
export function nameOf(url: string): string {
  const last = URL.parse(url)?.pathname.split("/").findLast((part) => part !== "") ?? "";
  let name: string;
  try {
    name = decodeURIComponent(last);
  } catch {
    name = last;
  }
  return name.replace(/[/\\\p{Cc}]/gu, "_").slice(0, 200).toWellFormed() || "index";
}

/** The runners of one job: at most one at a time. */
class Desks {
  #open: { plugin: string; url: string; desk: Desk } | undefined;

  constructor(
    private readonly parts: Pick<Parts, "plugins" | "pool" | "prompts" | "guests">,
    private readonly run: JobRun,
  ) {}

  /** The runner that is open, if it is this plugin's. */
  current(plugin: string): Desk | undefined {
    return this.#open?.plugin === plugin ? this.#open.desk : undefined;
  }

  /** A runner that may reach the site of `url`. */
  async open(plugin: string, url: string): Promise<Desk> {
    if (this.#open?.plugin === plugin && this.#open.url === url) return this.#open.desk;
    await this.close();
    const source = url.startsWith("upload:") ? undefined : { url };
    const spec = await this.parts.plugins.runnerSpec(plugin, source, { job: this.run.job.id });
    const desk = await this.parts.pool.acquire(spec, { signal: this.run.signal });
    this.#open = { plugin, url, desk };
    return desk;
  }

  /** Calls the plugin; its progress, 0 to 1, becomes the job's, within the given bounds. */
  async call(
    desk: Desk,
    method: string,
    args: readonly unknown[],
    [from, to]: readonly [number, number],
  ): Promise<unknown> {
    const { job, signal, progress, log } = this.run;
    const { guests, prompts } = this.parts;
    const plugin = this.#open?.plugin ?? "";
    const guest = guests && await guestOfJob(guests, this.run, { plugin, method });
    try {
      return await desk.call(method, args, {
        ...guest?.options,
        signal,
        job: { id: job.id, idempotencyKey: job.id },
        onProgress: (fraction, message) => progress(from + (to - from) * fraction, message),
        onLog: ({ level, message }) => log(level, message),
      });
    } catch (error) {
      throw await (guest ?? prompts).examine({ job, plugin, error, uses: desk.uses() });
    }
  }

  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.desk.release();
  }
}
