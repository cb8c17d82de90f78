/**
 * A plugin's settings: what was set, laid over the defaults of the manifest's JSON Schema. Secrets are
 * references, `{env: NAME}` or `{file: …}`; a secret written out is refused.
 */
import { CarrelError } from "../errors.ts";
import { type Manifest, propertiesOf } from "./manifest.ts";

export type Config = Readonly<Record<string, unknown>>;

type Schema = Readonly<Record<string, unknown>>;

/** Throws `CarrelError` `invalid_config` that names the setting and what is expected. */
export function resolveConfig(manifest: Manifest, given: Config): Config {
  const properties = propertiesOf(manifest.config);
  const config: Record<string, unknown> = {};
  for (const name of Object.keys(given)) {
    if (!Object.hasOwn(properties, name)) {
      const known = Object.keys(properties).join(", ") || "none";
      throw invalid(manifest, name, `there is no such setting; known are: ${known}`);
    }
  }
  for (const [name, property] of Object.entries(properties)) {
    const schema = (typeof property === "object" && property !== null ? property : {}) as Schema;
    const value = Object.hasOwn(given, name) ? given[name] : schema.default;
    // What is required and missing is said when the plugin is used, not when the host starts.
    if (value === undefined) continue;
    config[name] = isSecret(schema)
      ? secret(manifest, name, value)
      : plain(manifest, name, value, schema);
  }
  return config;
}

function isSecret(schema: Schema): boolean {
  return schema.format === "secret";
}

/** `${NAME}` and `{env: NAME}` are the same. */
function secret(manifest: Manifest, name: string, value: unknown): unknown {
  const variable = typeof value === "string"
    ? /^\$\{([A-Za-z_]\w*)\}$/.exec(value)?.[1]
    : undefined;
  if (variable !== undefined) return { env: variable };
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value);
    const [kind, target] = entries[0] ?? [];
    if (entries.length === 1 && (kind === "env" || kind === "file") && typeof target === "string") {
      return { [kind]: target };
    }
  }
  throw invalid(
    manifest,
    name,
    "a secret is never written out: set {env: NAME} or {file: /path} that holds it",
  );
}

function plain(manifest: Manifest, name: string, value: unknown, schema: Schema): unknown {
  const wrong = schemaProblem(value, schema);
  if (wrong !== undefined) throw invalid(manifest, name, wrong);
  return value;
}

/** What a value breaks of the parts of JSON Schema that are checked here, in words. */
function schemaProblem(value: unknown, schema: Schema): string | undefined {
  const { type, minimum, maximum, maxLength } = schema;
  if (typeof type === "string" && !isType(value, type)) return `expected ${type}`;
  if (Array.isArray(schema.enum) && !schema.enum.includes(value)) {
    return `expected one of ${schema.enum.join(", ")}`;
  }
  if (typeof value === "number") {
    if (typeof minimum === "number" && value < minimum) return `expected at least ${minimum}`;
    if (typeof maximum === "number" && value > maximum) return `expected at most ${maximum}`;
  }
  if (typeof value === "string" && typeof maxLength === "number" && value.length > maxLength) {
    return `expected at most ${maxLength} characters`;
  }
  return undefined;
}

function isType(value: unknown, type: string): boolean {
  switch (type) {
    case "integer":
      return Number.isInteger(value);
    case "array":
      return Array.isArray(value);
    case "null":
      return value === null;
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    case "string":
      return typeof value === "string";
    case "number":
      return typeof value === "number";
    case "boolean":
      return typeof value === "boolean";
    default:
      return true;
  }
}

function invalid(manifest: Manifest, name: string, why: string): CarrelError {
  return new CarrelError(
    "invalid_config",
    `Cannot set "${name}" of the plugin "${manifest.id}": ${why}.`,
    { details: { plugin: manifest.id, field: name } },
  );
}
