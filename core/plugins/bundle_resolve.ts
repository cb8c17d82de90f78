/**
 * Which files go into a bundle. esbuild inlines whatever it can read, so every path is resolved and every
 * file read here, inside the folders that are allowed, and nowhere else: no symlink, no absolute path, no
 * way up, no `tsconfig.json`, no remote module.
 */
import {
  basename,
  dirname,
  extname,
  isAbsolute,
  join,
  normalize,
  posix,
  relative,
  sep,
} from "node:path";
import { builtinModules } from "node:module";
import type {
  Loader,
  OnLoadResult,
  OnResolveResult,
  Plugin as EsbuildPlugin,
  PluginBuild,
} from "esbuild";

/** The longest single file, bytes, and what all of them may come to. */
export const MAX_FILE_BYTES = 48 * 1024 * 1024;
export const MAX_TOTAL_BYTES = 192 * 1024 * 1024;

/** A file that went into a bundle. */
export interface BundleInput {
  /** Absolute. */
  readonly path: string;
  readonly bytes: Uint8Array;
}

export interface ConfinedOptions {
  /** The plugin's folder, real path. */
  readonly folder: string;
  /** What `@carrel/sdk` stands for, real path. */
  readonly sdkDir: string;
  /** Where bare imports are looked up; undefined: nowhere. Real path. */
  readonly nodeModulesDir: string | undefined;
  /** Told of each file of the plugin and the SDK that is read. */
  readonly onInput: (input: BundleInput) => void;
  /** Told of each npm package that the plugin's own files import. */
  readonly onPackage: (name: string) => void;
}

const LOADERS: Readonly<Record<string, Loader>> = {
  ".ts": "ts",
  ".mts": "ts",
  ".tsx": "tsx",
  ".js": "js",
  ".mjs": "js",
  ".jsx": "jsx",
  ".json": "json",
  ".txt": "text",
  ".md": "text",
  ".html": "text",
  ".xhtml": "text",
  ".xml": "text",
  ".css": "text",
  ".svg": "text",
  ".csv": "text",
  ".wasm": "binary",
  ".ttf": "binary",
  ".otf": "binary",
  ".woff": "binary",
  ".woff2": "binary",
  ".png": "binary",
  ".jpg": "binary",
  ".jpeg": "binary",
  ".gif": "binary",
  ".webp": "binary",
  ".gz": "binary",
  ".zip": "binary",
  ".bin": "binary",
};

/** For the packages that esbuild itself loads. */
export const PACKAGE_LOADERS: Readonly<Record<string, Loader>> = {
  ".wasm": "binary",
  ".ttf": "binary",
};

/** What a path without an extension may stand for, in order. */
const CANDIDATES = ["", ".ts", ".tsx", ".js", ".mjs", ".json", "/index.ts", "/index.js", "/mod.ts"];

const PLUGIN = "plugin";
const SDK = "sdk";
const NATIVE = { native: true };

