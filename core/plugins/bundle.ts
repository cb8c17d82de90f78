/** Makes one self-contained ES module of a plugin's folder, named by its SHA-256. */
import { dirname, join, relative } from "node:path";
import type { BuildFailure, BuildResult, Message } from "esbuild";
import { CarrelError } from "../errors.ts";
import {
  bundlePath,
  type CacheInput,
  freshRecord,
  sha256,
  writeAtomically,
  writeRecord,
} from "./bundle_cache.ts";
import { confined, PACKAGE_LOADERS } from "./bundle_resolve.ts";

export interface Bundle {
  /** SHA-256 of the bundle, hex. */
  readonly digest: string;
  /** The bundle's file, absolute. */
  readonly path: string;
  /** Bytes. */
  readonly size: number;
  /** The files that went into it, absolute. */
  readonly inputs: readonly string[];
}

export interface BundleOptions {
  /** The entry module, relative to the folder. */
  readonly entry: string;
  /** Whether bare imports may be taken from the program's own packages: built-in plugins only. */
  readonly packages: boolean;
}

export interface Bundler {
  /**
   * Bundles a folder, or takes the bundle of the last time when nothing changed. Only files inside the
   * folder get in. Throws `CarrelError` `invalid_manifest` that names file and line; `unavailable`, which a
   * retry can help, when the bundler's process was ended from outside, as by Ctrl-C. A second time in a row it is
   * `invalid_manifest`: then it is the plugin that ends it.
   */
  bundle(folder: string, options: BundleOptions): Promise<Bundle>;
}

export interface BundlerOptions {
  /** Bundles and records are kept here; made if it is missing. */
  readonly cacheDir: string;
  /** What `@carrel/sdk` stands for. */
  readonly sdkDir: string;
  /** The program's npm packages, for built-in plugins. */
  readonly nodeModulesDir?: string | undefined;
}

/** Largest bundle, bytes. */
const MAX_BUNDLE_BYTES = 256 * 1024 * 1024;

/** Largest file of code, bytes; data may be larger. */
const MAX_CODE_BYTES = 5 * 1024 * 1024;
const CODE = /\.([mc]?[jt]sx?|json)$/i;

/** How deep brackets may be nested in code: from a hundred thousand on, esbuild takes a gigabyte and dies. */
const MAX_NESTING = 10_000;

/** Changes whenever a bundle made with the same files would come out otherwise. */
const RECIPE = "esbuild 0.28, recipe 1";

export function createBundler(options: BundlerOptions): Bundler {
  const inFlight = new Map<string, Promise<Bundle>>();
  /** Folders that were being bundled when the bundler's process ended. */
  const suspects = new Set<string>();

  async function bundle(given: string, how: BundleOptions): Promise<Bundle> {
    const folder = await realFolder(given);
    const key = await sha256(
      JSON.stringify([RECIPE, folder, how.entry, how.packages, options.sdkDir]),
    );
    const running = inFlight.get(key);
    if (running !== undefined) return await running;
    const work = cachedOrBuilt(folder, how, key);
    inFlight.set(key, work);
    try {
      return await work;
    } finally {
      inFlight.delete(key);
    }
  }

  async function cachedOrBuilt(folder: string, how: BundleOptions, key: string): Promise<Bundle> {
    const record = await freshRecord(options.cacheDir, key);
    if (record !== undefined) {
      return {
        digest: record.digest,
        path: bundlePath(options.cacheDir, record.digest),
        size: record.size,
        inputs: record.inputs.map(({ path }) => path),
      };
    }
    return await build(folder, how, key);
  }

  async function build(folder: string, how: BundleOptions, key: string): Promise<Bundle> {
    await Deno.mkdir(options.cacheDir, { recursive: true, mode: 0o700 });
    const nodeModulesDir = how.packages && options.nodeModulesDir !== undefined
      ? await Deno.realPath(options.nodeModulesDir)
      : undefined;
    const own: { path: string; bytes: Uint8Array }[] = [];
    const packages = new Set<string>();
    const result = await runEsbuild({
      folder,
      sdkDir: await Deno.realPath(options.sdkDir),
      nodeModulesDir,
      entry: how.entry,
      onInput: (input) => {
        checkCode(folder, input.path, input.bytes);
        own.push(input);
      },
      onPackage: (name) => packages.add(name),
    }).catch((error) => {
      throw stoppedTwice(folder, key, error);
    });
    suspects.delete(key);
    const [output, ...others] = result.outputFiles;
    if (
      output === undefined || others.length > 0 || output.contents.byteLength > MAX_BUNDLE_BYTES
    ) {
      throw new CarrelError("invalid_manifest", `Cannot bundle "${folder}": it is too large.`);
    }
    const [meta] = Object.values(result.metafile.outputs);
    if (!meta?.exports.includes("default")) {
      throw new CarrelError(
        "invalid_manifest",
        `Cannot bundle "${folder}": ${how.entry}:1: expected a default export, such as "export default definePlugin.import({ … })".`,
      );
    }
    const bytes = output.contents;
    const digest = await sha256(bytes);
    const path = bundlePath(options.cacheDir, digest);
    await writeAtomically(path, bytes);
    // What esbuild read by itself: files of npm packages, named from the working folder.
    const foreign = Object.keys(result.metafile.inputs)
      .filter((name) => !/^(plugin|sdk|\(disabled\)):/.test(name))
      .map((name) => join(workingDir(folder, nodeModulesDir), name));
    const inputs = await Promise.all([
      ...own.map((input) => inputOf(input.path, input.bytes)),
      ...foreign.map(async (file) => inputOf(file, await Deno.readFile(file))),
    ]);
    const links = nodeModulesDir === undefined ? [] : await Promise.all(
      [...packages].map(async (name) => {
        const link = join(nodeModulesDir, name);
        return { path: link, real: await Deno.realPath(link).catch(() => link) };
      }),
    );
    await writeRecord(options.cacheDir, key, {
      digest,
      size: bytes.byteLength,
      inputs,
      packages: links,
    });
    return { digest, path, size: bytes.byteLength, inputs: inputs.map((input) => input.path) };
  }

  /** A process that ends once was ended by someone; the same plugin twice, by what it is made of. */
  function stoppedTwice(folder: string, key: string, error: unknown): unknown {
    const stopped = error instanceof CarrelError && error.code === "unavailable";
    if (!stopped) return error;
    if (!suspects.has(key)) {
      suspects.add(key);
      return error;
    }
    const why = "the bundler ended over it twice; its code is nested too deep or too large";
    return new CarrelError("invalid_manifest", `Cannot bundle "${folder}": ${why}.`, {
      cause: error,
    });
  }

  return { bundle };
}

