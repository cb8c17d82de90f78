/** A PostgreSQL server of its own: in a temporary folder, on loopback, on a free port. */
import { join } from "node:path";

export interface PostgresServer extends AsyncDisposable {
  /** `postgres://…` of an empty database. */
  readonly url: string;
  readonly version: string;
  /** Stops and starts it on the same folder and port. */
  restart(): Promise<void>;
}

/** Where Debian, Fedora, Homebrew and Postgres.app put the programs, the newest first. */
async function programs(): Promise<string | undefined> {
  const places: string[] = [];
  for (const root of ["/usr/lib/postgresql", "/usr/local/lib/postgresql", "/opt/homebrew/opt"]) {
    try {
      for await (const { name } of Deno.readDir(root)) places.push(join(root, name, "bin"));
    } catch {
      // not there
    }
  }
  places.sort((a, b) => b.localeCompare(a, "en", { numeric: true }));
  for (const place of [...places, "/usr/bin", "/usr/local/bin"]) {
    if (await exists(join(place, "initdb")) && await exists(join(place, "postgres"))) return place;
  }
  return undefined;
}

/** Starts one; undefined where PostgreSQL is not installed. */
export async function startPostgres(): Promise<PostgresServer | undefined> {
  const bin = await programs();
  if (bin === undefined) return undefined;
  // It refuses to run as root: then as the user that its package made, else as nobody.
  const as = Deno.uid() === 0 ? await unprivileged() : {};
  const dir = await Deno.makeTempDir({ prefix: "carrel-postgres-" });
  if (as.uid !== undefined) await Deno.chown(dir, as.uid, as.gid ?? null);
  const data = join(dir, "data");
  await run(join(bin, "initdb"), ["-D", data, "-U", "carrel", "-A", "trust", "-E", "UTF8"], as);
  const port = freePort();
  let server = await start(bin, data, dir, port, as);
  const url = `postgres://carrel@127.0.0.1:${port}/postgres`;
  let stopped: Promise<void> | undefined;
  const stop = async () => {
    // SIGINT is its fast shutdown: clients are sent away, all is written.
    try {
      server.kill("SIGINT");
    } catch {
      // it has ended
    }
    await server.status;
  };
  return {
    url,
    version: /\d+(\.\d+)*/.exec(await run(join(bin, "postgres"), ["--version"], as))?.[0] ?? "",
    async restart() {
      await stop();
      server = await start(bin, data, dir, port, as);
    },
    [Symbol.asyncDispose]: () =>
      stopped ??= stop().then(() => Deno.remove(dir, { recursive: true })),
  };
}

interface As {
  readonly uid?: number;
  readonly gid?: number;
}

async function start(bin: string, data: string, dir: string, port: number, as: As) {
  const server = new Deno.Command(join(bin, "postgres"), {
    args: ["-D", data, "-h", "127.0.0.1", "-p", String(port), "-k", dir],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    cwd: dir,
    ...as,
  }).spawn();
  await ready(server.stderr);
  return server;
}

/** Resolves when the server says that it takes connections; its log is read on, so that it never blocks. */
async function ready(stderr: ReadableStream<Uint8Array>): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  (async () => {
    let log = "";
    for await (const text of stderr.pipeThrough(new TextDecoderStream())) {
      log = (log + text).slice(-10_000);
      if (log.includes("ready to accept connections")) resolve();
    }
    reject(new Error(`PostgreSQL did not start: ${log}`));
  })();
  await promise;
}

async function run(program: string, args: string[], as: As): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args,
    cwd: "/",
    ...as,
  }).output();
  if (!success) throw new Error(`${program}: ${new TextDecoder().decode(stderr)}`);
  return new TextDecoder().decode(stdout);
}

async function unprivileged(): Promise<As> {
  const users = (await Deno.readTextFile("/etc/passwd")).split("\n").map((line) => line.split(":"));
  const user = users.find(([name]) => name === "postgres") ??
    users.find(([name]) => name === "nobody");
  return user ? { uid: Number(user[2]), gid: Number(user[3]) } : {};
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
