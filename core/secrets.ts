/**
 * Secrets: read where the operator keeps them, when a plugin is called, and handed to that plugin's guest. The
 * host stores none; it remembers the values that it has seen, to keep them out of what it writes.
 */
import { createRedactor } from "../sandbox/redact.ts";
import type { SecretSource } from "../sandbox/types.ts";
import { CarrelError } from "./errors.ts";
import { RESERVED_ENV } from "./plugins/manifest.ts";
import type { SecretReference } from "./plugins/config.ts";

/** Bytes of a file that holds a secret. */
const MAX_FILE = 64 * 1024;

export interface SecretsOptions {
  /** Folders whose files are nobody's secrets: the host's own. Absolute. */
  readonly closed: readonly string[];
  /** @default the process's */
  readonly env?: ((name: string) => string | undefined) | undefined;
}

export interface Secrets {
  /** For a runner of this plugin; undefined where nothing is to be had. */
  source(
    plugin: string,
    references: Readonly<Record<string, SecretReference>>,
  ): SecretSource | undefined;
  /** The text without any secret that was read so far. */
  mask(text: string): string;
}

export function createSecrets(options: SecretsOptions): Secrets {
  const env = options.env ?? ((name) => Deno.env.get(name));
  const seen = createRedactor();

  async function read(plugin: string, name: string, from: SecretReference): Promise<string> {
    const fail = (why: string) =>
      new CarrelError(
        "invalid_config",
        `Cannot read the secret "${name}" of the plugin "${plugin}": ${why}.`,
        { details: { plugin, field: name } },
      );
    if ("env" in from) {
      if (RESERVED_ENV.test(from.env)) {
        throw fail(`the environment variable ${from.env} belongs to the host`);
      }
      const value = env(from.env);
      if (value === undefined || value === "") {
        throw fail(`the environment variable ${from.env} is not set`);
      }
      return value;
    }
    const path = await Deno.realPath(from.file).catch(() => undefined);
    if (path === undefined) throw fail(`there is no file ${from.file}`);
    const closed = await Promise.all(
      options.closed.map((folder) => Deno.realPath(folder).catch(() => folder)),
    );
    if (closed.some((folder) => path === folder || path.startsWith(`${folder}/`))) {
      throw fail(`${from.file} is one of Carrel's own files`);
    }
    const info = await Deno.stat(path);
    if (!info.isFile || info.size > MAX_FILE) {
      throw fail(`${from.file} is no file of at most ${MAX_FILE / 1024} KiB`);
    }
    const value = await Deno.readTextFile(path).catch(() => "");
    const line = value.replace(/\r?\n$/, "");
    if (line === "") throw fail(`the file ${from.file} cannot be read, or is empty`);
    return line;
  }

  return {
    source(plugin, references) {
      const entries = Object.entries(references);
      if (entries.length === 0) return undefined;
      return {
        references,
        async resolve() {
          const values = Object.fromEntries(
            await Promise.all(
              entries.map(async ([name, from]) => [name, await read(plugin, name, from)] as const),
            ),
          );
          seen.add(Object.values(values));
          return values;
        },
      };
    },
    mask: seen.text,
  };
}
