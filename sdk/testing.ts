/**
 * `@carrel/sdk/testing`: what every import and export plugin must hold to, as functions that throw
 * when it does not. They work under any test runner:
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
import { checkExportOutput, checkExtractedContent, checkPluginError } from "./testing_checks.ts";
import type {
  ExportInput,
  ExportOutput,
  ExtractedContent,
  ImportSource,
  Plain,
  PluginContext,
  RawContent,
} from "./types.ts";

export { checkExportOutput, checkExtractedContent, checkPluginError } from "./testing_checks.ts";

/** A context that writes down what the plugin says. */
export interface FakeContext extends PluginContext {
  readonly progressed: { readonly fraction: number; readonly message: string | undefined }[];
  readonly logged: { readonly level: string; readonly message: string }[];
}

export interface FakeContextOptions {
  /** The settings, defaults filled in by hand. @default {} */
  readonly config?: Readonly<Record<string, Plain>> | undefined;
  readonly secrets?: Readonly<Record<string, string>> | undefined;
  /** @default a signal that is never aborted */
  readonly signal?: AbortSignal | undefined;
  /** What `ctx.service` answers, by name; one that is missing rejects as the host would. @default {} */
  readonly services?:
    | Readonly<Record<string, (input: Plain) => Plain | Promise<Plain>>>
    | undefined;
}

export function fakeContext(options: FakeContextOptions = {}): FakeContext {
  const progressed: FakeContext["progressed"] = [];
  const logged: FakeContext["logged"] = [];
  const log = (level: string) => (message: string) => void logged.push({ level, message });
  return {
    jobId: "import_test",
    idempotencyKey: "test",
    config: options.config ?? {},
    secrets: options.secrets ?? {},
    signal: options.signal ?? new AbortController().signal,
    progressed,
    logged,
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
      checkExtractedContent(first.content);
      const second = await run();
      assert.deepEqual(second.content, first.content, "the same bytes gave another content");
      await example.check?.(first.content, first.ctx);
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
