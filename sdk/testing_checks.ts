import assert from "node:assert/strict";
import type {
  ModelUsage,
  TextGenerateInput,
  TextGenerateResult,
  TextTranslateResult,
  TextVariantsInput,
  TextVariantsResult,
} from "./capabilities.ts";
import type { PluginErrorCode } from "./errors.ts";
import {
  CONTENT_TYPES,
  type ContentMetadata,
  type ExportInput,
  type ExportOutput,
  type ExtractedContent,
  type ExtractedItems,
} from "./types.ts";

/** Throws unless the content is what `ExtractedContent` promises. */
export function checkExtractedContent(
  content: ExtractedContent | ExtractedItems,
): asserts content is ExtractedContent {
  assert.ok(!("items" in content), "extract gave a list of items, not a content");
  checkPlain(content, "content");
  assert.ok(CONTENT_TYPES.includes(content.type), `"${content.type}" is no content type`);
  assert.equal(typeof content.title, "string", "the title is no string");
  assert.notEqual(content.title.trim(), "", "the title is empty");
  assert.ok(!content.title.includes("\n"), "the title has more than one line");
  assert.equal(typeof content.markdown, "string", "the Markdown is no string");
  assert.ok(!/\r|\0/.test(content.markdown), "the Markdown holds carriage returns or zeros");
  if (content.markdown.trim() === "") {
    assert.ok(content.warnings?.length, "there is no text, and no warning that says why");
  }
  checkMetadata(content.metadata);
  checkPages(content);
  for (const warning of content.warnings ?? []) {
    assert.match(warning, /^[^\n]*[.!?]$/, `the warning "${warning}" is no sentence`);
  }
}

/** Throws unless the list is what `ExtractedItems` promises. */
export function checkExtractedItems(list: ExtractedItems): void {
  checkPlain(list, "items");
  assert.ok(list.items.length <= 10_000, `there are ${list.items.length} items`);
  for (const { url, title, metadata } of list.items) {
    checkAbsolute(url);
    assert.match(url, /^https?:/, `"${url}" cannot be imported`);
    if (title !== undefined) assert.notEqual(title.trim(), "", `the title of "${url}" is empty`);
    if (metadata !== undefined) checkMetadata(metadata);
  }
}

function checkMetadata(metadata: ContentMetadata): void {
  const { authors, published, language, canonicalUrl, images, keywords } = metadata;
  for (const word of [...authors ?? [], ...keywords ?? []]) {
    assert.equal(typeof word, "string");
    assert.notEqual(word.trim(), "", "an author or keyword is empty");
  }
  if (published !== undefined) {
    assert.match(
      published,
      /^\d{4}(-\d{2}(-\d{2}(T\d{2}:\d{2}:\d{2}(\.\d+)?Z?)?)?)?$/,
      `"${published}" is no ISO 8601 date or time in UTC`,
    );
    assert.ok(!Number.isNaN(Date.parse(published)), `"${published}" is no date of the calendar`);
  }
  if (language !== undefined) {
    assert.deepEqual(
      Intl.getCanonicalLocales(language),
      [language],
      `"${language}" is no language tag in its canonical form`,
    );
  }
  if (canonicalUrl !== undefined) checkAbsolute(canonicalUrl);
  for (const { url } of images ?? []) checkAbsolute(url);
}

function checkAbsolute(url: string): void {
  assert.ok(URL.canParse(url), `"${url}" is no absolute URL`);
}

function checkPages({ pages, markdown }: ExtractedContent): void {
  let last = { page: 0, offset: 0 };
  for (const entry of pages ?? []) {
    assert.ok(Number.isInteger(entry.page) && entry.page > last.page, "pages are not in order");
    assert.ok(
      Number.isInteger(entry.offset) && entry.offset >= last.offset &&
        entry.offset <= markdown.length,
      `page ${entry.page} begins at ${entry.offset}, before the one before it or after the end`,
    );
    last = entry;
  }
}

