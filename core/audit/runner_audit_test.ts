import { deepStrictEqual, strictEqual } from "node:assert/strict";
import { DEFAULT_LIMITS, NO_GRANTS, type RunnerSpec } from "../../sandbox/types.ts";
import { NOTHING_DECLARED } from "../plugins/grants.ts";
import type { AuditEvent } from "./audit.ts";
import { runnerAudit } from "./runner_audit.ts";

const SPEC: RunnerSpec = {
  plugin: "import.test",
  version: "1.0.0",
  digest: "abc",
  bundle: "/b.js",
  grants: NO_GRANTS,
  config: {},
  trust: "sandboxed",
  limits: DEFAULT_LIMITS,
};

Deno.test("runnerAudit() writes starts, kills and uses down", () => {
  const events: AuditEvent[] = [];
  const listeners = runnerAudit({
    audit: { append: (event) => events.push(event) },
    dataDir: "/data",
    granted: () => ({ ...NOTHING_DECLARED, write: ["${data}/cache"] }),
  });
  listeners.onStart(SPEC);
  listeners.onEnd(SPEC, { reason: "closed", message: "It was closed" });
  listeners.onEnd(SPEC, { reason: "out_of_memory", message: "Cannot go on" });
  const use = { count: 2, first: "2026-01-01T00:00:00Z", last: "2026-01-01T00:00:01Z" };
  listeners.onUses(SPEC, "job_1", {
    truncated: false,
    uses: [
      { permission: "write", value: "/data/plugins/import.test/data/cache", granted: true, ...use },
      { permission: "services", value: "search", granted: false, ...use },
    ],
  });
  deepStrictEqual(events.map(({ event, job }) => [event, job]), [
    ["runner.started", undefined],
    ["runner.killed", undefined],
    ["permission.used", "job_1"],
    ["permission.denied", "job_1"],
  ]);
  deepStrictEqual(events[2]!.details?.["entries"], ["${data}/cache"]);
  strictEqual(events[3]!.details?.["value"], "search");
});
