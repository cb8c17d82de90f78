/** Starts things: the only file that does. */
import { run } from "./core/cli/program.ts";
import { systemIo } from "./core/cli/system_io.ts";
import manifest from "./deno.json" with { type: "json" };

const io = systemIo(async (options) => {
  // Most of the program: loaded only where this process is the host.
  const { startHost } = await import("./core/app.ts");
  return await startHost(options);
});

if (import.meta.main) Deno.exit(await run(Deno.args, io, manifest.version));
