/** Capabilities: what plugins and the host can be asked for, and asking. */
import { z } from "@hono/zod-openapi";
import { CarrelError } from "../../errors.ts";
import { isEnded, type Job } from "../../jobs/job.ts";
import type { CapabilityResult } from "../../capabilities/capabilities.ts";
import type { CapabilityRequests } from "../../capabilities/requests.ts";
import type { Api } from "../api.ts";
import { jobJson } from "../json.ts";
import { acceptedSchema } from "../schemas.ts";
import { idempotencyHeader, json } from "./common.ts";

/** How long a caller is kept waiting before the answer is a job, milliseconds. */
const PATIENCE_MS = 100_000;

const infoSchema = z.object({
  name: z.string(),
  description: z.string().nullable(),
  /** In the order in which they are asked; `host` for a function of the host. */
  providers: z.array(z.object({
    plugin: z.string(),
    enabled: z.boolean(),
    /** Why it is passed over now. */
    down: z.string().nullable(),
  })),
}).openapi("Capability");

const usageSchema = z.object({
  plugin: z.string(),
  model: z.string(),
  input_tokens: z.number().optional(),
  output_tokens: z.number().optional(),
  cost: z.number().optional(),
  currency: z.string().optional(),
});

export const capabilityResultSchema = z.object({
  value: z.unknown(),
  provider: z.object({ id: z.string(), version: z.string(), digest: z.string() }),
  usage: z.array(usageSchema),
  /** Providers that were tried before. */
  skipped: z.array(z.object({ plugin: z.string(), why: z.string() })),
  /** The job that did it. */
  job: z.string(),
}).openapi("CapabilityResult");

const requestSchema = z.strictObject({
  input: z.unknown(),
  /** This plugin and no other. */
  provider: z.string().min(1).max(200).optional(),
  priority: z.number().int().min(1).max(10).optional(),
}).openapi("CapabilityRequest");

export function addCapabilityRoutes(api: Api, capabilities: CapabilityRequests): void {
  const { jobs } = api.host;

  api.route("reader", {
    method: "get",
    path: "/api/capabilities",
    tags: ["capabilities"],
    summary: "List capabilities and who provides them",
    responses: {
      200: { description: "By name", content: json(z.object({ items: z.array(infoSchema) })) },
    },
  }, (c) => {
    const items = capabilities.list().map(({ name, description, providers }) => ({
      name,
      description: description ?? null,
      providers: providers.map((one) => ({ ...one, down: one.down ?? null })),
    }));
    return c.json({ items }, 200);
  });

  api.route(
    "editor",
    {
      method: "post",
      path: "/api/capabilities/{name}",
      tags: ["capabilities"],
      summary: "Call a capability",
      description:
        "Answers with the result. With `Prefer: respond-async`, when it takes longer than 100 seconds, or when it waits for a permission, it answers 202 with the job that goes on. A call whose client hangs up is cancelled.",
      request: {
        params: z.object({
          name: z.string().max(200).regex(/^[a-z][a-z0-9_]*(\.[a-z][a-z0-9_]*)+$/, {
            error: "expected a capability such as text.generate",
          }).openapi({ param: { name: "name", in: "path" } }),
        }),
        headers: idempotencyHeader.extend({ prefer: z.string().max(200).optional() }),
        body: { required: true, content: json(requestSchema) },
      },
      responses: {
        200: { description: "The result", content: json(capabilityResultSchema) },
        202: { description: "The call goes on as a job", content: json(acceptedSchema) },
      },
    },
    async (c) => {
      const { name } = c.req.valid("param");
      const { input, provider, priority } = c.req.valid("json");
      const header = c.req.valid("header");
      const later = /(^|,)\s*respond-async\s*(,|;|$)/i.test(header.prefer ?? "");
      const job = await capabilities.start(name, {
        input,
        provider,
        priority,
        idempotencyKey: header["idempotency-key"],
        maxAttempts: later ? undefined : 1,
      }, c.get("actor"));
      const ended = later ? job : await waitFor(job, c.req.raw.signal);
      if (!isEnded(ended.status) || later) {
        return c.json({ job: jobJson(ended), jobs: [jobJson(ended)] }, 202);
      }
      if (ended.status === "completed") {
        const { value, provider, usage, skipped } = ended.result as CapabilityResult;
        const answer = {
          value,
          provider,
          usage: usage.map((one) => ({ ...one })),
          skipped: skipped.map((one) => ({ ...one })),
          job: ended.id,
        };
        return c.json(answer as z.infer<typeof capabilityResultSchema>, 200);
      }
      throw failureOf(name, ended);
    },
  );

  /** The job when it has ended, or waits for a person, or has taken too long for its caller. */
  async function waitFor({ id }: Job, client: AbortSignal): Promise<Job> {
    const patience = new AbortController();
    const timer = setTimeout(() => patience.abort(), PATIENCE_MS);
    const stop = () => patience.abort();
    const signals = [client, api.settings.signal];
    for (const signal of signals) {
      if (signal.aborted) stop();
      signal.addEventListener("abort", stop, { once: true });
    }
    try {
      for await (const { status } of jobs.watch(id, { signal: patience.signal })) {
        if (status === "waiting" || isEnded(status)) break;
      }
    } finally {
      clearTimeout(timer);
      for (const signal of signals) signal.removeEventListener("abort", stop);
    }
    return client.aborted ? await jobs.cancel(id) : await jobs.get(id);
  }
}

function failureOf(name: string, { status, error }: Job): CarrelError {
  if (status === "cancelled" || error === undefined) {
    return new CarrelError("cancelled", `Cannot go on with "${name}": it was cancelled.`);
  }
  const { code, message, retryable, details } = error;
  return new CarrelError(code, message, { retryable, details: details ? { ...details } : {} });
}
