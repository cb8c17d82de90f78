/** The host as a process of its own, and a client of its HTTP API. */
import { median } from "./figure.ts";

const MAIN = new URL("../main.ts", import.meta.url).pathname;
const CONFIG = new URL("../deno.json", import.meta.url).pathname;

// deno-lint-ignore no-explicit-any -- answers are looked at field by field in the benches
type Json = any;

export interface HostProcess extends AsyncDisposable {
  readonly pid: number;
  /** From the start of the process until `path` was answered, milliseconds. */
  readonly readyMs: number;
  /** GET, or POST of a body: bytes as they are, else as JSON. Throws unless the answer is one of success. */
  call(path: string, body?: unknown, headers?: Record<string, string>): Promise<Response>;
  /** The same, the answer read as JSON. */
  json(path: string, body?: unknown, headers?: Record<string, string>): Promise<Json>;
}

/** Starts a host on a data folder and waits until `path` answers. Disposing ends it as an operator would. */
export async function startHostProcess(dataDir: string, path = "/readyz"): Promise<HostProcess> {
  const start = performance.now();
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      `--config=${CONFIG}`,
      "-P=host",
      MAIN,
      "serve",
      "--port",
      "0",
      "--data",
      dataDir,
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  const ended = { yes: false };
  const status = child.status.finally(() => ended.yes = true);
  const host = await ready(dataDir, child.pid, path, ended);
  const readyMs = performance.now() - start;

  async function call(path: string, body?: unknown, headers: Record<string, string> = {}) {
    const response = await fetch(`${host.url}${path}`, {
      headers: {
        authorization: `Bearer ${host.token}`,
        "content-type": body instanceof Uint8Array
          ? "application/octet-stream"
          : "application/json",
        ...headers,
      },
      ...(body === undefined ? {} : {
        method: "POST",
        body: body instanceof Uint8Array ? body as BodyInit : JSON.stringify(body),
      }),
    });
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return response;
  }

  return {
    pid: child.pid,
    readyMs,
    call,
    json: async (...request) => await (await call(...request)).json(),
    async [Symbol.asyncDispose]() {
      if (!ended.yes) child.kill("SIGTERM");
      await status;
    },
  };
}

async function ready(
  dataDir: string,
  pid: number,
  path: string,
  ended: { readonly yes: boolean },
): Promise<{ url: string; token: string }> {
  while (!ended.yes) {
    try {
      const host = JSON.parse(await Deno.readTextFile(`${dataDir}/host.json`));
      if (host.pid === pid) {
        const response = await fetch(`${host.url}${path}`);
        await response.body?.cancel();
        if (response.ok) return host;
      }
    } catch {
      // Not there yet.
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error(`the host on "${dataDir}" ended before it was ready`);
}

/** After so many milliseconds without work a host has given back what its start left behind. */
const SETTLED_MS = 11_000;

/** Resident memory of an idle host, MiB. */
export async function settledMemory(pid: number): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, SETTLED_MS));
  const samples: number[] = [];
  for (let i = 0; i < 3; i++) {
    if (i > 0) await new Promise((resolve) => setTimeout(resolve, 1_000));
    const status = await Deno.readTextFile(`/proc/${pid}/status`);
    samples.push(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024);
  }
  return median(samples);
}

/** How many processes descend from one, itself left out. */
export async function descendants(pid: number): Promise<number> {
  const children = new Map<number, number[]>();
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await Deno.readTextFile(`/proc/${name}/stat`).catch(() => "");
    // The name of the program stands in brackets and may hold any.
    const parent = Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]);
    children.set(parent, [...children.get(parent) ?? [], Number(name)]);
  }
  let count = 0;
  const line = [pid];
  for (let next = line.pop(); next !== undefined; next = line.pop()) {
    const found = children.get(next) ?? [];
    count += found.length;
    line.push(...found);
  }
  return count;
}
