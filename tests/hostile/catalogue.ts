/** All hostile programs, with the surface that each attacks and what must become of it: the table of docs/security.md. */
import type { Program } from "./program.ts";
import { programs as files } from "./programs/files.ts";
import { programs as network } from "./programs/network.ts";
import { programs as oddDoors } from "./programs/odd_doors.ts";
import { programs as processes } from "./programs/process.ts";
import { programs as protocol } from "./programs/protocol.ts";
import { programs as resources } from "./programs/resources.ts";

export const SURFACES = [
  "imports",
  "files",
  "network",
  "environment",
  "processes",
  "native code",
  "the host's protocol",
  "memory",
  "time",
  "output, logs and disk",
  "what the process shares",
] as const;
export type Surface = typeof SURFACES[number];

export interface Row {
  readonly name: string;
  readonly surface: Surface;
  /** What the program comes away with. */
  readonly got: string;
  /** What stops it first. */
  readonly barrier: string;
  readonly program: Program;
}

const FAMILIES: readonly (readonly [Surface, readonly Program[]])[] = [
  ["files", files],
  ["network", network],
  ["processes", processes],
  ["the host's protocol", protocol],
  ["memory", resources],
  ["files", oddDoors],
];

/** By their names; the first that fits. Where none does, the family's. */
const BY_NAME: readonly (readonly [RegExp, Surface])[] = [
  [/\bimports?\b|requires a file/, "imports"],
  [/library|extension/, "native code"],
  [/environment|variable|process\.env|node:process$/, "environment"],
  [/memory: |while it is loaded|at once$/, "memory"],
  [/burns time|waits for ever|thenable|sleeps/, "time"],
  [/answers with|fills the/, "output, logs and disk"],
  [
    /^(asks for (system|a permission)|asks who|reads stdin|forges frames|keeps something|calls out on|opens a KV|changes its user|reaches for)/,
    "what the process shares",
  ],
  [
    /loopback|proxy|listens|inspector|name server|datagram|with any public host|TLS/,
    "network",
  ],
  [/^(returns|speaks|calls a service)/, "the host's protocol"],
  [/^kills|thread|workers/, "processes"],
];

const BY_END: Readonly<Record<string, string>> = {
  out_of_memory: "watchdog: memory",
  cpu_exceeded: "watchdog: processor time",
  disk_exceeded: "watchdog: bytes written",
  timed_out: "host: time limit of the call",
  output_exceeded: "host: size of an answer",
};

export const CATALOGUE: readonly Row[] = FAMILIES.flatMap(([family, programs]) =>
  programs.map((program) => {
    const surface = BY_NAME.find(([name]) => name.test(program.name))?.[1] ?? family;
    return {
      name: program.name,
      surface,
      got: gotOf(program),
      barrier: program.barrier ?? barrierOf(program, surface),
      program,
    };
  })
);

function gotOf({ expect }: Program): string {
  if ("loads" in expect) return "nothing: it does not load";
  if ("throws" in expect) {
    return expect.throws === "plugin_error" ? "an error" : `an error: \`${expect.throws}\``;
  }
  if ("ends" in expect) {
    return `its runner is ended: ${[expect.ends].flat().map((end) => `\`${end}\``).join(" or ")}`;
  }
  return `only \`${JSON.stringify(expect.returns)}\``;
}

function barrierOf({ expect }: Program, surface: Surface): string {
  if ("loads" in expect) {
    const why = expect.message?.source ?? "";
    if (/closed to all/.test(why)) return "host: before anything is started";
    if (/of memory/.test(why)) return BY_END["out_of_memory"]!;
    if (/processor/.test(why)) return BY_END["cpu_exceeded"]!;
    return "Deno: imports are off in worker and process";
  }
  if ("ends" in expect) {
    const ends = [expect.ends].flat();
    const first = ends.map((end) => BY_END[end]).find((barrier) => barrier !== undefined);
    if (first !== undefined) return first;
    return surface === "the host's protocol"
      ? "host: what is no frame ends the runner"
      : "process: a runner ends alone";
  }
  if ("throws" in expect) {
    if (expect.throws === "invalid_output") return "protocol: plain data only";
    if (expect.throws === "denied") return "host: services are checked by name at each call";
    return "Deno: permissions of worker and process";
  }
  if (expect.returns === 200) return "nothing: it was granted";
  if (expect.returns === "NotCapable" || expect.returns === "error") {
    return "Deno: permissions of worker and process";
  }
  return "none needed: it stays in its own runner";
}
