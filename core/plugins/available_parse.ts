/**
 * The format of a registry:
 *
 * ```yaml
 * plugins:
 *   - id: import.example
 *     name: Example
 *     description: What it imports.
 *     author: …
 *     repository: https://…
 *     verified: false
 *     versions:
 *       - {version: 1.2.0, reference: "npm:carrel-example@1.2.0", sha256: …, carrel: ">=0.1 <1"}
 * ```
 */
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { PLUGIN_KINDS, type PluginKind } from "../../sdk/types.ts";
import { CarrelError } from "../errors.ts";
import { kindOf } from "./manifest.ts";
import { parseReference } from "./sources/reference.ts";
import { compareVersions, parseRange, parseVersion, satisfies } from "./version.ts";
import { readYaml } from "./yaml.ts";

export interface AvailableVersion {
  readonly version: string;
  /** What `fetchPlugin` takes. */
  readonly reference: string;
  /** `lockDigest` of the plugin that the registry speaks of, hex. */
  readonly sha256?: string | undefined;
  /** Host versions that it works with. */
  readonly carrel?: string | undefined;
  /** Whether this host is one of them. */
  readonly compatible: boolean;
}

export interface AvailablePlugin {
  readonly id: string;
  readonly kind: PluginKind;
  readonly name: string;
  readonly description: string;
  readonly author?: string | undefined;
  readonly repository?: string | undefined;
  /** Whether the registry vouches for it. What a signature is worth here is found at install. */
  readonly verified: boolean;
  /** Newest first. */
  readonly versions: readonly AvailableVersion[];
  /** The newest version that this host can run, released ones before prereleases. */
  readonly latest?: AvailableVersion | undefined;
  readonly compatible: boolean;
}

/** The longest registry, bytes. */
export const MAX_REGISTRY_BYTES = 4 * 1024 * 1024;

const line = (max: number) => z.string().trim().min(1).max(max);

const versionSchema = (local: boolean) =>
  object(local, {
    version: line(100).refine((version) => parseVersion(version) !== undefined, {
      error: "expected a version such as 1.2.0",
    }),
    reference: line(4096),
    sha256: z.string().regex(/^[0-9a-f]{64}$/, { error: "expected a SHA-256 in hex" }).optional(),
    carrel: line(100).refine((range) => parseRange(range) !== undefined, {
      error: 'expected host versions such as ">=0.1 <1"',
    }).optional(),
  });

const pluginSchema = (local: boolean) =>
  object(local, {
    id: line(100).regex(/^[a-z]+(\.[a-z][a-z0-9_-]*)+$/, { error: "expected <kind>.<name>" }),
    kind: z.enum(PLUGIN_KINDS).optional(),
    name: line(100),
    description: line(1000),
    author: line(200).optional(),
    repository: z.url({ protocol: /^https?$/, error: "expected an http(s) URL" }).optional(),
    verified: z.boolean().default(false),
    versions: z.array(versionSchema(local)).min(1).max(1000),
  }).superRefine(({ id, kind, versions }, ctx) => {
    if (!(PLUGIN_KINDS as readonly string[]).includes(kindOf(id))) {
      const message = `expected <kind>.<name>, the kind one of ${PLUGIN_KINDS.join(", ")}`;
      ctx.addIssue({ code: "custom", path: ["id"], message });
    } else if (kind !== undefined && kind !== kindOf(id)) {
      const message = `expected ${kindOf(id)}, as the id says`;
      ctx.addIssue({ code: "custom", path: ["kind"], message });
    }
    noneTwice(versions.map(({ version }) => version), (i) => ["versions", i, "version"], ctx);
  });

/** A key that nobody knows is a typo in a file of the operator's, and news in somebody else's. */
function object<T extends z.ZodRawShape>(local: boolean, shape: T) {
  return local
    ? z.strictObject(shape, {
      error: (issue) =>
        issue.code === "unrecognized_keys"
          ? `unknown key: expected one of ${Object.keys(shape).join(", ")}`
          : undefined,
    })
    : z.object(shape) as unknown as z.ZodObject<T, z.core.$strict>;
}

function noneTwice(
  names: readonly string[],
  path: (i: number) => PropertyKey[],
  ctx: { addIssue(issue: { code: "custom"; path: PropertyKey[]; message: string }): void },
): void {
  for (const [i, name] of names.entries()) {
    if (names.indexOf(name) === i) continue;
    ctx.addIssue({ code: "custom", path: path(i), message: `"${name}" is there twice` });
  }
}

export interface ParseRegistryOptions {
  /** The registry's path or URL: relative references start from it. */
  readonly registry: string;
  readonly hostVersion: string;
}

/** Throws `CarrelError` `invalid_config` that names every error's line and field. */
export function parseRegistry(
  text: string,
  { registry, hostVersion }: ParseRegistryOptions,
): readonly AvailablePlugin[] {
  const local = !isUrl(registry);
  const schema = object(local, {
    plugins: z.array(pluginSchema(local)).max(10_000).nullable().default([]),
  }).superRefine(({ plugins }, ctx) => {
    noneTwice((plugins ?? []).map(({ id }) => id), (i) => ["plugins", i, "id"], ctx);
    for (const [i, { versions }] of (plugins ?? []).entries()) {
      for (const [j, { reference }] of versions.entries()) {
        const wrong = referenceProblem(resolveReference(reference, registry), local);
        if (wrong === undefined) continue;
        const path = ["plugins", i, "versions", j, "reference"];
        ctx.addIssue({ code: "custom", path, message: wrong });
      }
    }
  });
  const { plugins } = readYaml(text, {
    file: registry,
    schema,
    code: "invalid_config",
    what: "registry",
    maxBytes: MAX_REGISTRY_BYTES,
  });
  return (plugins ?? []).map((plugin) => {
    const versions = plugin.versions.map((version): AvailableVersion => ({
      ...version,
      reference: resolveReference(version.reference, registry),
      compatible: version.carrel === undefined || satisfies(hostVersion, version.carrel),
    })).sort((a, b) => compareVersions(parseVersion(b.version)!, parseVersion(a.version)!));
    const usable = versions.filter(({ compatible }) => compatible);
    const latest = usable.find(({ version }) => parseVersion(version)!.prerelease.length === 0) ??
      usable[0];
    return {
      ...plugin,
      kind: kindOf(plugin.id),
      versions,
      ...(latest === undefined ? {} : { latest }),
      compatible: usable.length > 0,
    };
  }).sort((a, b) => a.id < b.id ? -1 : 1);
}

/** Whether a registry is on the network. */
export function isUrl(registry: string): boolean {
  return /^https?:\/\//i.test(registry);
}

/** `./…` and `../…` start from the registry. */
function resolveReference(reference: string, registry: string): string {
  if (!/^\.\.?\//.test(reference)) return reference;
  return isUrl(registry)
    ? new URL(reference, registry).href
    : resolve(dirname(registry), reference);
}

function referenceProblem(reference: string, local: boolean): string | undefined {
  try {
    const { kind } = parseReference(reference);
    return kind === "path" && !local
      ? "a registry on the network cannot speak of files of this machine"
      : undefined;
  } catch (error) {
    if (!(error instanceof CarrelError)) throw error;
    return error.message.replace(/^Cannot install ".*?": /s, "").replace(/\.$/, "");
  }
}
