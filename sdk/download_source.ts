import { fetchSource } from "./fetch.ts";
import type { ImportSource, PluginContext, RawContent } from "./types.ts";

/** How `downloadSource` downloads. */
export interface DownloadOptions {
  /** What is fetched, in a word that progress messages use: "page", "document". */
  readonly what: string;
  /** The `Accept` header. */
  readonly accept: string;
  /** The longest body taken, in MiB, unless the setting `max_mb` says otherwise. */
  readonly maxMb: number;
}

/**
 * The `download` of an importer whose source is one file: `fetchSource` under the plugin's settings
 * `timeout` (seconds of silence, 30 unless set) and `max_mb`, with progress. Throws as `fetchSource` does.
 */
export async function downloadSource(
  source: ImportSource,
  ctx: PluginContext,
  { what, accept, maxMb }: DownloadOptions,
): Promise<RawContent> {
  ctx.progress(0, `asking the server for the ${what}`);
  return await fetchSource(source.url, {
    signal: ctx.signal,
    timeoutMs: Number(ctx.config.timeout ?? 30) * 1000,
    maxBytes: Number(ctx.config.max_mb ?? maxMb) * 1024 * 1024,
    accept,
    onProgress: (read, total) => {
      if (total !== undefined) ctx.progress(Math.min(read / total, 1), `reading the ${what}`);
    },
  });
}