/** Throws what esbuild shows as an error of the build: code that it would not get through. */
function checkCode(folder: string, path: string, bytes: Uint8Array): void {
  if (!CODE.test(path)) return;
  const name = relative(folder, path);
  if (bytes.byteLength > MAX_CODE_BYTES) {
    const most = MAX_CODE_BYTES / 1024 / 1024;
    throw new Error(`"${name}" is too large: a file of code may have ${most} MiB`);
  }
  if (nestsTooDeep(bytes)) {
    throw new Error(`"${name}" is nested too deep: brackets may be ${MAX_NESTING} levels deep`);
  }
}

/** Brackets in texts and comments count too: of those, no file has that many more that open than close. */
function nestsTooDeep(bytes: Uint8Array): boolean {
  let depth = 0;
  for (const byte of bytes) {
    // ( [ { and ) ] }
    if (byte === 0x28 || byte === 0x5b || byte === 0x7b) depth++;
    else if (byte === 0x29 || byte === 0x5d || byte === 0x7d) depth = Math.max(0, depth - 1);
    if (depth > MAX_NESTING) return true;
  }
  return false;
}

async function realFolder(folder: string): Promise<string> {
  try {
    const path = await Deno.realPath(folder);
    if ((await Deno.stat(path)).isDirectory) return path;
  } catch {
    // Said below.
  }
  throw new CarrelError("invalid_manifest", `Cannot bundle "${folder}": there is no such folder.`);
}

async function inputOf(path: string, bytes: Uint8Array): Promise<CacheInput> {
  const { mtime } = await Deno.lstat(path);
  return {
    path,
    size: bytes.byteLength,
    mtime_ms: mtime?.getTime() ?? 0,
    sha256: await sha256(bytes),
  };
}

/** Names of files are relative to it, and some stand in the bundle: its digest must not tell of the machine. */
function workingDir(folder: string, nodeModulesDir: string | undefined): string {
  return nodeModulesDir === undefined ? folder : dirname(nodeModulesDir);
}

type Built = BuildResult<{ write: false; metafile: true }>;

let builds = 0;

/**
 * One run of esbuild. Its module is loaded by the first bundle, and its child process ends with the last
 * run of several: neither counts while the host is idle.
 */
async function runEsbuild(
  options: Parameters<typeof confined>[0] & { readonly entry: string },
): Promise<Built> {
  const esbuild = await import("esbuild");
  builds++;
  try {
    return await esbuild.build({
      absWorkingDir: workingDir(options.folder, options.nodeModulesDir),
      entryPoints: [`./${options.entry}`],
      bundle: true,
      write: false,
      outfile: "/bundle.js",
      metafile: true,
      format: "esm",
      platform: "browser",
      target: "es2022",
      charset: "utf8",
      // Names stay, so that stacks can be read; the rest is made small, because a plugin's start is
      // mostly the parsing of its text.
      minifySyntax: true,
      minifyWhitespace: true,
      legalComments: "eof",
      define: { "process.env.NODE_ENV": '"production"' },
      loader: { ...PACKAGE_LOADERS },
      tsconfigRaw: {},
      logLevel: "silent",
      plugins: [confined(options)],
    });
  } catch (error) {
    throw bundleError(options.folder, error);
  } finally {
    if (--builds === 0) await esbuild.stop();
  }
}

/** What esbuild says when its process is gone. */
const STOPPED = /The service (was stopped|is no longer running)/;

function bundleError(folder: string, error: unknown): unknown {
  if (error instanceof Error && STOPPED.test(error.message)) {
    const why = "the bundler was stopped";
    return new CarrelError("unavailable", `Cannot bundle "${folder}": ${why}.`, {
      cause: error,
      retryable: true,
    });
  }
  if (!isBuildFailure(error)) return error;
  const lines = error.errors.slice(0, 10).map(messageLine);
  const list = lines.length === 1 ? ` ${lines[0]}` : lines.map((line) => `\n  ${line}`).join("");
  return new CarrelError("invalid_manifest", `Cannot bundle "${folder}":${list}`, {
    cause: error,
    details: { errors: lines },
  });
}

function isBuildFailure(error: unknown): error is BuildFailure {
  return error instanceof Error && Array.isArray((error as Partial<BuildFailure>).errors);
}

/** `mod.ts:3: there is no file "./x.ts"` */
function messageLine({ text, location }: Message): string {
  if (location === null) return text;
  return `${location.file.replace(/^(plugin|sdk):/, "")}:${location.line}: ${text}`;
}
