/**
 * What an author asks before publishing: would it install, and what would people be asked? The same steps as an
 * install, up to the question; nothing of the plugin runs, and nothing is written into its folder.
 */
import { join } from "node:path";
import { BUILTIN_PLUGINS_DIR, NODE_MODULES_DIR, SDK_DIR, VERSION } from "../assets.ts";
import { CarrelError } from "../errors.ts";
import type { Network } from "../network/private.ts";
import { type Bundle, createBundler } from "./bundle.ts";
import { checkConfigSchema, resolveConfig } from "./config.ts";
import { dangerousCombinations, permissionRequests } from "./consent.ts";
import { declaredGrants } from "./grants.ts";
import {
  type HostLimits,
  hostLimits,
  type LimitRequest,
  limitRequests,
  limitsOf,
} from "./limits.ts";
import { LOCK_FILE, parseLock, SIGNATURE_FILE, verifyLock } from "./lock_file.ts";
import { type Manifest, MANIFEST_FILE, parseManifest } from "./manifest.ts";
import { findPlaces } from "./places.ts";
import type { PermissionRequest } from "./plugins.ts";
import { readBuiltins } from "./registry.ts";
import { parseSignature, verifySignature } from "./signature.ts";
import { removeFolder, writeFolder } from "./sources/folder.ts";
import { type LockedFolder, lockFolder } from "./sources/lock_folder.ts";
import { type Take, takesOf } from "./takes.ts";

/** One thing that keeps a plugin from being installed. */
export interface ValidationProblem {
  /** In the plugin's folder, where it is known. */
  readonly file?: string | undefined;
  /** From 1. */
  readonly line?: number | undefined;
  /** `permissions.net[0].value` */
  readonly field?: string | undefined;
  readonly message: string;
}

export interface Validation {
  /** None: it can be installed. */
  readonly problems: readonly ValidationProblem[];
  /** Undefined when the manifest cannot be read. */
  readonly manifest?: Manifest | undefined;
  readonly bundle?: Pick<Bundle, "digest" | "size"> | undefined;
  /** The key of the signature in the folder, if it fits. */
  readonly signedBy?: string | undefined;
  /** What consent would ask about, and its warnings if all were granted. */
  readonly permissions: readonly PermissionRequest[];
  readonly warnings: readonly string[];
  /** What it is handed without a permission. */
  readonly takes: readonly Take[];
  /** What it asks for above the default of this machine. */
  readonly limitRequests: readonly LimitRequest[];
}

export interface ValidateOptions {
  readonly network: Pick<Network, "destination" | "privateGrant">;
  /** What plugins get here. @default Carrel's own */
  readonly limits?: HostLimits | undefined;
  /** Where the built-in plugins are, whose ids cannot be taken. @default this program's */
  readonly builtinDir?: string | undefined;
}

/** Throws only what is no fault of the plugin, such as `unavailable` when the bundler was stopped. */
export async function validatePlugin(
  folder: string,
  options: ValidateOptions,
): Promise<Validation> {
  const problems: ValidationProblem[] = [];
  const attempt = async <T>(work: () => T | Promise<T>): Promise<T | undefined> => {
    try {
      return await work();
    } catch (error) {
      if (!isOfPlugin(error)) throw error;
      problems.push(...problemsOf(error));
    }
  };
  const locked = await attempt(() => lockFolder(folder));
  if (locked === undefined) {
    return { problems, permissions: [], warnings: [], takes: [], limitRequests: [] };
  }
  const { manifest } = locked;
  await attempt(() => {
    const yaml = locked.files.find(({ path }) => path === MANIFEST_FILE)!;
    parseManifest(new TextDecoder().decode(yaml.bytes), { hostVersion: VERSION });
    checkConfigSchema(manifest);
  });
  const builtins = await readBuiltins(options.builtinDir ?? BUILTIN_PLUGINS_DIR, {
    hostVersion: VERSION,
    // They are not what is asked about.
    report: () => {},
  });
  if (builtins.some((builtin) => builtin.manifest.id === manifest.id)) {
    const message = `a built-in plugin has the id "${manifest.id}"; choose another one`;
    problems.push({ file: MANIFEST_FILE, field: "id", message });
  }
  const limits = options.limits ?? hostLimits();
  const asked = manifest.permissions.limits;
  const signedBy = await attempt(() => signerOf(folder, locked));
  const bundle = await attempt(() => bundled(locked));
  const places = await attempt(() =>
    findPlaces(manifest, resolveConfig(manifest, {}), options.network)
  );
  return {
    problems,
    manifest,
    bundle,
    signedBy,
    permissions: permissionRequests(manifest, [], { builtin: false, places }),
    warnings: dangerousCombinations(declaredGrants(manifest)),
    takes: takesOf(manifest),
    limitRequests: limitRequests(asked, limits, limitsOf(asked, limits)),
  };
}

/** Bundles what an install would get: no hidden file, no package, nothing from beside the folder. */
async function bundled({ manifest, files }: LockedFolder): Promise<Bundle> {
  const temp = await Deno.realPath(await Deno.makeTempDir({ prefix: "carrel-validate-" }));
  try {
    const bundler = createBundler({
      cacheDir: join(temp, "bundles"),
      sdkDir: SDK_DIR,
      nodeModulesDir: NODE_MODULES_DIR,
    });
    const copy = await writeFolder(temp, files);
    return await bundler.bundle(copy, { entry: manifest.entry, packages: false });
  } finally {
    await removeFolder(temp);
  }
}

/** Throws `damaged` for a lock or a signature that does not fit the files any more. */
async function signerOf(
  folder: string,
  { lock, found }: LockedFolder,
): Promise<string | undefined> {
  if (found.lock !== undefined) verifyLock(parseLock(found.lock), lock.files, folder);
  if (found.signature === undefined) return undefined;
  const verified = await verifySignature(lock, parseSignature(found.signature, SIGNATURE_FILE), []);
  if (!verified.verified && verified.why === "broken") {
    throw new CarrelError("damaged", `${verified.reason} Sign the plugin again.`, {
      details: { file: found.lock === undefined ? SIGNATURE_FILE : LOCK_FILE },
    });
  }
  return verified.key;
}

function isOfPlugin(error: unknown): error is CarrelError {
  return error instanceof CarrelError &&
    ["invalid_manifest", "invalid_config", "damaged", "too_large"].includes(error.code);
}

/** One for each thing that is wrong, with its place where that is known. */
function problemsOf(error: CarrelError): readonly ValidationProblem[] {
  const errors = error.details?.["errors"];
  const list: readonly unknown[] = Array.isArray(errors) ? errors : [];
  const found = list.map(problemOf).filter((one) => one !== undefined);
  if (found.length > 0) return found;
  const file = error.details?.["file"];
  return [{ ...(typeof file === "string" ? { file } : {}), message: error.message }];
}

/** From `{file, line, field, message}` of a YAML file, or from the bundler's `mod.ts:3: there is no file "./x.ts"`. */
function problemOf(error: unknown): ValidationProblem | undefined {
  if (typeof error === "string") {
    const [, file, line, message] = /^([^:\n]+):(\d+): ([\s\S]+)$/.exec(error) ?? [];
    return message === undefined ? { message: error } : { file, line: Number(line), message };
  }
  const { file, line, field, message } = error as Readonly<Record<string, unknown>>;
  if (typeof message !== "string") return undefined;
  return {
    ...(typeof file === "string" ? { file } : {}),
    ...(typeof line === "number" ? { line } : {}),
    ...(typeof field === "string" && field !== "" ? { field } : {}),
    message,
  };
}
