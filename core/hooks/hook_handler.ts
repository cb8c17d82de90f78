/** Jobs of kind `hook`: one event, handed to one plugin. */
import type { Pool } from "../../sandbox/types.ts";
import type { HookEvent } from "../../sdk/capabilities.ts";
import type { Plain } from "../../sdk/types.ts";
import type { AuditSink } from "../audit/audit.ts";
import { CarrelError } from "../errors.ts";
import type { EventLog } from "../event_log/event_log.ts";
import { matchesName } from "../event_log/names.ts";
import { type JobHandler, JobWaits } from "../jobs/job.ts";
import type { Plugins } from "../plugins/plugins.ts";
import type { Prompts } from "../prompts/prompts.ts";

/** The number only: what is deleted from the log is in no job either. */
export interface HookInput {
  readonly event: number;
}

export interface HookParts {
  readonly eventLog: Pick<EventLog, "read">;
  readonly plugins: Pick<Plugins, "find" | "runnerSpec">;
  readonly pool: Pick<Pool, "acquire">;
  readonly prompts: Pick<Prompts, "examine">;
  readonly audit: Pick<AuditSink, "append">;
}

/** What is left in `result` when nobody was told. */
interface Told {
  readonly told: boolean;
  readonly reason?: string;
}

export function hookHandler(
  { eventLog, plugins, pool, prompts, audit }: HookParts,
): JobHandler<Told> {
  return {
    async run(run) {
      const { job, signal } = run;
      const id = job.plugin ?? "";
      const { event: seq } = job.input as HookInput;
      const plugin = plugins.find(id);
      if (plugin === undefined) {
        return { told: false, reason: "the plugin is not installed any more" };
      }
      if (!plugin.enabled) {
        throw new JobWaits(`waits for ${id} to be enabled`, async () => {}, { for: "plugin" });
      }
      const [logged] = await eventLog.read(seq - 1, {}, 1);
      if (logged?.seq !== seq) return { told: false, reason: "the event is not kept any more" };
      const entries = plugin.granted.events.filter((one) => matchesName(one, logged.name));
      if (entries.length === 0) {
        return { told: false, reason: "the plugin may not be told of such events any more" };
      }
      const spec = await plugins.runnerSpec(id, undefined, { job: job.id });
      await using desk = await pool.acquire(spec, { signal });
      const method = methodFor(desk.methods, logged.name);
      if (method === undefined) {
        throw new CarrelError(
          "plugin_error",
          `Cannot tell "${id}" of ${logged.name}: it has no function for that`,
        );
      }
      const event: HookEvent = {
        seq,
        name: logged.name,
        ...(logged.subject === undefined ? {} : { subject: logged.subject }),
        payload: logged.payload as Readonly<Record<string, Plain>>,
        time: logged.time,
      };
      const now = new Date().toISOString();
      // No runner asks for an event, so none tells of it: a grant without a use would be tightened away.
      audit.append({
        event: "permission.used",
        plugin: id,
        digest: plugin.digest,
        job: job.id,
        actor: id,
        details: {
          permission: "events",
          value: logged.name,
          count: 1,
          first: now,
          last: now,
          entries,
        },
      });
      await desk.call(method, [event], {
        signal,
        job: { id: job.id, idempotencyKey: `hook:${id}:${seq}` },
        onProgress: (fraction, message) => run.progress(100 * fraction, message),
        onLog: ({ level, message }) => run.log(level, message),
      }).catch(async (error) => {
        throw await prompts.examine({ job, plugin: id, error, uses: desk.uses() });
      });
      return { told: true };
    },
  };
}

/** The function for an event: of its own name, else of the longest beginning of it, else `*`. */
export function methodFor(methods: readonly string[], name: string): string | undefined {
  const fitting = methods.filter((method) => matchesName(method, name));
  return fitting.sort((a, b) => rank(b, name) - rank(a, name))[0];
}

const rank = (method: string, name: string) => method === name ? Infinity : method.length;
