// deno-lint-ignore-file no-explicit-any
/** Eating memory, processor time and patience: one program for each limit, and for each way round it. */
import type { Program } from "../program.ts";

const MEMORY = { memory_mb: 96 };
const CPU = { cpu_s: 0.5 };
const WALL = { wall_s: 0.5 };

export const programs: Program[] = [
  {
    name: "eats memory: heap",
    limits: MEMORY,
    attack: () => {
      const kept: unknown[] = [];
      for (;;) kept.push(new Array(10_000).fill(kept.length));
    },
    expect: { ends: "out_of_memory" },
  },
  {
    name: "eats memory: strings",
    limits: MEMORY,
    attack: () => {
      const kept: string[] = [];
      for (;;) kept.push(String(kept.length).repeat(100_000).split("").reverse().join(""));
    },
    expect: { ends: "out_of_memory" },
  },
  {
    name: "eats memory: buffers",
    limits: MEMORY,
    attack: () => {
      const kept: Uint8Array[] = [];
      for (;;) kept.push(new Uint8Array(1 << 20).fill(1));
    },
    expect: { ends: "out_of_memory" },
  },
  {
    name: "eats memory: one shared buffer",
    limits: MEMORY,
    attack: () => {
      new Uint8Array(new SharedArrayBuffer(1 << 30)).fill(1);
      for (;;);
    },
    expect: { ends: "out_of_memory" },
  },
  {
    name: "eats memory: blobs",
    limits: MEMORY,
    attack: async () => {
      const kept: Blob[] = [];
      for (;;) {
        kept.push(new Blob([new Uint8Array(1 << 20).fill(1)]));
        await kept.at(-1)!.slice(0, 1).arrayBuffer();
      }
    },
    expect: { ends: "out_of_memory" },
  },
  {
    name: "eats memory: wasm",
    limits: MEMORY,
    attack: () => {
      const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 });
      for (;;) {
        const before = memory.buffer.byteLength;
        memory.grow(64);
        new Uint8Array(memory.buffer, before).fill(1);
      }
    },
    expect: { ends: "out_of_memory" },
  },
  {
    name: "eats memory: many workers",
    limits: MEMORY,
    attack: () => {
      for (;;) {
        new Worker("data:application/javascript,setInterval(() => {}, 1e9)", { type: "module" });
      }
    },
    expect: { ends: "out_of_memory" },
  },
  {
    name: "eats memory: messages that the host does not read fast",
    limits: MEMORY,
    attack: () => {
      for (;;) (self as any).postMessage(new Uint8Array(1 << 20).fill(1));
    },
    // What it sends is no frame either: whichever is seen first.
    expect: { ends: ["out_of_memory", "crashed"] },
  },
  {
    name: "burns time: loop",
    limits: CPU,
    attack: () => {
      for (;;);
    },
    expect: { ends: "cpu_exceeded", message: /processor time/ },
  },
  {
    name: "burns time: regular expression",
    limits: CPU,
    attack: () => /^(a+)+$/.test("a".repeat(40) + "b"),
    expect: { ends: "cpu_exceeded" },
  },
  {
    name: "burns time: microtasks",
    limits: CPU,
    attack: async () => {
      for (;;) await null;
    },
    expect: { ends: "cpu_exceeded" },
  },
  {
    name: "burns time: big numbers",
    limits: CPU,
    attack: () => {
      let x = 3n;
      for (let i = 0; i < 30; i++) x = x * x;
      return String(x).length;
    },
    expect: { ends: "cpu_exceeded" },
  },
  {
    name: "burns time: wasm",
    limits: CPU,
    attack: () => {
      // (module (func (export "f") (loop br 0)))
      const bytes = [
        0,
        97,
        115,
        109,
        1,
        0,
        0,
        0,
        1,
        4,
        1,
        96,
        0,
        0,
        3,
        2,
        1,
        0,
        7,
        5,
        1,
        1,
        102,
        0,
        0,
      ];
      const code = [10, 9, 1, 7, 0, 3, 64, 12, 0, 11, 11];
      const module = new WebAssembly.Module(new Uint8Array([...bytes, ...code]));
      (new WebAssembly.Instance(module).exports.f as () => void)();
    },
    expect: { ends: "cpu_exceeded" },
  },
  {
    name: "burns time: in a worker of its own",
    limits: CPU,
    attack: () => {
      new Worker("data:application/javascript,for(;;);", { type: "module" });
      return new Promise(() => {});
    },
    expect: { ends: "cpu_exceeded" },
  },
  {
    name: "burns time while it is loaded",
    limits: CPU,
    imports: "for (;;);",
    attack: () => "loaded",
    expect: { loads: false, message: /processor time/ },
  },
  {
    name: "eats memory while it is loaded",
    limits: MEMORY,
    imports: "const kept = []; for (;;) kept.push(new Uint8Array(1 << 20).fill(1));",
    attack: () => "loaded",
    expect: { loads: false, message: /of memory/ },
  },
  {
    name: "waits for ever",
    limits: WALL,
    attack: () => new Promise(() => {}),
    expect: { ends: "timed_out", message: /longer than 0.5 s/ },
  },
  {
    name: "sleeps without burning",
    limits: WALL,
    attack: () => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
    expect: { ends: "timed_out" },
  },
  {
    name: "returns a thenable that never settles",
    limits: WALL,
    attack: () => ({ then() {} }),
    expect: { ends: "timed_out" },
  },
  {
    name: "returns a thenable that resolves with itself",
    limits: CPU,
    attack: () => {
      const self: { then: (resolve: (value: unknown) => void) => void } = {
        then: (resolve) => resolve(self),
      };
      return self;
    },
    expect: { ends: "cpu_exceeded" },
  },
  {
    name: "answers with too many bytes",
    limits: { output_mb: 1 },
    attack: () => new Uint8Array(2 << 20),
    expect: { ends: "output_exceeded", message: /1 MiB/ },
  },
  {
    name: "answers with too long a text",
    limits: { output_mb: 1 },
    attack: () => "x".repeat(2 << 20),
    expect: { ends: "output_exceeded" },
  },
  {
    name: "fills the log through console.log",
    limits: { wall_s: 1 },
    attack: () => {
      for (;;) console.log("x".repeat(1000));
    },
    expect: { ends: "timed_out" },
  },
  {
    name: "fills the log with one endless line",
    limits: WALL,
    attack: () => {
      const bytes = new Uint8Array(65536).fill(120);
      for (;;) Deno.stdout.writeSync(bytes);
    },
    expect: { ends: "timed_out" },
  },
  {
    name: "fills the log through ctx.log",
    attack: (_, ctx) => {
      for (let i = 0; i < 10_000; i++) ctx.log.info(`line ${i}`);
      return "said";
    },
    expect: { returns: "said" },
  },
  {
    name: "fills the disk",
    limits: { disk_mb: 4 },
    grants: ({ open }) => ({ write: [open] }),
    attack: ({ open }) => {
      const bytes = new Uint8Array(1 << 20).fill(1);
      const end = Date.now() + 20_000;
      for (let i = 0; Date.now() < end; i++) {
        Deno.writeFileSync(`${open}/fill-${i % 64}`, bytes);
      }
      return "filled";
    },
    expect: { ends: "disk_exceeded" },
  },
  {
    name: "fills the disk with the cache of imported data URLs",
    limits: { disk_mb: 4, cpu_s: 60 },
    attack: async () => {
      const end = Date.now() + 20_000;
      const text = "a".repeat(1 << 20);
      for (let i = 0; Date.now() < end; i++) {
        await import(`data:application/typescript,export const x = "${i}${text}"`);
      }
      return "filled";
    },
    expect: { ends: "disk_exceeded", message: /its limit is 4 MiB/ },
  },
];
