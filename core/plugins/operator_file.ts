/** `config/plugins.yaml`: what the operator sets of plugins by hand. */
import { z } from "zod";
import type { TrustLevel } from "../../sandbox/types.ts";
import { PLUGIN_KINDS } from "../../sdk/types.ts";
import { CarrelError } from "../errors.ts";
import { type HostLimits, hostLimits, type LimitsChange, limitsChangeSchema } from "./limits.ts";
import { readYaml } from "./yaml.ts";

export interface OperatorSettings {
  readonly enabled: boolean | undefined;
  /** Lower comes first where several plugins take the same. */
  readonly priority: number | undefined;
  readonly config: Readonly<Record<string, unknown>>;
  /** Those that it gets whatever its manifest and the ceiling say. */
  readonly limits: LimitsChange;
  /** Only for plugins that are not built in. Only a trusted one can be granted programs (`run`). */
  readonly trust: TrustLevel | undefined;
  readonly autoUpdate: boolean | undefined;
}

export interface OperatorFile {
  /** By plugin id. */
  readonly plugins: ReadonlyMap<string, OperatorSettings>;
  /** What plugins get that have no other limits here. */
  readonly limits: HostLimits;
}

const entry = z.strictObject({
  plugin_id: z.string().min(1).max(100),
  enabled: z.boolean().optional(),
  priority: z.int().min(0).max(1000).optional(),
  config: z.record(z.string(), z.unknown()).default({}),
  limits: limitsChangeSchema.default({}),
  trust: z.enum(["sandboxed", "restricted", "trusted"]).optional(),
  auto_update: z.boolean().optional(),
}, {
  error: (issue) =>
    issue.code === "unrecognized_keys"
      ? "unknown key: expected one of plugin_id, enabled, priority, config, limits, trust, auto_update"
      : undefined,
});

const list = z.array(entry).max(1000).nullish();

const sections = PLUGIN_KINDS.map((kind) => `${kind}_plugins`);

const schema = z.strictObject({
  ...Object.fromEntries(sections.map((name) => [name, list])) as Record<string, typeof list>,
}, {
  error: (issue) =>
    issue.code === "unrecognized_keys"
      ? `unknown key: expected one of ${sections.join(", ")}`
      : undefined,
}).superRefine((file, ctx) => {
  const seen = new Set<string>();
  for (const [section, entries] of sectionsOf(file)) {
    for (const [i, { plugin_id }] of (entries ?? []).entries()) {
      const kind = section.slice(0, -"_plugins".length);
      const path = [section, i, "plugin_id"];
      if (!plugin_id.startsWith(`${kind}.`)) {
        ctx.addIssue({ code: "custom", path, message: `expected a plugin of the kind ${kind}` });
      } else if (seen.has(plugin_id)) {
        ctx.addIssue({ code: "custom", path, message: `"${plugin_id}" stands here twice` });
      }
      seen.add(plugin_id);
    }
  }
}).nullable();

type Sections = Readonly<Record<string, z.output<typeof list>>>;

function sectionsOf(file: Record<string, unknown>) {
  return Object.entries(file as Sections);
}

/**
 * Reads the file; empty when there is none. Throws `CarrelError` `invalid_config`.
 * @param limits Of this host, which stand in `carrel.yaml`.
 */
export async function readOperatorFile(
  path: string | undefined,
  limits: HostLimits = hostLimits(),
): Promise<OperatorFile> {
  const settings = new Map<string, OperatorSettings>();
  const nothing: OperatorFile = { plugins: settings, limits };
  if (path === undefined) return nothing;
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return nothing;
    throw new CarrelError("invalid_config", `Cannot read "${path}": it cannot be opened.`, {
      cause,
    });
  }
  const file = readYaml(text, { file: path, schema, code: "invalid_config", what: "settings" });
  for (const entry of sectionsOf(file ?? {}).flatMap(([, entries]) => entries ?? [])) {
    const { plugin_id, enabled, priority, config, limits, trust, auto_update } = entry;
    settings.set(plugin_id, { enabled, priority, config, limits, trust, autoUpdate: auto_update });
  }
  return { plugins: settings, limits };
}
