/**
 * Capabilities: named functions that a plugin offers. A plugin that says `provides: [text.generate]` in its manifest
 * has a function of that name among its `capabilities`. Inputs and results are plain data; the host checks those
 * of the names below against these types, and those of other names only for being plain and bounded.
 */
import type { Health, Plain, PluginContext } from "./types.ts";

/** What the use of a model came to. Leave out what is not known. */
export interface ModelUsage {
  readonly model: string;
  readonly input_tokens?: number | undefined;
  readonly output_tokens?: number | undefined;
  /** Money, in `currency`. */
  readonly cost?: number | undefined;
  /** ISO 4217. @default "USD" */
  readonly currency?: string | undefined;
}

/** A passage that a text shall be made from. */
export interface TextSource {
  /** Id of a content or chunk. */
  readonly id: string;
  readonly title?: string | undefined;
  readonly text: string;
}

export interface TextGenerateInput {
  readonly prompt: string;
  readonly system?: string | undefined;
  /** The text shall rest on these. */
  readonly sources?: readonly TextSource[] | undefined;
  readonly max_tokens?: number | undefined;
  /** 0 to 2 */
  readonly temperature?: number | undefined;
  /** BCP 47 */
  readonly language?: string | undefined;
}

export interface TextGenerateResult {
  /** Markdown. */
  readonly text: string;
  /** What made it, in words that a reader of the result should see: the model's name, or "extractive summary". */
  readonly model: string;
  readonly usage?: ModelUsage | undefined;
  /** Ids of the sources that were used, as far as is known. */
  readonly used?: readonly string[] | undefined;
}

export interface TextTranslateInput {
  readonly text: string;
  /** BCP 47 */
  readonly to: string;
  /** BCP 47; found out when left out. */
  readonly from?: string | undefined;
}

export interface TextTranslateResult {
  readonly text: string;
  readonly language: string;
  readonly model: string;
  readonly usage?: ModelUsage | undefined;
}

export interface TextVariantsInput extends TextGenerateInput {
  /** 2 to 10 */
  readonly count: number;
}

export interface TextVariantsResult {
  readonly variants: readonly { readonly title?: string | undefined; readonly text: string }[];
  readonly model: string;
  readonly usage?: ModelUsage | undefined;
}

/** Input and result of the capabilities that the host knows. */
export interface KnownCapabilities {
  "text.generate": { input: TextGenerateInput; result: TextGenerateResult };
  "text.translate": { input: TextTranslateInput; result: TextTranslateResult };
  "text.variants": { input: TextVariantsInput; result: TextVariantsResult };
}

type Fn<I, R> = (input: I, ctx: PluginContext) => Promise<R> | R;

/** The functions of a plugin, by capability. */
export type CapabilityMethods =
  & {
    readonly [K in keyof KnownCapabilities]?: Fn<
      KnownCapabilities[K]["input"],
      KnownCapabilities[K]["result"]
    >;
  }
  // deno-lint-ignore no-explicit-any -- another capability's types are its author's own
  & { readonly [name: string]: Fn<any, any> };

export interface CapabilityPlugin {
  readonly capabilities: CapabilityMethods;
  healthCheck?(ctx: PluginContext): Promise<Health> | Health;
}

/** Something that happened in the library. */
export interface HookEvent {
  readonly seq: number;
  readonly name: string;
  readonly subject?: string | undefined;
  readonly payload: Readonly<Record<string, Plain>>;
  readonly time: string;
}

/** Told of events, at least once each, in order. Names as in the manifest's `events`; `*` at an end matches. */
export interface HookPlugin {
  readonly events: Readonly<
    Record<string, (event: HookEvent, ctx: PluginContext) => Promise<void> | void>
  >;
  healthCheck?(ctx: PluginContext): Promise<Health> | Health;
}

/** Says when something is to be done next. */
export interface SchedulerPlugin {
  /** ISO 8601 after `after`; null for never again. */
  next(
    after: string,
    parameters: Readonly<Record<string, Plain>>,
    ctx: PluginContext,
  ): Promise<string | null> | string | null;
  healthCheck?(ctx: PluginContext): Promise<Health> | Health;
}