/** Throws unless the output is what `ExportOutput` promises, and is attributed to its input. */
export function checkExportOutput(output: ExportOutput, input: ExportInput): void {
  checkPlain(output, "output");
  assert.notEqual(output.title.trim(), "", "the title is empty");
  assert.ok(output.files.length > 0, "there is no file");
  const names = new Set<string>();
  for (const file of output.files) {
    assert.match(file.name, /^(?!\.)[^/\\\0]+$/, `"${file.name}" is no plain file name`);
    assert.ok(!names.has(file.name), `there are two files named "${file.name}"`);
    names.add(file.name);
    assert.match(file.mediaType, /^[\w.+-]+\/[\w.+-]+/, `"${file.mediaType}" is no media type`);
    assert.ok(file.bytes instanceof Uint8Array && file.bytes.length > 0, `"${file.name}" is empty`);
  }
  const sources = new Map(input.sources.map((source) => [source.id, source]));
  const attributed = new Set<string>();
  /** Kind and title by id: one part may be made of several sources. */
  const parts = new Map<string, string>();
  for (const { part, source: id, chunks } of output.attributions) {
    const source = sources.get(id);
    assert.ok(source, `part "${part.id}" is attributed to "${id}", which is no source`);
    attributed.add(id);
    const known = new Set(source.chunks.map((chunk) => chunk.id));
    for (const chunk of chunks) {
      assert.ok(
        known.has(chunk),
        `part "${part.id}" names "${chunk}", which is no chunk of "${id}"`,
      );
    }
    const same = JSON.stringify([part.kind, part.title, part.location]);
    assert.equal(parts.get(part.id) ?? same, same, `two parts have the id "${part.id}"`);
    parts.set(part.id, same);
    const file = part.location?.split("#")[0];
    assert.ok(file === undefined || names.has(file), `part "${part.id}" stands in no file`);
  }
  for (const id of sources.keys()) {
    assert.ok(attributed.has(id), `nothing is attributed to source "${id}"`);
  }
}

/** Throws unless the result is plain data and, of a known capability, what `sdk/capabilities.ts` promises. */
export function checkCapabilityResult(capability: string, result: unknown, input: unknown): void {
  checkPlain(result, "result");
  if (!(["text.generate", "text.translate", "text.variants"] as string[]).includes(capability)) {
    return;
  }
  const made = result as Partial<TextGenerateResult & TextTranslateResult & TextVariantsResult>;
  const asked = input as Partial<TextGenerateInput & TextVariantsInput>;
  assert.ok(
    typeof made.model === "string" && made.model.trim() !== "",
    "the result does not say what made it",
  );
  checkUsage(made.usage);
  const texts = capability === "text.variants"
    ? made.variants?.map(({ text }) => text) ?? []
    : [made.text];
  assert.ok(texts.length > 0, "there is no text");
  for (const text of texts) assert.equal(typeof text, "string", "a text is no string");
  if (capability === "text.variants") {
    assert.equal(texts.length, asked.count, `it made ${texts.length} variants of ${asked.count}`);
  } else if (capability === "text.translate") {
    const { language } = made;
    assert.ok(typeof language === "string", "the result does not say its language");
    assert.doesNotThrow(
      () => Intl.getCanonicalLocales(language),
      `"${language}" is no language tag`,
    );
  }
  const known = new Set(asked.sources?.map(({ id }) => id));
  for (const id of made.used ?? []) assert.ok(known.has(id), `it used "${id}", which is no source`);
}

function checkUsage(usage: ModelUsage | undefined): void {
  if (usage === undefined) return;
  assert.notEqual(usage.model, "", "the usage names no model");
  for (const figure of [usage.input_tokens, usage.output_tokens, usage.cost]) {
    assert.ok(figure === undefined || figure >= 0, `the usage holds ${figure}`);
  }
  if (usage.currency !== undefined) assert.match(usage.currency, /^[A-Z]{3}$/);
}

/** Throws unless it is a `PluginError` with that code and a sentence for people. */
export function checkPluginError(error: unknown, code: PluginErrorCode): void {
  // By name: in a bundle the class is not the same one.
  if (!(error instanceof Error) || error.name !== "PluginError") throw error;
  const { code: actual, retryable, data } = error as Error & {
    code?: unknown;
    retryable?: unknown;
    data?: unknown;
  };
  assert.equal(actual, code, `it failed with ${actual}: ${error.message}`);
  assert.equal(typeof retryable, "boolean");
  assert.match(error.message, /^Cannot [^]+: [^]+\.$/, `"${error.message}" is no sentence`);
  checkPlain(data, "data");
}

/** Throws unless a value can cross the sandbox. */
function checkPlain(value: unknown, path: string, depth = 0): void {
  assert.ok(depth < 50, `${path} is nested too deeply`);
  if (value === null || value === undefined) return;
  if (typeof value === "number") {
    assert.ok(Number.isFinite(value), `${path} is ${value}`);
  } else if (typeof value === "object") {
    if (value instanceof Uint8Array) return;
    const prototype = Object.getPrototypeOf(value);
    assert.ok(
      Array.isArray(value) || prototype === Object.prototype || prototype === null,
      `${path} is no plain data`,
    );
    for (const [key, inner] of Object.entries(value)) {
      checkPlain(inner, `${path}.${key}`, depth + 1);
    }
  } else {
    assert.ok(
      typeof value === "string" || typeof value === "boolean",
      `${path} is a ${typeof value}`,
    );
  }
}
