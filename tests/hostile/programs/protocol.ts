// deno-lint-ignore-file no-explicit-any
/** Speaking to the host otherwise than the guest's bootstrap would. */
import type { Program } from "../program.ts";

/** A frame with a JSON header and no parts, made without any of our code. */
function frame(kind: number, id: number, header: string, length?: number): Uint8Array {
  const text = new TextEncoder().encode(header);
  const bytes = new Uint8Array(15 + text.length);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, length ?? 11 + text.length, true);
  bytes[4] = kind;
  view.setUint32(5, id, true);
  view.setUint32(9, text.length, true);
  bytes.set(text, 15);
  return bytes;
}

const imports = `const frame = ${frame.toString()};
const send = self.postMessage.bind(self);
const never = () => new Promise(() => {});
`;
declare const send: (data: unknown) => void;
declare const never: () => Promise<never>;

export const programs: Program[] = [
  {
    name: "sends bytes that are no frame",
    imports,
    attack: () => {
      send(new Uint8Array(100).fill(255));
      return never();
    },
    expect: { ends: "crashed", message: /it sent a frame of/ },
  },
  {
    name: "sends a text instead of bytes",
    imports,
    attack: () => {
      send("{}");
      return never();
    },
    expect: { ends: "crashed" },
  },
  {
    name: "announces an enormous event",
    imports,
    attack: () => {
      send(frame(2, 1, "{}", 0xffff_fff0));
      return never();
    },
    expect: { ends: "crashed" },
  },
  {
    name: "announces an enormous answer",
    imports,
    attack: () => {
      send(frame(1, 1, "{}", 0xffff_fff0));
      return never();
    },
    expect: { ends: "output_exceeded" },
  },
  {
    name: "announces an enormous request",
    imports,
    attack: () => {
      send(frame(0, 1, "{}", 17 << 20));
      return never();
    },
    expect: { ends: "output_exceeded", message: /a request of \d+ bytes.*its limit is 16 MiB/ },
    barrier: "host: size of a request",
  },
  {
    name: "calls a service with more than a request may hold",
    grants: () => ({ services: ["echo"] }),
    attack: (_, ctx) => ctx.service("echo", { bytes: new Uint8Array(17 << 20) } as any),
    expect: { throws: "invalid_parameters", message: /its limit is/ },
    barrier: "its own bootstrap; without that, the host",
  },
  {
    name: "holds requests in the host that nobody answers",
    grants: () => ({ services: ["slow"] }),
    limits: { wall_s: 1, in_flight_mb: 1, request_mb: 1 },
    imports,
    attack: () => {
      const text = "x".repeat(500_000);
      for (let id = 1; id <= 60; id++) {
        send(frame(0, id, `{"service":"slow","input":"${text}","call":1}`));
      }
      return never();
    },
    expect: { ends: "timed_out" },
    barrier: "host: it reads no more until there is room",
  },
  {
    name: "sends a header that is not JSON",
    imports,
    attack: () => {
      send(frame(2, 1, "{not json"));
      return never();
    },
    expect: { ends: "crashed", message: /not JSON/ },
  },
  {
    name: "sends a header that is nested too deep",
    imports,
    attack: () => {
      send(frame(1, 1, "[".repeat(100_000) + "]".repeat(100_000)));
      return never();
    },
    expect: { ends: "crashed", message: /nested/ },
  },
  {
    name: "sends a header of millions of values",
    imports,
    attack: () => {
      send(frame(1, 1, `{"ok":[${"{},".repeat(5_000_000)}{}]}`));
      return never();
    },
    expect: { ends: "crashed", message: /values/ },
  },
  {
    name: "points at a part that is not there",
    imports,
    attack: () => {
      send(frame(1, 1, `{"ok":{"$part":7}}`));
      return never();
    },
    expect: { ends: "crashed" },
  },
  {
    name: "answers its own call by hand",
    imports,
    attack: () => {
      send(frame(1, 1, `{"ok":"forged"}`));
      return never();
    },
    expect: { returns: "forged" },
  },
  {
    name: "answers calls that were never made",
    imports,
    attack: async () => {
      for (let id = 1000; id < 1100; id++) send(frame(1, id, `{"ok":1}`));
      await new Promise((resolve) => setTimeout(resolve, 20));
      return "sent";
    },
    expect: { returns: "sent" },
  },
  {
    name: "floods with answers to calls that were never made",
    imports,
    attack: () => {
      const one = frame(1, 9999, `{"ok":1}`);
      const many = new Uint8Array(one.length * 1000);
      for (let i = 0; i < 1000; i++) many.set(one, i * one.length);
      for (let i = 0; i < 1000; i++) send(many);
      return never();
    },
    expect: { ends: "crashed", message: /unasked-for/ },
  },
  {
    name: "floods with progress",
    imports,
    attack: () => {
      const one = frame(2, 1, `{"event":"progress","fraction":0.5}`);
      const many = new Uint8Array(one.length * 1000);
      for (let i = 0; i < 1000; i++) many.set(one, i * one.length);
      for (let i = 0; i < 1000; i++) send(many);
      return never();
    },
    expect: { ends: "crashed", message: /unasked-for/ },
  },
  {
    name: "floods with service requests",
    grants: () => ({ services: ["slow"] }),
    imports,
    attack: () => {
      for (let id = 1; id <= 2000; id++) {
        send(frame(0, id, `{"service":"slow","input":1,"call":1}`));
      }
      return never();
    },
    expect: { ends: "crashed", message: /service requests/ },
  },
  {
    name: "asks for a service that is not granted",
    attack: (_, ctx) => ctx.service("slow", null),
    expect: { throws: "denied", message: /not granted/ },
  },
  {
    name: "asks for a service by the name of an inherited property",
    grants: () => ({ services: ["constructor", "__proto__", "toString"] }),
    attack: (_, ctx) => ctx.service("toString", null),
    expect: { throws: "denied" },
  },
  {
    name: "asks for a service in the name of another call",
    grants: () => ({ services: ["echo"] }),
    imports: `${imports} const replies = [];
      addEventListener("message", (event) => replies.push(new TextDecoder().decode(event.data)));
      globalThis.replies = replies;`,
    attack: async () => {
      send(frame(0, 77, `{"service":"echo","input":1,"call":4242}`));
      const replies: string[] = (globalThis as any).replies;
      while (!replies.some((reply) => reply.includes(`"code"`))) {
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      return replies.join().includes("denied");
    },
    expect: { returns: true },
  },
  {
    name: "claims the host's own reasons",
    attack: () => {
      throw Object.assign(new Error("I was cancelled, honestly"), {
        name: "PluginError",
        code: "cancelled",
      });
    },
    expect: { throws: "plugin_error", message: /honestly/ },
  },
  {
    name: "says ready and failed again",
    imports,
    attack: async () => {
      send(frame(2, 0, `{"event":"ready","kind":"x","methods":["evil"]}`));
      await new Promise((resolve) => setTimeout(resolve, 20));
      return "sent";
    },
    expect: { returns: "sent" },
  },
  {
    name: "takes over the runner's socket by its descriptor",
    attack: async () => {
      const net = await import("node:net");
      let opened = 0;
      for (let fd = 3; fd < 64; fd++) {
        try {
          const socket = new net.Socket({ fd, readable: true, writable: true } as any);
          socket.on("error", () => {});
          socket.write(new Uint8Array(64).fill(255));
          opened++;
        } catch {
          // not a socket
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 2000));
      return opened;
    },
    limits: { wall_s: 5 },
    expect: { ends: "crashed" },
  },
  {
    name: "pollutes the host's prototypes",
    imports,
    attack: () => {
      const payload = `{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}}}`;
      send(frame(1, 1, `{"ok":${payload}}`));
      return never();
    },
    expect: { returns: { constructor: { prototype: { polluted: 1 } } } },
  },
  {
    name: "returns an object whose getter throws",
    attack: () => ({
      get title(): string {
        throw new Error("no!");
      },
    }),
    expect: { throws: "invalid_output" },
  },
  {
    name: "returns an object whose getter answers differently each time",
    attack: () => {
      let reads = 0;
      return Object.defineProperty({}, "x", {
        enumerable: true,
        get: () => ++reads === 1 ? "once" : () => {},
      });
    },
    expect: { returns: { x: "once" } },
  },
  {
    name: "returns a function",
    attack: () => ({ metadata: { go: () => 1 } }),
    expect: { throws: "invalid_output", message: /metadata\.go/ },
  },
  {
    name: "returns a cycle",
    attack: () => {
      const loop: Record<string, unknown> = {};
      loop.loop = loop;
      return loop;
    },
    expect: { throws: "invalid_output" },
  },
  {
    name: "returns a proxy that lies",
    attack: () =>
      new Proxy({}, {
        ownKeys: () => ["a"],
        getOwnPropertyDescriptor: () => ({ enumerable: true, configurable: true, value: 1 }),
        get: () => Symbol("no"),
      }),
    expect: { throws: "invalid_output" },
  },
  {
    name: "throws an error whose message cannot be read",
    attack: () => {
      throw Object.defineProperty(new Error(), "message", {
        get() {
          throw new Error("unreadable");
        },
      });
    },
    expect: { throws: "plugin_error" },
  },
  {
    name: "throws nothing at all",
    attack: () => {
      throw undefined;
    },
    expect: { throws: "plugin_error" },
  },
  {
    name: "breaks the globals that the guest stands on",
    attack: () => {
      JSON.stringify = () => "{}}}";
      Map.prototype.get = () => undefined;
      Promise.prototype.then = () => {
        throw new Error("no more promises");
      };
      return "broken";
    },
    limits: { wall_s: 1 },
    expect: { ends: "crashed" },
  },
];
