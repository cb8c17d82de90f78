/**
 * `@carrel/sdk/testing`: what every plugin of a kind must hold to, as functions that throw when it
 * does not. They work under any test runner:
 *
 * ```ts
 * Deno.test("import.notes keeps the contract", () =>
 *   testImportPlugin(plugin, [
 *     { name: "a note", raw: { bytes, mediaType: "text/x-note", url: "upload:a.note" } },
 *     { name: "no note", raw: { bytes: new Uint8Array(), … }, error: "empty" },
 *   ]));
 * ```
 * @module
 */
import assert from "node:assert/strict";
import type { DefinedPlugin } from "./define_plugin.ts";
import type { PluginErrorCode } from "./errors.ts";
import {
  checkCapabilityResult,
  checkExportOutput,
  checkExtractedContent,
  checkExtractedItems,
  checkPluginError,
} from "./testing_checks.ts";
import type { ModelUsage } from "./capabilities.ts";
import type {
  ExportInput,
  ExportOutput,
  ExtractedContent,
  ImportItem,
  ImportSource,
  Plain,
  PluginContext,
  RawContent,
} from "./types.ts";

export {
  checkCapabilityResult,
  checkExportOutput,
  checkExtractedContent,
  checkExtractedItems,
  checkPluginError,
} from "./testing_checks.ts";

/** A context that writes down what the plugin says. */
export interface FakeContext extends PluginContext {
  readonly progressed: { readonly fraction: number; readonly message: string | undefined }[];
  readonly logged: { readonly level: string; readonly message: string }[];
  readonly used: ModelUsage[];
}

export interface FakeContextOptions {
  /** The settings, defaults filled in by hand. @default {} */
  readonly config?: Readonly<Record<string, Plain>> | undefined;
  readonly secrets?: Readonly<Record<string, string>> | undefined;
  /** The plugin's own directory. @default none, as without a grant of it */
  readonly dataDir?: string | undefined;
  /** @default a signal that is never aborted */
  readonly signal?: AbortSignal | undefined;
  /** What `ctx.service` answers, by name; one that is missing rejects as the host would. @default {} */
  readonly services?:
    | Readonly<Record<string, (input: Plain) => Plain | Promise<Plain>>>
    | undefined;
  /** What `ctx.call` answers, by capability. @default {} */
  readonly calls?:
    | Readonly<Record<string, (input: Plain) => Plain | Promise<Plain>>>
    | undefined;
}

export function fakeContext(options: FakeContextOptions = {}): FakeContext {
  const progressed: FakeContext["progressed"] = [];
  const logged: FakeContext["logged"] = [];
  const used: ModelUsage[] = [];
  const log = (level: string) => (message: string) => void logged.push({ level, message });
  return {
    jobId: "import_test",
    idempotencyKey: "test",
    config: options.config ?? {},
    secrets: options.secrets ?? {},
    dataDir: options.dataDir,
    signal: options.signal ?? new AbortController().signal,
    progressed,
    logged,
    used,
    usage: (usage) => void used.push(usage),
    async call(capability, input) {
      const answer = options.calls?.[capability];
      if (answer === undefined) throw new Error(`Cannot call "${capability}": it is not granted.`);
      return await answer(input);
    },
    progress(fraction, message) {
      assert.ok(fraction >= 0 && fraction <= 1, `progress(${fraction}) is not between 0 and 1`);
      progressed.push({ fraction, message });
    },
    log: { debug: log("debug"), info: log("info"), warn: log("warn"), error: log("error") },
    async service(name, input) {
      const service = options.services?.[name];
      if (service === undefined) throw new Error(`Cannot call "${name}": it is not granted.`);
      return await service(input);
    },
  };
}

interface Case {
  /** Stands in the message when the case fails. */
  readonly name: string;
  readonly config?: Readonly<Record<string, Plain>> | undefined;
  /** The code of the `PluginError` that must be thrown. @default none may be */
  readonly error?: PluginErrorCode | undefined;
}

export type ImportCase =
  & Case
  & (
    /** What `extract` gets. */
    | { readonly raw: RawContent }
    /** What `download` gets, and `extract` after it. */
    | { readonly source: ImportSource }
  )
  & {
    /** Looks at the content further; throws if it is not as it should be. */
    readonly check?:
      | ((content: ExtractedContent, ctx: FakeContext) => void | Promise<void>)
      | undefined;
    /** The same, where it is a list of items. */
    readonly checkItems?:
      | ((items: readonly ImportItem[], ctx: FakeContext) => void | Promise<void>)
      | undefined;
  };

/**
 * Runs each case twice. The contract: the content is well formed (see `checkExtractedContent`), the
 * bytes are left as they were, the same bytes give the same content, and failures are `PluginError`s
 * with the code expected and a sentence for people.
 */
