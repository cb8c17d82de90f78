/** What the pool tells of its runners, written down. */
import { join } from "node:path";
import type { PoolOptions } from "../../sandbox/pool.ts";
import { NOTHING_DECLARED } from "../plugins/grants.ts";
import type { DeclaredGrants } from "../plugins/plugins.ts";
import type { AuditSink } from "./audit.ts";
import { useEvents } from "./observed.ts";

export interface RunnerAuditOptions {
  readonly audit: Pick<AuditSink, "append">;
  /** The host's data folder, real. */
  readonly dataDir: string;
  /** What a plugin was granted, `${…}` unresolved; undefined for one that is not known. */
  readonly granted: (plugin: string) => DeclaredGrants | undefined;
}

export type RunnerListeners = {
  readonly [Name in "onStart" | "onEnd" | "onUses"]: NonNullable<PoolOptions[Name]>;
};

/** Listeners for the pool. */
export function runnerAudit(
  { audit, dataDir, granted }: RunnerAuditOptions,
): RunnerListeners {
  return {
    onStart({ plugin, digest, version, trust }) {
      audit.append({ event: "runner.started", plugin, digest, details: { version, trust } });
    },
    onEnd({ plugin, digest }, { reason, message }) {
      if (reason === "closed") return;
      audit.append({ event: "runner.killed", plugin, digest, details: { reason, message } });
    },
    onUses({ plugin, digest, config }, job, { uses, truncated }) {
      const events = useEvents(uses, {
        plugin,
        digest,
        job,
        truncated,
        granted: granted(plugin) ?? NOTHING_DECLARED,
        dataDir: join(dataDir, "plugins", plugin, "data"),
        config,
      });
      for (const event of events) audit.append(event);
    },
  };
}
