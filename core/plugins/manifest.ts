/** What stands in a plugin's `carrel.yaml`. */
import { z } from "zod";
import { CONTENT_TYPES, PLUGIN_KINDS, type PluginKind } from "../../sdk/types.ts";
import { CarrelError } from "../errors.ts";
import { schemaProblems } from "../json_schema/inspect.ts";
import { eventPatternProblem } from "../workflows/host_names.ts";
import { limitsChangeSchema } from "./limits.ts";
import { parseNetEntry } from "./net_entry.ts";
import { parseRange, parseVersion, satisfies } from "./version.ts";
import { readYaml } from "./yaml.ts";

/** The manifest's name in a plugin's folder. */
export const MANIFEST_FILE = "carrel.yaml";

/** The largest manifest: it is read before anyone has consented to anything. */
const MAX_MANIFEST_BYTES = 64 * 1024;

/** Words that cannot be a plugin's name, because routes of the API are called so. */
export const RESERVED_NAMES = ["import", "export", "available", "install", "consents"] as const;

/** Host services that a plugin may ask for. */
export const SERVICES = [
  "library.read",
  "library.write",
  "search",
  "cache",
  "events",
  "spawn",
  "ask",
] as const;
export type ServiceName = typeof SERVICES[number];

/** Environment variables that change how a process starts, or are the host's own. */
export const RESERVED_ENV = /^(DENO_|NODE_|LD_|DYLD_|CARREL_|V8_)/;

/** A map that takes just these keys, and names them when another one stands there. */
function strictMap<T extends z.ZodRawShape>(shape: T) {
  const known = Object.keys(shape).join(", ");
  return z.strictObject(shape, {
    error: (issue) =>
      issue.code === "unrecognized_keys" ? `unknown key: expected one of ${known}` : undefined,
  });
}

const text = (max: number) => z.string().trim().min(1).max(max);

function pattern(expression: RegExp, expected: string, max = 200) {
  return z.string().max(max).regex(expression, { error: `expected ${expected}` });
}

const reason = z.string().trim().max(500).optional();

/** A permission: the value alone, or with the reason that is shown to the person who decides. */
function permission(value: z.ZodType<string>) {
  const pair = strictMap({ value, reason });
  return z.preprocess((given) => typeof given === "string" ? { value: given } : given, pair);
}

function permissionList(value: z.ZodType<string>, max = 64) {
  return z.array(permission(value)).max(max).default([]);
}

const netValue = z.string().max(300).superRefine((value, ctx) => {
  const entry = parseNetEntry(value);
  if (typeof entry === "string") ctx.addIssue({ code: "custom", message: entry });
});

const pathValue = z.string().max(1000).superRefine((value, ctx) => {
  const wrong = pathProblem(value);
  if (wrong !== undefined) ctx.addIssue({ code: "custom", message: wrong });
});

function pathProblem(value: string): string | undefined {
  const expected = "expected an absolute path, ${data} or ${data}/…";
  const rest = value.replace(/^\$\{data\}(?=\/|$)/, "/data");
  if (rest.includes("${") || !rest.startsWith("/")) return `${expected}, not "${value}"`;
  // deno-lint-ignore no-control-regex
  if (/[\x00-\x1f,]/.test(rest)) return `${expected}, without commas and control characters`;
  const [, ...parts] = rest.replace(/(?<=.)\/$/, "").split("/");
  if (parts.some((part) => part === ".." || part === "." || part === "" && rest !== "/")) {
    return `${expected}, without ".", ".." and "//" in it`;
  }
  if (/^\/(proc|sys|dev)(\/|$)/.test(rest)) {
    return `"${value}" shows other processes; it cannot be granted`;
  }
  return undefined;
}

const envValue = pattern(/^[A-Za-z_][A-Za-z0-9_]*$/, "the name of an environment variable").refine(
  (name) => !RESERVED_ENV.test(name),
  { error: "this variable belongs to the host and cannot be granted" },
);

