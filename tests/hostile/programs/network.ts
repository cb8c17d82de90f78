// deno-lint-ignore-file no-explicit-any
/** Reaching addresses that were not granted, and those that are granted to nobody. */
import { type Program, REFUSED } from "../program.ts";
import type { World } from "../program.ts";

/** `fetch` says why it was refused in its cause only. */
async function get(url: string): Promise<number> {
  try {
    const response = await fetch(url);
    await response.body?.cancel();
    return response.status;
  } catch (error) {
    throw (error as Error).cause ?? error;
  }
}

/** Attack texts stand alone: `get` goes with each as an import line. */
const imports = `const get = ${get.toString()};`;

/** The spellings of loopback. */
const SPELLINGS = [
  "127.0.0.1",
  "0.0.0.0",
  "127.1",
  "2130706433",
  "0x7f000001",
  "0177.0.0.1",
  "127.0.0.2",
  "[::1]",
  "[::]",
  "[::ffff:127.0.0.1]",
  "[::ffff:7f00:1]",
  "localhost",
];

const nothing: Program[] = ["127.0.0.1", "[::1]", "localhost"].map((host) => ({
  name: `calls ${host} with nothing granted`,
  imports: `${imports} globalThis.host = ${JSON.stringify(host)};`,
  attack: async ({ port }: World) => await get(`http://${(globalThis as any).host}:${port}/`),
  expect: REFUSED,
}));

const anyPublic: Program[] = SPELLINGS.map((host) => ({
  name: `calls ${host} with any public host granted`,
  grants: () => ({ netPublic: true }),
  imports: `${imports} globalThis.host = ${JSON.stringify(host)};`,
  attack: async ({ port, port6 }: World) => {
    const host: string = (globalThis as any).host;
    return await get(
      `http://${host}:${host.includes("::") && !host.includes("ffff") ? port6 : port}/`,
    );
  },
  expect: REFUSED,
}));

export const programs: Program[] = [
  ...nothing,
  ...anyPublic,
  {
    name: "calls a granted name that resolves to loopback",
    grants: ({ port }) => ({ net: [`localhost:${port}`, `*.localhost:${port}`] }),
    imports,
    attack: ({ port }) => get(`http://localhost:${port}/`),
    expect: REFUSED,
  },
  {
    name: "calls a private address that is granted",
    grants: ({ port }) => ({ private: [{ host: "localhost", port, addresses: ["127.0.0.1"] }] }),
    imports,
    attack: ({ port }) => get(`http://localhost:${port}/`),
    expect: { returns: 200 },
  },
  {
    name: "calls a private IPv6 address that is granted",
    ipv6: true,
    grants: ({ port6 }) => ({ private: [{ host: "::1", port: port6, addresses: ["::1"] }] }),
    imports,
    attack: ({ port6 }) => get(`http://[::1]:${port6}/`),
    expect: { returns: 200 },
  },
  {
    name: "calls another port of a private address that is granted",
    grants: ({ port }) => ({ private: [{ host: "127.0.0.1", port, addresses: ["127.0.0.1"] }] }),
    imports,
    attack: ({ otherPort }) => get(`http://127.0.0.1:${otherPort}/`),
    expect: REFUSED,
  },
  {
    name: "calls a neighbour of a private address that is granted",
    grants: ({ port }) => ({
      private: [{ host: "localhost", port, addresses: ["127.0.0.3"] }],
    }),
    imports,
    attack: ({ port }) => get(`http://localhost:${port}/`),
    expect: REFUSED,
  },
  {
    name: "is redirected from a granted host to loopback",
    grants: ({ port }) => ({ private: [{ host: "127.0.0.1", port, addresses: ["127.0.0.1"] }] }),
    imports,
    attack: ({ port, otherPort }) =>
      get(
        `http://127.0.0.1:${port}/to?url=${encodeURIComponent(`http://127.0.0.1:${otherPort}/`)}`,
      ),
    expect: REFUSED,
  },
  {
    name: "calls the cloud's metadata address although someone granted it",
    grants: () => ({
      private: [{ host: "169.254.169.254", port: 80, addresses: ["169.254.169.254"] }],
    }),
    imports,
    attack: () => get("http://169.254.169.254/latest/meta-data/"),
    expect: { loads: false, message: /closed to all plugins/ },
  },
  {
    name: "calls the host's own API although someone granted it",
    grants: ({ otherPort }) => ({
      private: [{ host: "127.0.0.1", port: otherPort, addresses: ["127.0.0.1"] }],
    }),
    imports,
    attack: ({ otherPort }) => get(`http://127.0.0.1:${otherPort}/`),
    expect: { loads: false, message: /closed to all plugins/ },
  },
  {
    name: "calls the host's own API by a name although someone granted it",
    grants: ({ otherPort }) => ({
      private: [{ host: "localhost", port: otherPort, addresses: ["127.0.0.1"] }],
    }),
    imports,
    attack: ({ otherPort }) => get(`http://localhost:${otherPort}/`),
    expect: REFUSED,
  },
  {
    name: "opens a TCP connection",
    attack: async ({ port }) => (await Deno.connect({ hostname: "127.0.0.1", port })).close(),
    expect: REFUSED,
  },
  {
    name: "opens a TCP connection through node:net",
    attack: async ({ port }) => {
      const net = await import("node:net");
      return await new Promise((resolve, reject) => {
        net.connect(port, "127.0.0.1").on("connect", () => resolve("connected")).on(
          "error",
          reject,
        );
      });
    },
    expect: REFUSED,
  },
  {
    name: "listens",
    attack: () => void Deno.listen({ port: 0 }),
    expect: REFUSED,
  },
  {
    name: "sends a datagram",
    attack: async () => {
      const datagram = (Deno as any).listenDatagram;
      if (!datagram) throw new Error("not allowed: there is no such function");
      return await datagram({ port: 0, transport: "udp" });
    },
    expect: REFUSED,
  },
  {
    name: "asks the name server",
    attack: () => Deno.resolveDns("example.com", "A"),
    // Where a plugin has no network, there is not even the file that names the server.
    expect: {
      throws: "plugin_error",
      message: new RegExp(`${REFUSED.message.source}|No such file`, "i"),
    },
  },
  {
    name: "opens a WebSocket to loopback",
    attack: ({ port }) =>
      new Promise((resolve, reject) => {
        const socket = new WebSocket(`ws://127.0.0.1:${port}/`);
        socket.onopen = () => resolve("open");
        socket.onerror = (event) => reject(new Error(`denied: ${(event as ErrorEvent).message}`));
      }),
    expect: REFUSED,
  },
  {
    name: "connects to a unix socket",
    attack: async ({ socket }) => (await Deno.connect({ transport: "unix", path: socket })).close(),
    expect: REFUSED,
  },
  {
    name: "connects to a unix socket with any public host granted",
    grants: () => ({ netPublic: true }),
    attack: async ({ socket }) => (await Deno.connect({ transport: "unix", path: socket })).close(),
    expect: REFUSED,
  },
  {
    name: "connects to its runner's own socket by path",
    attack: async () => {
      const path = Deno.args[0] ?? "/tmp/none";
      return (await Deno.connect({ transport: "unix", path })).close();
    },
    expect: REFUSED,
  },
];
