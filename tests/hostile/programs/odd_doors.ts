// deno-lint-ignore-file no-explicit-any
/** Doors that are easily forgotten: Node's modules, clients of other protocols, ways round a path. */
import { type Program, REFUSED } from "../program.ts";

/** `fetch` says why it was refused in its cause only. */
async function unwrap<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw (error as Error).cause ?? error;
  }
}

const imports = `const unwrap = ${unwrap.toString()};`;

export const programs: Program[] = [
  {
    name: "fetches a file URL",
    imports,
    attack: ({ canary }) => unwrap(async () => await (await fetch(`file://${canary}`)).text()),
    expect: REFUSED,
  },
  {
    name: "copies a file into a granted folder",
    grants: ({ open }) => ({ read: [open], write: [open] }),
    attack: ({ canary, open }) => {
      Deno.copyFileSync(canary, `${open}/copy`);
      return Deno.readTextFileSync(`${open}/copy`);
    },
    expect: REFUSED,
  },
  {
    name: "leaves a granted folder by a hard link",
    grants: ({ open }) => ({ read: [open], write: [open] }),
    attack: ({ canary, open }) => {
      Deno.linkSync(canary, `${open}/hard`);
      return Deno.readTextFileSync(`${open}/hard`);
    },
    expect: REFUSED,
  },
  {
    name: "moves a file into a granted folder",
    grants: ({ open }) => ({ read: [open], write: [open] }),
    attack: ({ canary, open }) => {
      Deno.renameSync(canary, `${open}/moved`);
      return Deno.readTextFileSync(`${open}/moved`);
    },
    expect: REFUSED,
  },
  {
    name: "reads the host's environment in /proc",
    attack: ({ host }) => Deno.readTextFileSync(`/proc/${host}/environ`),
    expect: REFUSED,
  },
  {
    name: "reads its own environment in /proc",
    attack: () => Deno.readTextFileSync("/proc/self/environ"),
    expect: REFUSED,
  },
  {
    name: "leaves a granted folder through /proc/self/root",
    grants: ({ open }) => ({ read: [open] }),
    attack: ({ canary }) => Deno.readTextFileSync(`/proc/self/root${canary}`),
    expect: REFUSED,
  },
  {
    name: "reads a file through its own descriptors",
    attack: () => Deno.readTextFileSync("/proc/self/fd/0"),
    expect: REFUSED,
  },
  {
    name: "makes a temporary folder",
    attack: () => Deno.makeTempDirSync(),
    expect: REFUSED,
  },
  {
    name: "opens a file as a database",
    attack: async ({ folder }) => {
      const { DatabaseSync } = await import("node:sqlite");
      new DatabaseSync(`${folder}/made.db`).exec("create table t (a)");
    },
    expect: REFUSED,
  },
  {
    name: "attaches a file to a database in memory",
    attack: async ({ folder }) => {
      const { DatabaseSync } = await import("node:sqlite");
      const db = new DatabaseSync(":memory:");
      db.exec(`attach database '${folder}/made.db' as made; create table made.t (a)`);
    },
    expect: { throws: "plugin_error", message: /too many attached databases/ },
  },
  {
    name: "writes a database in memory to a file",
    attack: async ({ folder }) => {
      const { DatabaseSync } = await import("node:sqlite");
      new DatabaseSync(":memory:").exec(`vacuum into '${folder}/made.db'`);
    },
    expect: { throws: "plugin_error", message: /too many attached databases/ },
  },
  {
    name: "loads an extension into a database",
    attack: async () => {
      const { DatabaseSync } = await import("node:sqlite");
      new DatabaseSync(":memory:", { allowExtension: true }).loadExtension("/lib/x.so");
    },
    expect: REFUSED,
  },
  {
    name: "requires a file",
    attack: async ({ canary }) => {
      const { createRequire } = await import("node:module");
      return createRequire("file:///")(`${canary}.js`);
    },
    expect: REFUSED,
  },
  {
    name: "loads a library through node:process",
    attack: () => (process as any).dlopen({ exports: {} }, "/lib/x.node"),
    expect: REFUSED,
  },
  {
    name: "writes a snapshot of its heap",
    attack: async ({ folder }) => (await import("node:v8")).writeHeapSnapshot(`${folder}/heap`),
    expect: REFUSED,
  },
  {
    name: "reads a file in a thread of node:worker_threads",
    attack: async ({ canary }) => {
      const { Worker } = await import("node:worker_threads");
      const code = `const { parentPort } = require("node:worker_threads");
        try { parentPort.postMessage(require("node:fs").readFileSync(${
        JSON.stringify(canary)
      }, "utf8")); }
        catch (error) { parentPort.postMessage(error.code ?? error.name); }`;
      return await new Promise((resolve, reject) => {
        const worker = new Worker(code, { eval: true });
        worker.on("message", resolve);
        worker.on("error", reject);
      });
    },
    expect: { returns: "NotCapable" },
  },
  {
    name: "asks who runs it",
    attack: async () => (await import("node:os")).userInfo(),
    expect: REFUSED,
  },
  {
    name: "opens the inspector",
    attack: async () => (await import("node:inspector")).open(0),
    expect: REFUSED,
  },
  {
    name: "changes its user",
    attack: () => (process as any).setuid(65534),
    expect: { throws: "plugin_error", message: /not supported in workers/ },
  },
  {
    name: "sets a variable",
    attack: () => Deno.env.set("LD_PRELOAD", "/x"),
    expect: REFUSED,
  },
  {
    name: "kills its process group",
    attack: () => void process.kill(0, "SIGKILL"),
    expect: REFUSED,
  },
  {
    name: "kills everything",
    attack: () => void process.kill(-1, "SIGKILL"),
    expect: REFUSED,
  },
  {
    name: "calls loopback through node:http with any public host granted",
    grants: () => ({ netPublic: true }),
    attack: async ({ port }) => {
      const { get } = await import("node:http");
      return await new Promise((resolve, reject) => {
        get(`http://127.0.0.1:${port}/`, (answer) => resolve(answer.statusCode)).on(
          "error",
          reject,
        );
      });
    },
    expect: REFUSED,
  },
  {
    name: "sends a datagram to loopback through node:dgram with any public host granted",
    grants: () => ({ netPublic: true }),
    attack: async ({ port }) => {
      const { createSocket } = await import("node:dgram");
      const socket = createSocket("udp4");
      return await new Promise((resolve, reject) => {
        socket.on("error", reject);
        socket.send("x", port, "127.0.0.1", (error) => error ? reject(error) : resolve("sent"));
      });
    },
    expect: { ends: "crashed", message: /NotCapable/ },
  },
  {
    name: "goes through a proxy on loopback with any public host granted",
    grants: () => ({ netPublic: true }),
    imports,
    attack: ({ port }) =>
      unwrap(async () => {
        const client = Deno.createHttpClient({ proxy: { url: `http://127.0.0.1:${port}` } });
        return (await fetch("http://example.com/", { client })).status;
      }),
    expect: REFUSED,
  },
  {
    name: "goes through a proxy by a name for loopback with any public host granted",
    grants: () => ({ netPublic: true }),
    imports,
    attack: ({ port }) =>
      unwrap(async () => {
        const client = Deno.createHttpClient({ proxy: { url: `http://localhost:${port}` } });
        return (await fetch("http://example.com/", { client })).status;
      }),
    expect: REFUSED,
  },
  {
    name: "goes through a proxy on a unix socket with any public host granted",
    grants: () => ({ netPublic: true }),
    imports,
    attack: ({ socket }) =>
      unwrap(async () => {
        const client = Deno.createHttpClient({ proxy: { transport: "unix", path: socket } as any });
        return (await fetch("http://example.com/", { client })).status;
      }),
    expect: REFUSED,
  },
  {
    name: "asks a name server on loopback with any public host granted",
    grants: () => ({ netPublic: true }),
    attack: ({ port }) =>
      Deno.resolveDns("example.com", "A", { nameServer: { ipAddr: "127.0.0.1", port } }),
    expect: REFUSED,
  },
  {
    name: "opens a TLS connection to loopback with any public host granted",
    grants: () => ({ netPublic: true }),
    attack: async ({ port }) => (await Deno.connectTls({ hostname: "localhost", port })).close(),
    expect: REFUSED,
  },
  {
    name: "listens on a unix socket in a granted folder",
    grants: ({ open }) => ({ read: [open], write: [open] }),
    attack: ({ open }) => Deno.listen({ transport: "unix", path: `${open}/mine` }).close(),
    expect: REFUSED,
  },
  {
    name: "returns an async iterator without end",
    attack: () => ({
      async *[Symbol.asyncIterator]() {
        for (;;) yield 1;
      },
      items: (async function* () {
        for (;;) yield 1;
      })(),
    }),
    expect: { throws: "invalid_output", message: /items/ },
  },
  {
    name: "speaks on after its answer",
    attack: (_, ctx) => {
      setInterval(() => ctx.progress(0.5, "still here"), 1);
      setInterval(() => ctx.log.info("still here"), 1);
      return "done";
    },
    expect: { returns: "done" },
  },
  {
    name: "calls a service after its answer",
    grants: () => ({ services: ["echo"] }),
    attack: (_, ctx) => {
      setTimeout(() => void ctx.service("echo", 1).catch(() => {}), 1);
      return "done";
    },
    expect: { returns: "done" },
  },
  {
    name: "reaches for the insides of Deno",
    attack: () => {
      const inside = (Deno as any)[(Deno as any).internal];
      return [...new Set(Object.keys(inside?.core?.ops ?? {}))].some((op) =>
        /read_file|spawn|run/.test(op)
      );
    },
    expect: { returns: false },
  },
  {
    name: "starts a hundred workers at once",
    limits: { memory_mb: 96, cpu_s: 5 },
    attack: async () => {
      const code = "postMessage(1); for (;;);";
      for (let i = 0; i < 100; i++) {
        new Worker(`data:application/javascript,${code}`, { type: "module" });
      }
      await new Promise(() => {});
    },
    expect: { ends: ["out_of_memory", "cpu_exceeded", "crashed"] },
  },
];