export async function testImportPlugin(
  plugin: DefinedPlugin,
  cases: readonly ImportCase[],
): Promise<void> {
  assert.equal(plugin.kind, "import", "the plugin is not defined by definePlugin.import");
  const { methods } = plugin;
  for (const example of cases) {
    await named(example.name, async () => {
      const run = async () => {
        const ctx = fakeContext({ config: example.config });
        if (!("source" in example)) {
          const before = example.raw.bytes.slice();
          const content = await methods.extract(example.raw, ctx);
          assert.deepEqual(
            example.raw.bytes,
            before,
            "extract changed the bytes that it was given",
          );
          return { content, ctx };
        }
        assert.ok(methods.download, "the plugin has no download");
        const raw = await methods.download(example.source, ctx);
        assert.ok(raw.bytes instanceof Uint8Array, "download brought no bytes");
        assert.ok(
          URL.canParse(raw.url),
          `download says it came from "${raw.url}", which is no URL`,
        );
        return { content: await methods.extract(raw, ctx), ctx };
      };
      const first = await expecting(example.error, run);
      if (first === undefined) return;
      if ("items" in first.content) checkExtractedItems(first.content);
      else checkExtractedContent(first.content);
      const second = await run();
      assert.deepEqual(second.content, first.content, "the same bytes gave another content");
      if ("items" in first.content) {
        assert.ok(!example.check, "extract gave a list of items where the case looks at a content");
        await example.checkItems?.(first.content.items, first.ctx);
      } else {
        assert.ok(!example.checkItems, "extract gave a content where the case looks at items");
        await example.check?.(first.content, first.ctx);
      }
    });
  }
}

export type ExportCase = Case & {
  readonly input: ExportInput;
  /** @default {} */
  readonly parameters?: Readonly<Record<string, Plain>> | undefined;
  readonly check?: ((output: ExportOutput, ctx: FakeContext) => void | Promise<void>) | undefined;
};

/**
 * Runs each case twice. The contract: the output is well formed and its attributions name sources
 * and chunks of the input (see `checkExportOutput`), the input is left as it was, the same input
 * gives the same bytes, and failures are `PluginError`s with the code expected.
 */
export async function testExportPlugin(
  plugin: DefinedPlugin,
  cases: readonly ExportCase[],
): Promise<void> {
  assert.equal(plugin.kind, "export", "the plugin is not defined by definePlugin.export");
  const { methods } = plugin;
  for (const example of cases) {
    await named(example.name, async () => {
      const before = structuredClone(example.input);
      const run = async () => {
        const ctx = fakeContext({ config: example.config });
        return {
          output: await methods.generate(example.input, example.parameters ?? {}, ctx),
          ctx,
        };
      };
      const first = await expecting(example.error, run);
      assert.deepEqual(example.input, before, "generate changed the input that it was given");
      if (first === undefined) return;
      checkExportOutput(first.output, example.input);
      const second = await run();
      assert.deepEqual(second.output, first.output, "the same input gave another output");
      await example.check?.(first.output, first.ctx);
    });
  }
}

export type CapabilityCase = Case & {
  /** One of those that the plugin provides: `text.generate`. */
  readonly capability: string;
  readonly input: Plain;
  readonly secrets?: FakeContextOptions["secrets"];
  /** What other plugins answer, by capability. @default {} */
  readonly calls?: FakeContextOptions["calls"];
  /** What the host's services answer. @default {} */
  readonly services?: FakeContextOptions["services"];
  /** Whether the same input must give the same result. A model's need not. @default false */
  readonly deterministic?: boolean | undefined;
  // deno-lint-ignore no-explicit-any -- the result of any capability
  readonly check?: ((result: any, ctx: FakeContext) => void | Promise<void>) | undefined;
};

/**
 * The contract: the plugin has a function for each capability of the cases, the input is left as it was, results
 * are plain data and of a known capability well formed (see `checkCapabilityResult`), and failures are
 * `PluginError`s with the code expected. What is deterministic runs twice.
 */
export async function testCapabilityPlugin(
  plugin: DefinedPlugin,
  cases: readonly CapabilityCase[],
): Promise<void> {
  assert.ok(
    plugin.kind === "generator" || plugin.kind === "step",
    "the plugin is not defined by definePlugin.generator or definePlugin.step",
  );
  for (const example of cases) {
    await named(example.name, async () => {
      const { capability, input, config, secrets, calls, services } = example;
      const method = plugin.methods[capability];
      assert.equal(typeof method, "function", `the plugin has no function "${capability}"`);
      const before = structuredClone(input);
      const run = async () => {
        const ctx = fakeContext({ config, secrets, calls, services });
        return { result: await method!(input, ctx), ctx };
      };
      const first = await expecting(example.error, run);
      assert.deepEqual(input, before, `${capability} changed the input that it was given`);
      if (first === undefined) return;
      checkCapabilityResult(capability, first.result, input);
      if (example.deterministic) {
        const second = await run();
        assert.deepEqual(second.result, first.result, "the same input gave another result");
      }
      await example.check?.(first.result, first.ctx);
    });
  }
}

/** Runs; undefined when it failed as it should. */
async function expecting<T>(
  code: PluginErrorCode | undefined,
  run: () => Promise<T>,
): Promise<T | undefined> {
  let result: T;
  try {
    result = await run();
  } catch (error) {
    if (code === undefined) throw error;
    checkPluginError(error, code);
    return undefined;
  }
  assert.equal(code, undefined, `it should have failed with ${code}, and did not`);
  return result;
}

async function named(name: string, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new assert.AssertionError({ message: `case "${name}": ${why}` });
  }
}
