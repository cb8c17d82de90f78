/** Finds the host to talk to: one that runs elsewhere, one that runs on the data folder, or one started here. */
import { join, resolve } from "node:path";
import { type Client, createClient } from "./client.ts";
import { configDir, dataDir, dataDirError } from "./data_dir.ts";
import { CliError, EXIT } from "./errors.ts";
import type { RunningHost } from "../host_contract.ts";
import type { Io } from "./io.ts";

export interface ConnectOptions {
  readonly url?: string | undefined;
  readonly tokenFile?: string | undefined;
  readonly data?: string | undefined;
  /** The configuration folder of a host that is started here. */
  readonly config?: string | undefined;
  /** Whether to be the host when there is none. @default true */
  readonly start?: boolean | undefined;
  readonly log?: ((line: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How long to wait for a host that is just starting or ending, milliseconds. @default 10000 */
  readonly patienceMs?: number | undefined;
}

export interface Connection extends AsyncDisposable {
  readonly client: Client;
  /** The host, when this process is it: its jobs end with this process. */
  readonly own: RunningHost | undefined;
  /** Undefined for a host that was named by its address. */
  readonly dataDir: string | undefined;
}

async function remote(io: Io, options: ConnectOptions): Promise<Connection> {
  let url: URL;
  try {
    url = new URL(options.url!);
    if (!/^https?:$/.test(url.protocol)) throw new TypeError("only http and https are understood");
  } catch (cause) {
    throw new CliError("usage", `Cannot use "${options.url}" as the address of a server.`, {
      exit: EXIT.usage,
      cause,
      hint: "For example: --url http://127.0.0.1:7420",
    });
  }
  let token = io.env("CARREL_TOKEN");
  if (options.tokenFile !== undefined) {
    token = await Deno.readTextFile(resolve(io.cwd, options.tokenFile)).catch((cause) => {
      throw new CliError("usage", `Cannot read the token file "${options.tokenFile}".`, {
        exit: EXIT.usage,
        cause,
        hint: "Give a file that holds the token and nothing else.",
      });
    });
  }
  const client = createClient({ url: url.origin, token: token?.trim() || undefined });
  await client.healthz(options.signal);
  return { client, own: undefined, dataDir: undefined, [Symbol.asyncDispose]: async () => {} };
}

/** The host of `host.json`, if it answers. */
async function running(folder: string): Promise<Client | undefined> {
  const { readHostFile } = await import("../host_file.ts");
  const file = await readHostFile(folder);
  if (file === undefined) return undefined;
  const client = createClient({
    url: file.url,
    token: file.token,
    renew: () => readHostFile(folder),
  });
  try {
    await client.healthz(AbortSignal.timeout(2000));
    return client;
  } catch {
    return undefined;
  }
}

/**
 * Connects. The lock of the data folder says whether a host runs there: `host.json` may be a dead one's. Throws
 * `unreachable` (exit 4) when a process holds the folder and does not answer.
 */
export async function connect(io: Io, options: ConnectOptions): Promise<Connection> {
  if (options.url !== undefined) return await remote(io, options);
  const folder = dataDir({ flag: options.data, env: io.env, os: io.os, cwd: io.cwd });
  const deadline = io.now() + (options.patienceMs ?? 10_000);
  while (true) {
    const lock = await io.tryLock(folder).catch((error) => {
      throw dataDirError(folder, error);
    });
    if (lock === undefined) {
      const client = await running(folder);
      if (client) {
        return { client, own: undefined, dataDir: folder, [Symbol.asyncDispose]: async () => {} };
      }
    } else {
      // Given back at once: the host takes it for itself. Who comes between is met as a running host.
      lock[Symbol.dispose]();
      if (options.start === false) throw noHost(folder);
      const own = await startOwn(io, folder, options);
      if (own) {
        const client = createClient({ url: own.url, token: own.token });
        return { client, own, dataDir: folder, [Symbol.asyncDispose]: () => own.shutdown() };
      }
    }
    if (io.now() >= deadline || options.signal?.aborted) throw await stuck(folder);
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function startOwn(
  io: Io,
  folder: string,
  { config, log }: Pick<ConnectOptions, "config" | "log">,
): Promise<RunningHost | undefined> {
  const named = configDir({ flag: config, env: io.env, cwd: io.cwd });
  try {
    return await io.startHost({
      dataDir: folder,
      configDir: named,
      hostname: "127.0.0.1",
      port: 0,
      log,
    });
  } catch (error) {
    if ((error as { code?: unknown })?.code === "locked") return undefined;
    throw dataDirError(folder, error);
  }
}

function noHost(folder: string): CliError {
  return new CliError("unreachable", `Cannot find a server on the data folder "${folder}".`, {
    exit: EXIT.unreachable,
    hint: "Start one: carrel serve",
  });
}

async function stuck(folder: string): Promise<CliError> {
  const { readHostFile } = await import("../host_file.ts");
  const file = await readHostFile(folder);
  return new CliError(
    "locked",
    `Cannot use the data folder "${folder}": another process holds it and does not answer.`,
    {
      exit: EXIT.unreachable,
      hint: file === undefined
        ? `It may be starting; if it hangs, end the process that holds ${join(folder, "lock")}.`
        : `Look at process ${file.pid} (${file.url}), and end it if it hangs: kill ${file.pid}`,
    },
  );
}
