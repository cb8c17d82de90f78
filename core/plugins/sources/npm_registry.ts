/** Which npm registry this machine uses. The program itself knows none. */
import { join } from "node:path";
import { CarrelError } from "../../errors.ts";

export interface NpmRegistryOptions {
  /** The package, whose scope may have a registry of its own. */
  readonly name: string;
  /** @default the process's environment */
  readonly env?: ((name: string) => string | undefined) | undefined;
}

/**
 * The registry's address as npm itself would find it: the scope's line in the user's `.npmrc`,
 * `NPM_CONFIG_REGISTRY`, and the `registry` line there. Throws `invalid_config` that says what to set.
 */
export async function findNpmRegistry(options: NpmRegistryOptions): Promise<string> {
  const env = options.env ?? ((name) => Deno.env.get(name));
  const npmrc = await readNpmrc(env);
  const scope = /^@[^/]+/.exec(options.name)?.[0];
  const found = (scope === undefined ? undefined : npmrc(`${scope}:registry`)) ||
    env("NPM_CONFIG_REGISTRY") || env("npm_config_registry") || npmrc("registry");
  if (!found) {
    throw new CarrelError(
      "invalid_config",
      `Cannot find "${options.name}": no npm registry is set. Set NPM_CONFIG_REGISTRY to its address, or put a line registry=https://… into ~/.npmrc.`,
    );
  }
  return checkedRegistry(found);
}

export function checkedRegistry(address: string): string {
  try {
    const url = new URL(address);
    if (/^https?:$/.test(url.protocol) && url.username === "" && url.password === "") {
      return url.href;
    }
  } catch {
    // Said below, without the address: it may carry a password.
  }
  throw new CarrelError(
    "invalid_config",
    "Cannot use the npm registry that is set: expected an http(s) URL without user name and password.",
  );
}

async function readNpmrc(
  env: (name: string) => string | undefined,
): Promise<(key: string) => string | undefined> {
  const home = env("HOME");
  const path = env("NPM_CONFIG_USERCONFIG") ?? env("npm_config_userconfig") ??
    (home === undefined ? undefined : join(home, ".npmrc"));
  const text = path === undefined ? "" : await Deno.readTextFile(path).catch(() => "");
  return (key) => {
    for (const line of text.split(/\r?\n/)) {
      const equals = line.indexOf("=");
      if (equals < 0 || line.slice(0, equals).trim() !== key) continue;
      const value = line.slice(equals + 1).trim().replace(/^(["'])(.*)\1$/, "$2");
      return value.replace(/\$\{([^}]+)\}/g, (_, name) => env(name) ?? "");
    }
    return undefined;
  };
}