/** The esbuild plugin that keeps a bundle inside its folders. */
export function confined(options: ConfinedOptions): EsbuildPlugin {
  const roots: Readonly<Record<string, string>> = {
    [PLUGIN]: options.folder,
    [SDK]: options.sdkDir,
  };
  let total = 0;

  async function resolveInside(
    namespace: string,
    importer: string,
    specifier: string,
  ): Promise<OnResolveResult> {
    const root = roots[namespace]!;
    const path = normalize(join(dirname(importer), specifier));
    if (path === ".." || path.startsWith(`..${sep}`) || isAbsolute(path)) {
      return refuse(`"${specifier}" leads out of the plugin's folder`);
    }
    for (const candidate of CANDIDATES) {
      const found = await regularFile(root, path + candidate);
      if (found === "symlink") {
        return refuse(
          `"${specifier}" is or lies behind a symbolic link, which a plugin may not hold`,
        );
      }
      if (found === "file") {
        return { path: (path + candidate).replaceAll(sep, posix.sep), namespace };
      }
    }
    return refuse(`there is no file "${specifier}"`);
  }

  async function load(
    namespace: string,
    path: string,
    attributes: Record<string, string>,
  ): Promise<OnLoadResult> {
    const loader = loaderOf(path, attributes);
    if (loader === undefined) {
      const known = Object.keys(LOADERS).join(" ");
      return { errors: [{ text: `cannot import "${path}": expected one of ${known}` }] };
    }
    const root = roots[namespace]!;
    // Looked at again: between the two looks a file may have become a link.
    if (await regularFile(root, path) !== "file") {
      return { errors: [{ text: `"${path}" is not a regular file` }] };
    }
    const full = join(root, path);
    const { size } = await Deno.lstat(full);
    total += size;
    if (size > MAX_FILE_BYTES || total > MAX_TOTAL_BYTES) {
      const [most, of] = size > MAX_FILE_BYTES
        ? [MAX_FILE_BYTES, "a file"]
        : [MAX_TOTAL_BYTES, "a plugin"];
      return {
        errors: [{ text: `"${path}" is too large: ${of} may have ${most / 1024 / 1024} MiB` }],
      };
    }
    const bytes = await Deno.readFile(full);
    options.onInput({ path: full, bytes });
    return { contents: bytes, loader };
  }

  function resolvePackage(
    build: PluginBuild,
    specifier: string,
    kind: "import-statement" | "dynamic-import",
  ) {
    const { nodeModulesDir } = options;
    if (nodeModulesDir === undefined) {
      return refuse(
        `"${specifier}" is not a file of the plugin: copy the module into the folder and import it by a relative path`,
      );
    }
    options.onPackage(packageName(specifier));
    return resolveNative(build, specifier, { kind, resolveDir: dirname(nodeModulesDir) });
  }

  /** Lets esbuild resolve, then makes sure that it stayed among the packages. */
  async function resolveNative(
    build: PluginBuild,
    specifier: string,
    where: Parameters<PluginBuild["resolve"]>[1],
  ): Promise<OnResolveResult | undefined> {
    const { nodeModulesDir } = options;
    const result = await build.resolve(specifier, {
      ...where,
      namespace: "file",
      pluginData: NATIVE,
    });
    if (result.errors.length > 0 || nodeModulesDir === undefined) {
      if (isBuiltin(specifier)) return { path: `node:${specifier}`, external: true };
      // A package may try to `require` what is not there and go on without; esbuild knows when.
      return where?.importer === undefined
        ? refuse(`there is no package "${specifier}"`)
        : undefined;
    }
    if (result.external || result.namespace === "(disabled)" || result.namespace !== "file") {
      return { path: result.path, external: result.external, namespace: result.namespace };
    }
    if (!result.path.startsWith(nodeModulesDir + sep)) {
      return refuse(`"${specifier}" leads out of the packages`);
    }
    return {
      path: result.path,
      namespace: "file",
      sideEffects: result.sideEffects,
      suffix: result.suffix,
    };
  }

  return {
    name: "confined",
    setup(build) {
      build.onResolve({ filter: /.*/ }, async (args) => {
        if (args.pluginData === NATIVE) return undefined;
        const { path: specifier, kind, importer, namespace } = args;
        if (kind === "entry-point") return await resolveInside(PLUGIN, "", specifier);
        if (specifier.startsWith("node:")) return { path: specifier, external: true };
        if (namespace === "file" || namespace === "(disabled)") {
          return await resolveNative(build, specifier, {
            importer,
            kind,
            resolveDir: args.resolveDir,
          });
        }
        if (roots[namespace] === undefined) return refuse(`cannot import from ${namespace}`);
        if (/^\.\.?(\/|$)/.test(specifier)) {
          return await resolveInside(namespace, importer, specifier);
        }
        if (specifier === "@carrel/sdk") return await resolveInside(SDK, "", "./mod.ts");
        if (specifier.startsWith("/") || /^[a-z][a-z0-9+.-]*:/i.test(specifier)) {
          return refuse(`"${specifier}" is neither a relative path nor a package`);
        }
        if (namespace === PLUGIN && options.nodeModulesDir !== undefined) {
          const how = kind === "dynamic-import" ? kind : "import-statement";
          return await resolvePackage(build, specifier, how);
        }
        if (isBuiltin(specifier)) return { path: `node:${specifier}`, external: true };
        return await resolvePackage(build, specifier, "import-statement");
      });
      for (const namespace of Object.keys(roots)) {
        build.onLoad(
          { filter: /.*/, namespace },
          (args) => load(namespace, args.path, args.with),
        );
      }
      // Whatever esbuild would read by itself lies among the packages, or is not read.
      build.onLoad({ filter: /.*/, namespace: "file" }, async (args) => {
        const { nodeModulesDir } = options;
        const real = await Deno.realPath(args.path);
        if (nodeModulesDir !== undefined && real.startsWith(nodeModulesDir + sep)) return undefined;
        return { errors: [{ text: `"${basename(args.path)}" is not a file of the plugin` }] };
      });
    },
  };
}

function refuse(text: string): OnResolveResult {
  return { errors: [{ text }] };
}

/** Whether `path` below `root` is a regular file reached without any symbolic link. */
async function regularFile(root: string, path: string): Promise<"file" | "symlink" | "none"> {
  let current = root;
  const parts = relative(root, join(root, path)).split(sep);
  for (const [i, part] of parts.entries()) {
    current = join(current, part);
    let info: Deno.FileInfo;
    try {
      info = await Deno.lstat(current);
    } catch {
      return "none";
    }
    if (info.isSymlink) return "symlink";
    if (i < parts.length - 1 ? !info.isDirectory : !info.isFile) return "none";
  }
  return "file";
}

function loaderOf(path: string, attributes: Record<string, string>): Loader | undefined {
  switch (attributes.type) {
    case "text":
      return "text";
    case "bytes":
      return "binary";
    case "json":
      return "json";
    case undefined:
      return LOADERS[extname(path).toLowerCase()];
    default:
      return undefined;
  }
}

function isBuiltin(specifier: string): boolean {
  return builtinModules.includes(specifier);
}

/** `@scope/name` or `name` of a bare specifier. */
function packageName(specifier: string): string {
  const parts = specifier.split("/");
  return specifier.startsWith("@") ? parts.slice(0, 2).join("/") : parts[0]!;
}
