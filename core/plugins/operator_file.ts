/** `config/plugins.yaml`: what the operator sets of plugins by hand. */
import { z } from "zod";
import { PLUGIN_KINDS } from "../../sdk/types.ts";
import { CarrelError } from "../errors.ts";
import { readYaml } from "./yaml.ts";

export interface OperatorSettings {
  readonly enabled: boolean | undefined;
  /** Lower comes first where several plugins take the same. */
  readonly priority: number | undefined;
  readonly config: Readonly<Record<string, unknown>>;
}

const entry = z.strictObject({
  plugin_id: z.string().min(1).max(100),
  enabled: z.boolean().optional(),
  priority: z.int().min(0).max(1000).optional(),
  config: z.record(z.string(), z.unknown()).default({}),
}, {
  error: (issue) =>
    issue.code === "unrecognized_keys"
      ? "unknown key: expected one of plugin_id, enabled, priority, config"
      : undefined,
});

const list = z.array(entry).max(1000).nullish();

const sections = PLUGIN_KINDS.map((kind) => `${kind}_plugins`);

const schema = z.strictObject(Object.fromEntries(sections.map((name) => [name, list])), {
  error: (issue) =>
    issue.code === "unrecognized_keys"
      ? `unknown key: expected one of ${sections.join(", ")}`
      : undefined,
}).superRefine((file, ctx) => {
  const seen = new Set<string>();
  for (const [section, entries] of Object.entries(file)) {
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

/** Reads the file, by plugin id; empty when there is none. Throws `CarrelError` `invalid_config`. */
export async function readOperatorFile(
  path: string | undefined,
): Promise<ReadonlyMap<string, OperatorSettings>> {
  const settings = new Map<string, OperatorSettings>();
  if (path === undefined) return settings;
  let text: string;
  try {
    text = await Deno.readTextFile(path);
  } catch (cause) {
    if (cause instanceof Deno.errors.NotFound) return settings;
    throw new CarrelError("invalid_config", `Cannot read "${path}": it cannot be opened.`, {
      cause,
    });
  }
  const file = readYaml(text, { file: path, schema, code: "invalid_config", what: "settings" });
  for (const entry of Object.values(file ?? {}).flatMap((entries) => entries ?? [])) {
    const { plugin_id, enabled, priority, config } = entry;
    settings.set(plugin_id, { enabled, priority, config });
  }
  return settings;
}
