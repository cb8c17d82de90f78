/**
 * What capabilities take and give: the known ones by the types of `sdk/capabilities.ts`, others as plain JSON of
 * a bounded size. A known input with a field that its contract does not have is refused, so that a typo is not
 * silently ignored; such a field of a result is left out.
 */
import { z } from "zod";
import type {
  KnownCapabilities,
  TextGenerateInput,
  TextGenerateResult,
  TextTranslateInput,
  TextTranslateResult,
  TextVariantsInput,
  TextVariantsResult,
} from "../../sdk/capabilities.ts";
import { CarrelError, type ErrorCode } from "../errors.ts";
import { type Json, plainJson, PlainJsonError } from "../plain_json.ts";

/** Of an input and of a result, as JSON. */
export const MAX_JSON_BYTES = 1024 * 1024;
/** Maps and lists inside one another. */
const MAX_DEPTH = 32;
/** Problems that an error names. */
const MAX_PROBLEMS = 10;

interface Contract {
  readonly description: string;
  readonly input: z.ZodType;
  readonly result: z.ZodType;
}

/** The contract of a known capability, held to its types. */
function contract<I, R>(
  description: string,
  input: z.ZodType<I>,
  result: z.ZodType<R>,
): Contract {
  return { description, input, result };
}

const words = z.string().min(1);
/** BCP 47, as far as a pattern can say. */
const language = z.string().max(100).regex(/^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$/, {
  error: "expected a language tag such as en or pt-BR",
});
const figure = z.number().min(0);

const usage = z.object({
  model: words,
  input_tokens: figure.optional(),
  output_tokens: figure.optional(),
  cost: figure.optional(),
  currency: z.string().regex(/^[A-Z]{3}$/).optional(),
});

const generateInput = {
  prompt: words,
  system: z.string().optional(),
  sources: z.array(z.strictObject({ id: words, title: z.string().optional(), text: z.string() }))
    .max(1000).optional(),
  max_tokens: z.int().min(1).optional(),
  temperature: z.number().min(0).max(2).optional(),
  language: language.optional(),
};

const made = { model: words, usage: usage.optional() };

const CONTRACTS: { readonly [K in keyof KnownCapabilities]: Contract } = {
  "text.generate": contract<TextGenerateInput, TextGenerateResult>(
    "Writes a text from a prompt, and from sources where some are given.",
    z.strictObject(generateInput),
    z.object({ text: z.string(), ...made, used: z.array(z.string()).optional() }),
  ),
  "text.translate": contract<TextTranslateInput, TextTranslateResult>(
    "Translates a text.",
    z.strictObject({ text: z.string(), to: language, from: language.optional() }),
    z.object({ text: z.string(), language: words, ...made }),
  ),
  "text.variants": contract<TextVariantsInput, TextVariantsResult>(
    "Writes several texts from one prompt that differ from each other.",
    z.strictObject({ ...generateInput, count: z.int().min(2).max(10) }),
    z.object({
      variants: z.array(z.object({ title: z.string().optional(), text: z.string() })).min(1)
        .max(10),
      ...made,
    }),
  ),
};

function contractOf(name: string): Contract | undefined {
  return Object.hasOwn(CONTRACTS, name) ? CONTRACTS[name as keyof KnownCapabilities] : undefined;
}

/** Names of those that have a contract. */
export const KNOWN_CAPABILITIES: readonly string[] = Object.keys(CONTRACTS);

/** What a known capability does, in a sentence. */
export function describeCapability(name: string): string | undefined {
  return contractOf(name)?.description;
}

/** The input as it may be sent. Throws `invalid_parameters` that names the field, `too_large`. */
export function checkInput(name: string, input: unknown): Json {
  const what = `Cannot call "${name}"`;
  const plain = bounded(input, what, "invalid_parameters", "the input");
  return conform(contractOf(name)?.input, plain, what, "invalid_parameters");
}

/** The result as a caller may have it. Throws `invalid_output` that names the field, `too_large`. */
export function checkResult(name: string, value: unknown, plugin: string): Json {
  const what = `Cannot use what "${plugin}" returned from "${name}"`;
  const plain = bounded(value, what, "invalid_output", "the result");
  return conform(contractOf(name)?.result, plain, what, "invalid_output");
}

function bounded(value: unknown, what: string, code: ErrorCode, thing: string): Json {
  try {
    return plainJson(value, { maxDepth: MAX_DEPTH, maxBytes: MAX_JSON_BYTES });
  } catch (error) {
    if (!(error instanceof PlainJsonError)) throw error;
    const large = error.reason.startsWith("larger");
    const why = large ? `${thing} is larger than ${MAX_JSON_BYTES} bytes as JSON` : error.message;
    throw new CarrelError(large ? "too_large" : code, `${what}: ${why}.`);
  }
}

function conform(schema: z.ZodType | undefined, value: Json, what: string, code: ErrorCode): Json {
  if (schema === undefined) return value;
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data as Json;
  const problems = parsed.error.issues.slice(0, MAX_PROBLEMS).map(({ path, message }) => ({
    field: path.map(String).join(".") || "value",
    problem: message,
  }));
  const list = problems.map(({ field, problem }) => `${field}: ${problem}`).join("; ");
  throw new CarrelError(code, `${what}: ${list}.`, { details: { errors: problems } });
}
