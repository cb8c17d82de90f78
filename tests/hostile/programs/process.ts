// deno-lint-ignore-file no-explicit-any
/** Reaching for processes: its own, the host's, new ones; and what the process shares. */
import { type Program, REFUSED } from "../program.ts";

export const programs: Program[] = [
  {
    name: "kills its own process",
    attack: () => Deno.kill(Deno.pid, "SIGKILL"),
    expect: { ends: "crashed", message: /SIGKILL/ },
  },
  {
    name: "kills its own process through node:process",
    attack: () => void process.kill(process.pid, "SIGKILL"),
    expect: { ends: "crashed", message: /SIGKILL/ },
  },
  {
    name: "kills the host",
    attack: ({ host }) => Deno.kill(host, "SIGKILL"),
    expect: REFUSED,
  },
  {
    name: "kills its parent",
    attack: () => Deno.kill(Deno.ppid, "SIGKILL"),
    expect: REFUSED,
  },
  {
    name: "leaves by Deno.exit",
    attack: async () => {
      Deno.exit(0);
      await new Promise(() => {});
    },
    expect: { ends: "crashed" },
  },
  {
    name: "leaves by process.exit",
    attack: async () => {
      process.exit(3);
      await new Promise(() => {});
    },
    expect: { ends: "crashed" },
  },
  {
    name: "closes its own worker",
    attack: async () => {
      self.close();
      await new Promise(() => {});
    },
    expect: { ends: "crashed" },
  },
  {
    name: "exits through an API whose flag is off (vsock)",
    attack: async () => {
      await Deno.connect({ transport: "vsock", cid: 2, port: 1 } as any);
    },
    expect: { ends: "crashed", message: /code 70/ },
  },
  {
    name: "throws where nobody catches",
    attack: () => {
      setTimeout(() => {
        throw new Error("uncaught!");
      });
      return new Promise(() => {});
    },
    expect: { ends: "crashed", message: /uncaught!/ },
  },
  {
    name: "leaves a rejection unhandled",
    attack: () => {
      void Promise.reject(new Error("nobody waits"));
      return new Promise((resolve) => setTimeout(() => resolve("lived on"), 20));
    },
    expect: { returns: "lived on" },
  },
  {
    name: "ignores SIGTERM",
    attack: () => {
      Deno.addSignalListener("SIGTERM", () => {});
      for (;;);
    },
    limits: { wall_s: 0.5 },
    expect: { ends: "timed_out" },
  },
  {
    name: "stops its own process",
    attack: () => Deno.kill(Deno.pid, "SIGSTOP"),
    limits: { wall_s: 0.5 },
    expect: { ends: "timed_out" },
  },
  {
    name: "runs a program",
    attack: () => new TextDecoder().decode(new Deno.Command("/bin/sh").outputSync().stdout),
    expect: REFUSED,
  },
  {
    name: "runs a program through node:child_process",
    attack: async () => (await import("node:child_process")).execFileSync("/bin/sh").toString(),
    expect: REFUSED,
  },
  {
    name: "loads a library",
    attack: () => (Deno as any).dlopen("libc.so.6", {}),
    expect: REFUSED,
  },
  {
    name: "reads the whole environment",
    attack: () => Deno.env.toObject(),
    expect: REFUSED,
  },
  {
    name: "reads a variable of the host",
    attack: () => Deno.env.get("HOME"),
    expect: REFUSED,
  },
  {
    name: "finds no variable in process.env",
    attack: () => Object.keys(process.env),
    expect: { returns: [] },
  },
  {
    name: "finds no variable in node:process",
    imports: `import given from "node:process"; globalThis.given = given;`,
    attack: () => Object.keys((globalThis as any).given.env),
    expect: { returns: [] },
  },
  {
    name: "asks for system information",
    attack: () => Deno.hostname(),
    expect: REFUSED,
  },
  {
    name: "asks for a permission",
    attack: async () => {
      const before = await Deno.permissions.query({ name: "read" });
      const after = await Deno.permissions.request({ name: "read" });
      return [before.state, after.state].includes("granted");
    },
    expect: { returns: false },
  },
  {
    name: "reads stdin",
    attack: () => Deno.stdin.readSync(new Uint8Array(10)),
    expect: { returns: null },
  },
  {
    name: "forges frames on stdout",
    attack: () => {
      const forged = new Uint8Array([16, 0, 0, 0, 1, 1, 0, 0, 0, 2, 0, 0, 0, 0, 0, 123, 125]);
      Deno.stdout.writeSync(forged);
      Deno.stderr.writeSync(forged);
      return "said";
    },
    expect: { returns: "said" },
  },
  {
    name: "keeps something in caches for the next job",
    attack: async () => {
      const cache = await caches.open("kept");
      await cache.put("http://x/", new Response("data of this job"));
      return "kept";
    },
    expect: { throws: "plugin_error" },
  },
  {
    name: "calls out on a BroadcastChannel",
    attack: () => {
      const channel = new BroadcastChannel("carrel");
      channel.postMessage("is anyone there?");
      return new Promise((resolve) => {
        channel.onmessage = () => resolve("someone");
        setTimeout(() => {
          channel.close();
          resolve("nobody");
        }, 50);
      });
    },
    expect: { returns: "nobody" },
  },
  {
    name: "opens a KV store",
    attack: async () => {
      const open = (Deno as any).openKv;
      if (!open) throw new Error("not allowed: there is no such function");
      return await open("/tmp/x.db") && "open";
    },
    expect: REFUSED,
  },
  {
    name: "keeps something in localStorage",
    attack: () => {
      if (typeof localStorage === "undefined") throw new Error("not allowed: there is none");
      localStorage.setItem("a", "b");
      return localStorage.getItem("a");
    },
    expect: { throws: "plugin_error" },
  },
];
