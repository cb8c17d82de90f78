/** `carrel serve`: the server that stays. */
import { type Builder, gather, wholeNumber } from "../args.ts";
import { configDir, dataDir, dataDirError } from "../data_dir.ts";
import { CliError, EXIT } from "../errors.ts";
import { freeMemoryWhenIdle } from "../../idle_memory.ts";
import { firstToken } from "../session.ts";

interface ServeOptions {
  readonly data?: string;
  readonly config?: string;
  readonly host: string;
  readonly port: number;
  readonly allowPrivate?: string[];
  readonly safeMode?: boolean;
}

const LOOPBACK = /^(localhost|127(\.\d+){3}|::1|\[::1\])$/;

export function addServe({ program, action }: Builder): void {
  program.command("serve")
    .description("start the server and stay until Ctrl-C")
    .option("--host <address>", "listen on this address", "127.0.0.1")
    .option(
      "--port <number>",
      "listen on this port; 0 takes a free one",
      wholeNumber(0, 65535),
      7420,
    )
    .option(
      "--allow-private <host:port>",
      "let imports reach this private address (may be given several times)",
      gather,
    )
    .option("--safe-mode", "start with every plugin off that is not built in")
    .action(action(async (session, options: ServeOptions) => {
      const { io, style } = session;
      const folder = dataDir({ flag: options.data, env: io.env, os: io.os, cwd: io.cwd });
      await using host = await io.startHost({
        dataDir: folder,
        configDir: configDir({ flag: options.config, env: io.env, cwd: io.cwd }),
        hostname: options.host,
        port: options.port,
        allowPrivate: options.allowPrivate,
        safeMode: options.safeMode,
        log: (line) => session.note(line),
      }).catch(async (error) => {
        throw await startError(error, folder);
      });
      session.event({
        url: host.url,
        port: host.port,
        data: folder,
        admin_token: host.adminToken ?? null,
      });
      session.print(`${style.bold("Carrel")} listens on ${style.cyan(host.url)}`);
      session.print(`  ${style.dim("library")}  ${folder}`);
      session.print(`  ${style.dim("API")}      ${host.url}/api/docs`);
      if (host.adminToken !== undefined) session.print(firstToken(host.adminToken, style));
      else {
        session.print(
          `  ${style.dim("token")}    carrel token create --name me --role admin`,
        );
      }
      if (!LOOPBACK.test(options.host)) {
        session.note(
          style.yellow("! ") +
            "Other machines can reach this address: put a proxy with TLS before it, and keep tokens safe.",
        );
      }
      session.print(style.dim("Ctrl-C stops it."));
      // Not within startHost: a command that is its own host for a moment has no idle time.
      using _memory = freeMemoryWhenIdle();
      const interrupted = new Promise<void>((resolve) => {
        if (session.signal.aborted) resolve();
        session.signal.addEventListener("abort", () => resolve(), { once: true });
      });
      await Promise.race([interrupted, host.finished]);
      if (!session.signal.aborted) return EXIT.failed;
      session.note("Stopping …");
      await host.shutdown();
      session.note("Stopped.");
      // It was asked to end, and did: a service manager takes that for success.
      return EXIT.ok;
    }));
}

/** Why the server could not start, and what to do. */
async function startError(error: unknown, folder: string): Promise<unknown> {
  const { code, message } = error as { code?: unknown; message: string };
  if (code === "conflict") {
    return new CliError("conflict", message, {
      cause: error,
      hint: "Take a free port: carrel serve --port 0",
    });
  }
  if (code !== "locked") return dataDirError(folder, error);
  const { readHostFile } = await import("../../host_file.ts");
  const file = await readHostFile(folder);
  return new CliError(
    "locked",
    file === undefined
      ? `Cannot start on "${folder}": another process is just starting or ending there.`
      : `Cannot start on "${folder}": a server runs on it, process ${file.pid} at ${file.url}`,
    {
      cause: error,
      exit: EXIT.unreachable,
      hint: file === undefined
        ? "Try again in a moment."
        : `Every command talks to it by itself, for example: carrel doctor\nTo stop it: kill ${file.pid}`,
    },
  );
}
