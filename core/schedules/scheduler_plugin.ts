/** Asks plugins of kind `scheduler` when something is to be done next. */
import type { Pool } from "../../sandbox/types.ts";
import { CarrelError } from "../errors.ts";
import type { Plugins } from "../plugins/plugins.ts";
import type { AskPlugin } from "./next_time.ts";

export function askScheduler(
  { plugins, pool }: {
    readonly plugins: Pick<Plugins, "find" | "runnerSpec">;
    readonly pool: Pick<Pool, "acquire">;
  },
  signal: AbortSignal,
): AskPlugin {
  return async (id, after, parameters) => {
    const plugin = plugins.find(id);
    const refuse = (code: "no_plugin" | "conflict" | "invalid_output", why: string) =>
      new CarrelError(code, `Cannot ask "${id}" for the next time: ${why}`);
    if (plugin === undefined) throw refuse("no_plugin", "it is not installed");
    if (plugin.kind !== "scheduler") throw refuse("no_plugin", `it is of kind ${plugin.kind}`);
    if (!plugin.enabled) throw refuse("conflict", "it is disabled");
    await using desk = await pool.acquire(await plugins.runnerSpec(id), { signal });
    const said = await desk.call("next", [after, parameters], {
      signal,
      job: { id: "schedule", idempotencyKey: after },
    });
    if (said === null || typeof said === "string") return said;
    throw refuse("invalid_output", "it answered with something that is no text");
  };
}
