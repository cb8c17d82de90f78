/** What the host's functions on artifacts take: JSON Schemas, and the types of what fits them. */

type Schema = Readonly<Record<string, unknown>>;

const id: Schema = { type: "string", minLength: 1, maxLength: 200 };
/** An expression that finds nothing says null: the same as not said. */
const nullable = (schema: Schema): Schema => ({ ...schema, type: [schema["type"], "null"] });
/** JSONata gives a list of one as the one. */
const list = (items: Schema, maxItems: number): Schema => ({
  type: ["array", "string", "null"],
  items,
  maxItems,
});
const title: Schema = { type: "string", minLength: 1, maxLength: 500 };
const word: Schema = { type: "string", pattern: "^[a-zA-Z0-9][a-zA-Z0-9_.-]*$", maxLength: 100 };
const fields = (properties: Schema, required: readonly string[] = []): Schema => ({
  type: "object",
  properties,
  required,
  additionalProperties: false,
});

export interface CreateInput {
  readonly type?: string | null;
  readonly title?: string | null;
  readonly parent?: string | null;
  readonly variant_index?: number | null;
  readonly source_ids?: readonly string[] | string | null;
  readonly parameters?: Readonly<Record<string, unknown>> | null;
  readonly formats?: readonly string[] | string | null;
  readonly state?: "placeholder" | "generating" | null;
}

export interface WriteInput {
  readonly artifact: string;
  readonly name: string;
  readonly text?: string | null;
  readonly from?: string | readonly string[] | null;
  readonly media_type?: string | null;
  readonly language?: string | null;
  readonly format?: string | null;
  readonly state?: "generating" | "ready" | null;
}

export interface ReadInput {
  readonly artifact: string;
  readonly name?: string | null;
  readonly last?: boolean | null;
}

export interface NotifyInput {
  readonly title: string;
  readonly message?: string | null;
  readonly data?: Readonly<Record<string, unknown>> | null;
}

export const INPUTS = {
  "artifact.create": fields({
    type: nullable(word),
    title: nullable(title),
    parent: nullable(id),
    variant_index: nullable({ type: "integer", minimum: 0, maximum: 999 }),
    source_ids: list(id, 1000),
    parameters: { type: ["object", "null"] },
    formats: list(word, 100),
    state: { enum: ["placeholder", "generating", null] },
  }, []),
  "artifact.write": fields({
    artifact: id,
    name: { type: "string", pattern: "^[a-zA-Z0-9][a-zA-Z0-9_ .-]*$", maxLength: 200 },
    text: { type: ["string", "null"] },
    from: list({ type: "string" }, 100),
    media_type: nullable({ type: "string", pattern: "^[a-z]+/[a-zA-Z0-9.+-]+$" }),
    language: nullable({ type: "string", pattern: "^[A-Za-z0-9-]{2,35}$" }),
    format: nullable(word),
    state: { enum: ["generating", "ready", null] },
  }, ["artifact", "name"]),
  "artifact.finish": fields({ artifact: id, state: { enum: ["ready", "failed", null] } }, [
    "artifact",
  ]),
  "artifact.choose": fields({ artifact: id }, ["artifact"]),
  "artifact.clean": fields({ parent: id }, ["parent"]),
  "artifact.read": fields({
    artifact: id,
    name: nullable({ type: "string", maxLength: 200 }),
    last: nullable({ type: "boolean" }),
  }, ["artifact"]),
  "notify": fields({
    title,
    message: nullable({ type: "string", maxLength: 10_000 }),
    data: { type: ["object", "null"] },
  }, ["title"]),
} as const;