/** One program, by its path: no name that is looked up, no pattern. */
const programValue = z.string().max(1000).superRefine((value, ctx) => {
  const wrong = value.startsWith("/") && !value.endsWith("/")
    ? pathProblem(value)
    : `expected the absolute path of a program, such as /usr/bin/ffmpeg, not "${value}"`;
  if (wrong !== undefined) ctx.addIssue({ code: "custom", message: wrong });
});

const serviceValue = z.enum(SERVICES);

const capabilityName = pattern(
  /^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$/,
  "a capability such as text.generate",
);

const permissions = strictMap({
  net: permissionList(netValue),
  read: permissionList(pathValue),
  write: permissionList(pathValue),
  env: permissionList(envValue),
  run: permissionList(programValue, 16),
  services: permissionList(serviceValue),
  calls: permissionList(capabilityName),
  /** Those that it asks for. */
  limits: limitsChangeSchema.prefault({}),
});

/** A JSON Schema of the part of it that the host can check in bounded time. */
const jsonSchema = z.record(z.string(), z.unknown()).superRefine((schema, ctx) => {
  for (const { path, message } of schemaProblems(schema)) {
    ctx.addIssue({ code: "custom", path: [...path], message });
  }
});

const urlPattern = z.string().max(500).regex(/^([a-z][a-z0-9+.-]*:\S+|\*\S*)$/i, {
  error: "expected a URL pattern such as https://example.org/papers/*, arxiv:* or *.pdf",
});

const entryPath = z.string().max(200).superRefine((value, ctx) => {
  const parts = value.split("/");
  if (
    !/^[\w./-]+\.(ts|tsx|js|mjs|mts)$/.test(value) || value.startsWith("/") ||
    parts.some((part) => part === ".." || part === "")
  ) {
    ctx.addIssue({
      code: "custom",
      message: "expected a .ts or .js file inside the plugin's folder, such as mod.ts",
    });
  }
});

const pluginId = z.string().max(100).superRefine((id, ctx) => {
  const wrong = idProblem(id);
  if (wrong !== undefined) ctx.addIssue({ code: "custom", message: wrong });
});

function idProblem(id: string): string | undefined {
  const [kind = "", ...names] = id.split(".");
  if (!(PLUGIN_KINDS as readonly string[]).includes(kind)) {
    return `expected <kind>.<name>, the kind one of ${PLUGIN_KINDS.join(", ")}`;
  }
  if (names.length === 0 || !names.every((name) => /^[a-z][a-z0-9_-]{0,40}$/.test(name))) {
    return `expected ${kind}.<name>: lower-case letters, digits, "-" and "_"`;
  }
  if (names.some((name) => (RESERVED_NAMES as readonly string[]).includes(name))) {
    return `expected another name: ${RESERVED_NAMES.join(", ")} are reserved`;
  }
  return undefined;
}

const fields = strictMap({
  id: pluginId,
  version: z.string().max(100).refine((version) => parseVersion(version) !== undefined, {
    error: "expected a version such as 1.2.0 (https://semver.org)",
  }),
  name: text(100),
  description: text(1000),
  entry: entryPath,
  author: text(200).optional(),
  license: text(100).optional(),
  homepage: z.url({ protocol: /^https?$/, error: "expected an http(s) URL" }).optional(),
  carrel: z.string().max(100).refine((range) => parseRange(range) !== undefined, {
    error: 'expected host versions such as ">=0.1 <1"',
  }).optional(),
  match: z.array(urlPattern).max(100).default([]),
  media_types: z.array(
    pattern(
      /^([a-z0-9.+-]+|\*)\/([a-z0-9.+-]+|\*)$/,
      "a media type such as application/pdf or text/*",
    ),
  ).max(100).default([]),
  content_types: z.array(z.enum(CONTENT_TYPES)).max(CONTENT_TYPES.length).default([]),
  formats: z.array(pattern(/^[a-z][a-z0-9_]*$/, "a format such as ebook", 50)).max(50).default([]),
  parameters: jsonSchema.default({}),
  provides: z.array(capabilityName).max(50).default([]),
  events: z.array(
    pattern(
      /^(\*|[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)*(\.\*)?)$/,
      "an event such as content.imported, job.* or *",
      100,
    ).superRefine((name, ctx) => {
      const message = eventPatternProblem(name);
      if (message !== undefined) ctx.addIssue({ code: "custom", message });
    }),
  ).max(50).default([]),
  /** How often its jobs may begin, where the operator's settings say nothing: what its source asks of its users. */
  rate: strictMap({
    per_minute: z.number().min(0.1).max(6_000),
    burst: z.number().int().min(1).max(1_000).optional(),
  }).optional(),
  permissions: permissions.prefault({}),
  config: jsonSchema.default({}),
});

