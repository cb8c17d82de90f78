/** The command line against a server, both in this process, for tests. */
import { join } from "node:path";
import type { RunningHost } from "../../host_contract.ts";
import { run } from "../program.ts";
import { type FakeHost, fakeHost, TOKEN } from "./host.ts";
import { type TestIo, testIo, type TestIoOptions } from "./io.ts";

/** A server, a folder with two files, and the command line that talks to it. */
export interface Setup extends AsyncDisposable {
  readonly host: FakeHost;
  readonly folder: string;
  /** Runs a command against the server. */
  carrel(args: string[], io?: TestIoOptions): Promise<{ exit: number; out: string; err: string }>;
}

export async function setup(): Promise<Setup> {
  const host = fakeHost();
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(join(folder, "a.md"), "# A");
  await Deno.writeTextFile(join(folder, "b.md"), "# B");
  return {
    host,
    folder,
    carrel: (args, options) => carrel([...args, "--url", host.url], { cwd: folder, ...options }),
    async [Symbol.asyncDispose]() {
      await host[Symbol.asyncDispose]();
      await Deno.remove(folder, { recursive: true });
    },
  };
}

/** Runs the command line in this process. */
export async function carrel(args: string[], options: TestIoOptions = {}, io?: TestIo) {
  io ??= testIo({ env: { CARREL_TOKEN: TOKEN, ...options.env }, ...options });
  const exit = await run(args, io, "0.0.0");
  return { exit, out: io.outText(), err: io.errText() };
}

/** A host that this process starts: a fake server, and what was asked of it. */
export function ownHost(host: FakeHost, adminToken?: string) {
  const asked: unknown[] = [];
  let stopped = 0;
  const finished = Promise.withResolvers<void>();
  const startHost = (options: unknown): Promise<RunningHost> => {
    asked.push(options);
    const shutdown = () => {
      stopped++;
      finished.resolve();
      return Promise.resolve();
    };
    return Promise.resolve({
      url: host.url,
      port: host.port,
      token: TOKEN,
      adminToken,
      finished: finished.promise,
      shutdown,
      [Symbol.asyncDispose]: shutdown,
    });
  };
  return { startHost, asked, stopped: () => stopped, end: () => finished.resolve() };
}
