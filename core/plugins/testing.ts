/** For tests: a data folder, a few built-in plugins, and folders of others. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { createPool } from "../../sandbox/pool.ts";
import type { Pool } from "../../sandbox/types.ts";
import { denoPath, NODE_MODULES_DIR, SANDBOX_DIR, SDK_DIR, SQL_MIGRATIONS_DIR } from "../assets.ts";
import type { CarrelError, ErrorCode } from "../errors.ts";
import { createNetwork } from "../network/private.ts";
import { openSqlite } from "../stores/sqlite.ts";
import type { SqlStore } from "../stores/sql.ts";
import { createBundler } from "./bundle.ts";
import { createPlugins, type PluginsOptions } from "./create_plugins.ts";
import type { Consent, Plugins } from "./plugins.ts";
import { createFetcher, fetchPlugin } from "./sources/source.ts";

export interface World {
  readonly root: string;
  readonly dataDir: string;
  readonly sql: SqlStore;
  readonly plugins: Plugins & AsyncDisposable;
  /** Real runners; `createPlugins` gets them only where a test says so. */
  readonly pool: Pool;
  /** What was reported instead of thrown. */
  readonly reports: unknown[];
  /** The same data folder, after a restart. */
  restart(options?: Partial<PluginsOptions>): Promise<Plugins & AsyncDisposable>;
  /** Writes a plugin's folder and gives its path. */
  plugin(folder: string, yaml: string, code?: string): Promise<string>;
}

export const CODE = `import { definePlugin } from "@carrel/sdk";
export default definePlugin.import({ extract: () => ({}) });
`;

export const yaml = (id: string, more = "", version = "1.0.0") =>
  `id: ${id}\nversion: ${version}\nname: ${id}\ndescription: A plugin.\nentry: mod.ts\n${more}`;

/** Four built-in plugins, one broken folder, and one that is no plugin. */
export const BUILTIN: Record<string, string> = {
  import_web: yaml(
    "import.web",
    `match: ["https://*", "http://*"]
media_types: [text/html]
permissions: {net: ["\${source.site}"]}
config: {properties: {timeout: {type: number, default: 30}}}
`,
  ),
  import_pdf: yaml("import.pdf", `match: ["*.pdf"]\nmedia_types: [application/pdf]\n`),
  import_text: yaml("import.text", "media_types: [text/*]\n"),
  export_book: yaml("export.book", "formats: [ebook]\n"),
  broken: yaml("import.broken", "colour: red\n"),
};

export async function withWorld(
  work: (world: World) => Promise<void>,
  setup: (world: World) => Promise<Partial<PluginsOptions> | void> = () => Promise.resolve(),
): Promise<void> {
  const root = await Deno.realPath(await Deno.makeTempDir());
  const dataDir = join(root, "data");
  const builtinDir = join(root, "builtin");
  try {
    await Deno.mkdir(dataDir);
    await using sql = await openSqlite(join(dataDir, "library.db"), {
      migrationsDir: SQL_MIGRATIONS_DIR,
    });
    const reports: unknown[] = [];
    const ended: { current?: Plugins } = {};
    await using pool = createPool({
      deno: denoPath(),
      assets: SANDBOX_DIR,
      denoDirs: join(dataDir, "runners"),
      graceMs: 50,
      onEnd: (spec, end) => ended.current?.runnerEnded(spec, end),
    });
    const bundler = createBundler({
      cacheDir: join(dataDir, "bundles"),
      sdkDir: SDK_DIR,
      nodeModulesDir: NODE_MODULES_DIR,
    });
    const fetcher = createFetcher({ pool, bundler });
    const tempDir = join(root, "temp");
    await Deno.mkdir(tempDir);
    const plugin: World["plugin"] = async (folder, text, code = CODE) => {
      const path = join(root, folder);
      await Deno.mkdir(path, { recursive: true });
      await Deno.writeTextFile(join(path, "carrel.yaml"), text);
      await Deno.writeTextFile(join(path, "mod.ts"), code);
      return path;
    };
    for (const [name, text] of Object.entries(BUILTIN)) await plugin(`builtin/${name}`, text);
    await Deno.mkdir(join(builtinDir, "no_plugin"));
    const restart = async (options: Partial<PluginsOptions> = {}) => {
      const network = options.network ?? await createNetwork({ allowPrivate: ["127.0.0.1:8080"] });
      return ended.current = await createPlugins({
        sql,
        dataDir,
        builtinDir,
        bundler,
        network,
        fetch: (reference, { signal }) =>
          fetchPlugin(reference, { fetcher, network, tempDir, signal }),
        report: (error) => reports.push(error),
        ...options,
      });
    };
    const world = { root, dataDir, sql, pool, reports, restart, plugin };
    const options = await setup(world as unknown as World);
    await using plugins = await restart(options ?? {});
    await work({ ...world, plugins });
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

/** Installs what has to be asked about. */
export async function offered(plugins: Plugins, reference: string): Promise<Consent> {
  const { consent } = await plugins.install(reference);
  assert.ok(consent, `"${reference}" needed no consent`);
  return consent;
}

export const failsWith = (code: ErrorCode, words: RegExp) => (error: CarrelError) => {
  assert.equal(error.code, code, error.message);
  assert.match(error.message, words);
  return true;
};

export const exists = (path: string) => Deno.lstat(path).then(() => true, () => false);
export const ids = (plugins: readonly { id: string }[]) => plugins.map(({ id }) => id);
