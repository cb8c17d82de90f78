/**
 * Jobs of kind `call`: one call of a capability, of a plugin or of the host. Input
 * `{capability, input, provider?, run?, path?}`; result a `CapabilityResult`.
 */
import { z } from "zod";
import { VERSION } from "../assets.ts";
import { CarrelError } from "../errors.ts";
import type { Job, JobHandler } from "../jobs/job.ts";
import { checkAgainst } from "../json_schema.ts";
import type { SqlStore } from "../stores/sql.ts";
import { actorOfJob } from "./actor_of.ts";
import type { Capabilities, CapabilityResult, HostCapability } from "./capabilities.ts";
import { checkInput, checkResult } from "./contracts.ts";

export const callInput = z.object({
  capability: z.string().min(1).max(200),
  input: z.unknown(),
  provider: z.string().max(200).optional(),
  /** The run and the step that it is for. */
  run: z.string().optional(),
  path: z.string().optional(),
});

/** Input of a job of kind `call`. */
export type CallInput = z.infer<typeof callInput>;

type Called = { readonly result: CapabilityResult } | {
  readonly own: HostCapability;
  readonly prepared: unknown;
};

export function callHandler(
  { capabilities, sql }: {
    readonly capabilities: Pick<Capabilities, "call" | "host">;
    readonly sql: Pick<SqlStore, "db">;
  },
): JobHandler<Called> {
  return {
    async run(run) {
      const { job, signal } = run;
      const { capability, input, provider } = parse(job);
      const actor = await actorOfJob(sql.db, job);
      const own = provider === undefined ? capabilities.host(capability) : undefined;
      if (own !== undefined) {
        const checked = checkOwn(own, input);
        const call = { actor, job, signal };
        return { own, prepared: own.prepare ? await own.prepare(checked, call) : checked };
      }
      const result = await capabilities.call(capability, input, {
        actor,
        job: { id: job.id, idempotencyKey: job.id },
        signal,
        provider,
        onProgress: (fraction, message) => run.progress(fraction * 100, message),
        onLog: (level, message) => run.log(level, message),
        onUsage: (usage) => run.spend({ usage }),
      });
      return { result };
    },

    isPlain: (called) => "result" in called,

    async commit(tx, called, job) {
      if ("result" in called) return called.result;
      const { own, prepared } = called;
      // What is written in a transaction is too short to be cancelled.
      const { signal } = new AbortController();
      const actor = await actorOfJob(tx, job);
      const value = await own.commit(tx, prepared, { actor, job, signal });
      return {
        value: checkResult(own.name, value, "host"),
        provider: { id: "host", version: VERSION, digest: "" },
        usage: [],
        skipped: [],
      } satisfies CapabilityResult;
    },
  };
}

function parse(job: Job): CallInput {
  const parsed = callInput.safeParse(job.input);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new CarrelError(
    "invalid_parameters",
    `Cannot call a capability: ${issue?.path.map(String).join(".")}: ${issue?.message}.`,
  );
}

/** The input of a function of the host, by its own schema. Throws `invalid_parameters`. */
export function checkOwn(own: HostCapability, input: unknown): Record<string, unknown> {
  const plain = checkInput(own.name, input ?? {});
  if (typeof plain !== "object" || plain === null || Array.isArray(plain)) {
    throw new CarrelError(
      "invalid_parameters",
      `Cannot call "${own.name}": expected its input as a map of fields.`,
    );
  }
  return checkAgainst(own.input, plain, "invalid_parameters", `the input of "${own.name}"`);
}