/** Which kinds a field belongs to. */
const FIELD_KINDS: Readonly<Record<string, readonly PluginKind[]>> = {
  match: ["import", "connector"],
  media_types: ["import", "preprocessor"],
  content_types: ["import"],
  formats: ["export"],
  parameters: ["export", "step"],
  events: ["hook"],
};

export const manifestSchema = fields.superRefine((manifest, ctx) => {
  const kind = kindOf(manifest.id);
  for (const [field, kinds] of Object.entries(FIELD_KINDS)) {
    const value = manifest[field as "match"];
    const empty = Array.isArray(value) ? value.length === 0 : Object.keys(value).length === 0;
    if (!empty && !kinds.includes(kind)) {
      const message = `expected in plugins of the kinds ${kinds.join(", ")} only, not in ${kind}`;
      ctx.addIssue({ code: "custom", path: [field], message });
    }
  }
  if (kind === "export" && manifest.formats.length === 0) {
    ctx.addIssue({
      code: "custom",
      path: ["formats"],
      message: "missing: expected at least one format, such as [ebook]",
    });
  }
  if (kind === "hook" && manifest.events.length === 0) {
    ctx.addIssue({
      code: "custom",
      path: ["events"],
      message: "missing: expected at least one event, such as [content.imported]",
    });
  }
  const { net, write } = manifest.permissions;
  const open = net.some(({ value }) => value === "public");
  for (const [i, { value }] of write.entries()) {
    if (open && !value.startsWith("${data}")) {
      const message =
        "expected ${data}/… only: a plugin that may reach any public host writes nowhere else";
      ctx.addIssue({ code: "custom", path: ["permissions", "write", i, "value"], message });
    }
  }
  const settings = Object.keys(propertiesOf(manifest.config));
  for (const [i, { value }] of net.entries()) {
    const entry = parseNetEntry(value);
    if (typeof entry !== "string" && entry.kind === "config" && !settings.includes(entry.field)) {
      const message = `expected a setting that "config" declares, not "${entry.field}"`;
      ctx.addIssue({ code: "custom", path: ["permissions", "net", i, "value"], message });
    }
  }
});

/** A manifest with its defaults filled in. */
export type Manifest = z.output<typeof manifestSchema>;

/** A plugin's kind: the part of its id before the first dot. */
export function kindOf(id: string): PluginKind {
  return id.split(".", 1)[0] as PluginKind;
}

/** The properties of a JSON Schema of an object. */
export function propertiesOf(
  schema: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const { properties } = schema;
  return typeof properties === "object" && properties !== null
    ? properties as Record<string, unknown>
    : {};
}

export interface ParseManifestOptions {
  /** How the file is called in errors. @default "carrel.yaml" */
  readonly file?: string | undefined;
  /** The host's version, which the manifest's `carrel` must take. Unchecked when absent. */
  readonly hostVersion?: string | undefined;
}

/** Reads a manifest. Throws `CarrelError` `invalid_manifest` that names every error's line and field. */
export function parseManifest(yaml: string, options: ParseManifestOptions = {}): Manifest {
  const file = options.file ?? MANIFEST_FILE;
  const manifest = readYaml(yaml, {
    file,
    schema: manifestSchema,
    code: "invalid_manifest",
    what: "manifest",
    maxBytes: MAX_MANIFEST_BYTES,
  });
  const { hostVersion } = options;
  if (
    hostVersion !== undefined && manifest.carrel !== undefined &&
    !satisfies(hostVersion, manifest.carrel)
  ) {
    throw new CarrelError(
      "invalid_manifest",
      `Cannot use the plugin "${manifest.id}": it works with Carrel ${manifest.carrel}, and this is ${hostVersion}.`,
    );
  }
  return manifest;
}
