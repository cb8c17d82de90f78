/**
 * The operator's settings: `carrel.yaml` in the configuration folder, with the command line laid over it.
 * Every one has a default; an unknown key is an error, so that a typo is not silently ignored.
 */
import { parseDocument } from "yaml";
import { z } from "zod";
import { CarrelError } from "./errors.ts";

const settingsSchema = z.strictObject({
  http: z.strictObject({
    /** Loopback unless told otherwise. */
    hostname: z.string().default("127.0.0.1"),
    /** 0 takes a free one. */
    port: z.number().int().min(0).max(65535).default(7420),
    /** Host names beside the listening address by which browsers may call. */
    allowed_hosts: z.array(z.string()).default([]),
    max_upload_mb: z.number().positive().default(512),
  }).prefault({}),
  network: z.strictObject({
    /** `host:port` of private addresses that imports may reach. */
    allow_private: z.array(z.string()).default([]),
  }).prefault({}),
  jobs: z.strictObject({
    /** Jobs at work at the same time. */
    concurrency: z.number().int().min(1).max(256).default(8),
    /** Jobs at once that speak to the same site. */
    per_site: z.number().int().min(1).max(256).default(4),
  }).prefault({}),
  runners: z.strictObject({
    /** How long an idle runner is kept, seconds. */
    idle_s: z.number().min(0).default(30),
  }).prefault({}),
});

export type Settings = z.infer<typeof settingsSchema>;

/** Throws `CarrelError` `invalid_config`, with file and field. */
export function parseSettings(text: string, file: string): Settings {
  const document = parseDocument(text);
  const syntax = document.errors[0];
  if (syntax) throw new CarrelError("invalid_config", `Cannot read "${file}": ${syntax.message}`);
  const parsed = settingsSchema.safeParse(document.toJS({ maxAliasCount: 10 }) ?? {});
  if (parsed.success) return parsed.data;
  const issue = parsed.error.issues[0];
  throw new CarrelError(
    "invalid_config",
    `Cannot read "${file}": ${issue?.path.join(".") || "settings"}: ${issue?.message}`,
  );
}

/** The settings of a configuration folder; the defaults where it has no `carrel.yaml`. */
export async function loadSettings(configDir: string): Promise<Settings> {
  const file = `${configDir}/carrel.yaml`;
  try {
    return parseSettings(await Deno.readTextFile(file), file);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return parseSettings("", file);
    throw error;
  }
}
