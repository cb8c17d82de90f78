/**
 * What a server does not take. The fields of a request that not every server knows are sent until one says that it
 * does not, and left out or renamed from then on.
 */
import { APIError } from "openai";

/** Optional fields of a request. */
export const OPTIONAL = ["stream_options", "n", "seed", "temperature", "max_tokens"] as const;
export type Optional = typeof OPTIONAL[number];

export interface Quirks {
  /** Fields that the server does not take. */
  readonly without: Set<Optional>;
  /** What the longest answer is called: new models of OpenAI know the longer name only, most others the shorter. */
  limit: "max_tokens" | "max_completion_tokens";
  /** Both names were tried. */
  renamed: boolean;
}

/** By server and model; a runner has few. */
const known = new Map<string, Quirks>();

export function quirksOf(baseUrl: string, model: string): Quirks {
  const key = `${baseUrl} ${model}`;
  let quirks = known.get(key);
  if (quirks === undefined) {
    const official = URL.parse(baseUrl)?.hostname === "api.openai.com";
    const limit = official ? "max_completion_tokens" : "max_tokens";
    known.set(key, quirks = { without: new Set(), limit, renamed: false });
  }
  return quirks;
}

const REFUSAL =
  /unsupported|not support|unrecogni[sz]ed|unknown|unexpected|extra|not permitted|not allowed|additional propert|invalid (field|parameter|argument)|must be|only/i;

/** The field that an answer complains of, if it is one that can be left out; it is, next time. */
export function learn(
  quirks: Quirks,
  error: unknown,
  sent: ReadonlySet<string>,
): Optional | undefined {
  if (!(error instanceof APIError) || (error.status !== 400 && error.status !== 422)) {
    return undefined;
  }
  const { message } = error;
  if (!REFUSAL.test(message)) return undefined;
  const names = (field: string) =>
    error.param === field || new RegExp(`(["'\`.\\s]|^)${field}(["'\`:,.\\s]|$)`).test(message);
  for (const field of OPTIONAL) {
    const name = field === "max_tokens" ? quirks.limit : field;
    // A single letter proves little among other words.
    const meant = field === "n"
      ? error.param === "n" || /["'`]n["'`]|\bn (must|should|is|>)/.test(message)
      : names(name);
    if (!sent.has(name) || !meant) continue;
    if (field === "max_tokens") {
      // "max_tokens is too large" is about its value.
      if (/too large|at most|at least|exceed/i.test(message)) continue;
      if (!quirks.renamed) {
        quirks.renamed = true;
        quirks.limit = quirks.limit === "max_tokens" ? "max_completion_tokens" : "max_tokens";
        return field;
      }
    }
    quirks.without.add(field);
    return field;
  }
  return undefined;
}
