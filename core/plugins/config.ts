/**
 * A plugin's settings: what was set, laid over the defaults of the manifest's JSON Schema. Secrets are
 * references, `{env: NAME}` or `{file: …}`; a secret written out is refused.
 */
import { Ajv, type ErrorObject, type ValidateFunction } from "ajv";
import { CarrelError } from "../errors.ts";
import { type Manifest, propertiesOf } from "./manifest.ts";

export type Config = Readonly<Record<string, unknown>>;

type Schema = Readonly<Record<string, unknown>>;

/** Where a secret is: never the secret itself. */
export type SecretReference = { readonly env: string } | { readonly file: string };

/**
 * What was set and the defaults, secrets as references. Throws `CarrelError` `invalid_config` for a setting that
 * there is not and for a secret that is written out; all else is looked at by `checkConfig`.
 */
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
    const schema = schemaOf(property);
    const isSet = Object.hasOwn(given, name) && given[name] !== undefined;
    if (isSecret(schema)) {
      // Never by default: a plugin does not choose which of the operator's secrets it gets.
      if (isSet) config[name] = secret(manifest, name, given[name]);
      continue;
    }
    const value = isSet ? given[name] : structuredClone(schema.default);
    if (value !== undefined) config[name] = value;
  }
  return config;
}

/** The settings with and without secrets. */
export function splitSecrets(
  manifest: Manifest,
  config: Config,
): { readonly plain: Config; readonly secrets: Readonly<Record<string, SecretReference>> } {
  const properties = propertiesOf(manifest.config);
  const plain: Record<string, unknown> = {};
  const secrets: Record<string, SecretReference> = {};
  for (const [name, value] of Object.entries(config)) {
    if (isSecret(schemaOf(properties[name]))) secrets[name] = value as SecretReference;
    else plain[name] = value;
  }
  return { plain, secrets };
}

/**
 * Throws `invalid_config` that names the first field that breaks the manifest's schema, and lists them all. What
 * is required may be missing until the plugin is used.
 */
export function checkConfig(
  manifest: Manifest,
  config: Config,
  options: { readonly missing?: "allowed" } = {},
): void {
  const validate = validatorOf(manifest);
  if (validate(config)) return;
  // Of what was given nothing is repeated: somebody may have put a secret into the wrong field.
  const errors = (validate.errors ?? []).filter(({ keyword }) =>
    options.missing !== "allowed" || keyword !== "required"
  ).map((error) => ({ field: fieldOf(error), problem: problemOf(error) }));
  const [first] = errors;
  if (first === undefined) return;
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : "";
  throw new CarrelError(
    "invalid_config",
    `Cannot set "${first.field}" of the plugin "${manifest.id}": it ${first.problem}${more}.`,
    { details: { plugin: manifest.id, field: first.field, errors } },
  );
}

const MUST_BE_SET = "must be set";

/** What the plugin waits for to be set, as a sentence; undefined where settings are complete, or wrong. */
export function notSetUp(manifest: Manifest, config: Config): string | undefined {
  try {
    checkConfig(manifest, config);
    return undefined;
  } catch (error) {
    if (!(error instanceof CarrelError)) throw error;
    const errors = error.details?.["errors"] as readonly { readonly problem: string }[];
    return errors.every(({ problem }) => problem === MUST_BE_SET) ? error.message : undefined;
  }
}

/** What a manifest says of its settings. Throws `invalid_manifest` for what cannot be used or must not be. */
export function checkConfigSchema(manifest: Manifest): void {
  const refuse = (why: string, cause?: unknown) =>
    new CarrelError("invalid_manifest", `Cannot use the plugin "${manifest.id}": config: ${why}.`, {
      cause,
    });
  try {
    validatorOf(manifest);
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : "no reason";
    throw refuse(`it is no JSON Schema that can be used (${why})`, cause);
  }
  for (const [name, property] of Object.entries(propertiesOf(manifest.config))) {
    const schema = schemaOf(property);
    if (!isSecret(schema)) {
      if (mentionsSecret(schema)) throw refuse(`"${name}": a secret must be a setting of its own`);
      continue;
    }
    if (schema.type !== undefined && schema.type !== "object") {
      throw refuse(`"${name}": a secret has the type object: it is a reference`);
    }
    if (schema.default !== undefined) {
      throw refuse(`"${name}": a secret has no default: the operator says where it is`);
    }
  }
  const { properties: _, ...rest } = manifest.config;
  if (mentionsSecret(rest)) throw refuse("a secret must stand among its properties");
}

const validators = new WeakMap<Manifest, ValidateFunction>();

function validatorOf(manifest: Manifest): ValidateFunction {
  const known = validators.get(manifest);
  if (known !== undefined) return known;
  const { $schema: _, $id: __, ...schema } = manifest.config;
  // One for each manifest: it keeps every schema that it has ever compiled.
  const ajv = new Ajv({ allErrors: true, strict: false, logger: false, formats: { secret: true } });
  const validate = ajv.compile({ type: "object", ...schema });
  validators.set(manifest, validate);
  return validate;
}

function fieldOf({ instancePath, params }: ErrorObject): string {
  const missing = params["missingProperty"] ?? params["additionalProperty"];
  return [instancePath.slice(1), missing].filter((part) => typeof part === "string" && part !== "")
    .join(".").replaceAll("/", ".") || "config";
}

function problemOf(error: ErrorObject): string {
  if (error.keyword === "required") return MUST_BE_SET;
  if (error.keyword === "additionalProperties") return "is no setting";
  if (error.keyword === "enum") {
    return `must be one of ${(error.params["allowedValues"] as unknown[]).join(", ")}`;
  }
  return error.message ?? "is not valid";
}

function schemaOf(property: unknown): Schema {
  return (typeof property === "object" && property !== null ? property : {}) as Schema;
}

function isSecret(schema: Schema): boolean {
  return schema.format === "secret";
}

function mentionsSecret(value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  if ((value as Schema).format === "secret") return true;
  return Object.values(value).some(mentionsSecret);
}

/** `${NAME}` and `{env: NAME}` are the same. */
function secret(manifest: Manifest, name: string, value: unknown): SecretReference {
  const variable = typeof value === "string"
    ? /^\$\{([A-Za-z_]\w*)\}$/.exec(value)?.[1]
    : undefined;
  if (variable !== undefined) return { env: variable };
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value);
    const [kind, target] = entries[0] ?? [];
    if (entries.length === 1 && typeof target === "string" && target !== "") {
      if (kind === "env" && /^[A-Za-z_]\w*$/.test(target)) return { env: target };
      if (kind === "file" && target.startsWith("/")) return { file: target };
    }
  }
  throw invalid(
    manifest,
    name,
    "a secret is never written out: set {env: NAME} or {file: /path} that holds it",
  );
}

function invalid(manifest: Manifest, name: string, why: string): CarrelError {
  return new CarrelError(
    "invalid_config",
    `Cannot set "${name}" of the plugin "${manifest.id}": ${why}.`,
    { details: { plugin: manifest.id, field: name } },
  );
}
