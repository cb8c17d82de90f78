/** Jobs: list, read, watch, retry, cancel. */
import { z } from "@hono/zod-openapi";
import { CarrelError } from "../../errors.ts";
import { isEnded, JOB_STATUSES, STAGES } from "../../jobs/job.ts";
import type { Api } from "../api.ts";
import { eventStream } from "../event_stream.ts";
import { jobJson } from "../json.ts";
import { jobDetailSchema, jobEventSchema, jobSchema, pageOf, timeSchema } from "../schemas.ts";
import { upgradeToEvents } from "../websocket.ts";
import { idParam, json, pageQuery } from "./common.ts";

const watchQuery = z.object({
  after: z.coerce.number().int().min(0).optional().openapi({
    description: "Only events with a larger `seq`; a `Last-Event-ID` header says the same",
  }),
});

const retrySchema = z.strictObject({
  from: z.enum(STAGES).optional(),
  /** As earlier versions of the command line say it; it changes nothing. */
  manual: z.boolean().optional(),
}).openapi("RetryRequest");

export function addJobRoutes(api: Api): void {
  const { jobs } = api.host;
  const { settings } = api;

  api.route("reader", {
    method: "get",
    path: "/api/jobs",
    tags: ["jobs"],
    summary: "List jobs, newest first",
    request: {
      query: pageQuery.extend({
        status: z.enum(JOB_STATUSES).optional(),
        kind: z.string().max(50).optional(),
        plugin: z.string().max(200).optional(),
        code: z.string().max(50).optional().openapi({
          description: "Code of the error; of failed jobs unless a status is given",
        }),
        parent: z.string().max(200).optional(),
        user: z.string().max(200).optional(),
        since: timeSchema.optional().openapi({
          description: "Ended since then; what has not ended was made since then",
        }),
      }),
    },
    responses: { 200: { description: "A page", content: json(pageOf(jobSchema)) } },
  }, async (c) => {
    const { since, ...filter } = c.req.valid("query");
    const page = await jobs.list({
      ...filter,
      since: since === undefined ? undefined : new Date(since).toISOString(),
    });
    return c.json({ items: page.items.map(jobJson), cursor: page.cursor ?? null }, 200);
  });

  api.route("reader", {
    method: "get",
    path: "/api/jobs/{id}",
    tags: ["jobs"],
    summary: "A job",
    description: "With its costs, what it waits for, and its children by how they stand.",
    request: { params: idParam },
    responses: { 200: { description: "The job", content: json(jobDetailSchema) } },
  }, async (c) => {
    const { id } = c.req.valid("param");
    const job = await jobs.get(id);
    return c.json({ ...jobJson(job), children: { ...await jobs.children(id) } }, 200);
  });

  api.route("editor", {
    method: "post",
    path: "/api/jobs/{id}/retry",
    tags: ["jobs"],
    summary: "Run a failed or cancelled job again",
    description:
      "Stages that are done are taken from their checkpoints; those from `from` on are done anew.",
    request: {
      params: idParam,
      body: { required: false, content: json(retrySchema) },
    },
    responses: { 202: { description: "The job", content: json(jobSchema) } },
  }, async (c) => {
    const { from } = c.req.valid("json") ?? {};
    return c.json(jobJson(await jobs.retry(c.req.valid("param").id, { from })), 202);
  });

  api.route("editor", {
    method: "delete",
    path: "/api/jobs/{id}",
    tags: ["jobs"],
    summary: "Cancel a job",
    description: "A running one is told, and killed two seconds later. One that has ended stays.",
    request: { params: idParam },
    responses: { 202: { description: "The job", content: json(jobSchema) } },
  }, async (c) => c.json(jobJson(await jobs.cancel(c.req.valid("param").id)), 202));

  api.route(
    "reader",
    {
      method: "get",
      path: "/api/jobs/{id}/events",
      tags: ["jobs"],
      summary: "Watch a job (server-sent events)",
      description:
        "All events of the job so far, then live ones, until it ends. A client that comes back with the `Last-Event-ID` of the end gets 204, which tells an EventSource to stay away.",
      request: {
        params: idParam,
        query: watchQuery,
        headers: z.object({ "last-event-id": z.string().max(100).optional() }),
      },
      responses: {
        200: {
          description: "A `JobEvent` a message",
          content: { "text/event-stream": { schema: jobEventSchema } },
        },
        204: { description: "The job has ended, and there is nothing after that event" },
      },
    },
    async (c) => {
      const { id } = c.req.valid("param");
      const lastId = c.req.valid("header")["last-event-id"];
      const afterSeq = eventNumber(lastId) ?? c.req.valid("query").after ?? 0;
      const job = await jobs.get(id);
      if (c.req.method === "HEAD") return new Response(null);
      const abort = new AbortController();
      const signal = AbortSignal.any([abort.signal, settings.signal]);
      const release = api.countStream();
      let events = jobs.watch(id, { afterSeq, signal })[Symbol.asyncIterator]();
      if (isEnded(job.status) && afterSeq > 0) {
        const first = await events.next();
        if (first.done) {
          release();
          return c.body(null, 204);
        }
        events = startingWith(first.value, events);
      }
      const { heartbeatMs } = settings;
      return new Response(eventStream(events, { heartbeatMs, abort, onEnd: release }), {
        headers: { "content-type": "text/event-stream", "x-accel-buffering": "no" },
      });
    },
    { ticket: true },
  );

  api.route(
    "reader",
    {
      method: "get",
      path: "/ws/jobs/{id}",
      tags: ["jobs"],
      summary: "Watch a job (WebSocket)",
      description:
        "Each message is a `JobEvent`; the socket is closed with 1000 when the job ended.",
      request: { params: idParam, query: watchQuery },
      responses: { 101: { description: "The socket; each message is a `JobEvent`" } },
    },
    async (c) => {
      const { id } = c.req.valid("param");
      const afterSeq = c.req.valid("query").after ?? 0;
      await jobs.get(id);
      if (c.req.header("upgrade")?.toLowerCase() !== "websocket") throw upgradeRequired();
      const { method, path } = c.req;
      const release = api.countStream();
      try {
        return upgradeToEvents(c.req.raw, {
          watch: (signal) => jobs.watch(id, { afterSeq, signal }),
          shutdown: settings.signal,
          onEnd: release,
          onFailure: (error) =>
            settings.onFailure({ requestId: c.get("requestId"), method, path, error }),
        });
      } catch (error) {
        release();
        if (error instanceof TypeError) throw upgradeRequired(error);
        throw error;
      }
    },
    { ticket: true },
  );
}

function upgradeRequired(cause?: unknown): CarrelError {
  return new CarrelError(
    "bad_request",
    "Cannot open a WebSocket: the request does not ask for one.",
    {
      cause,
    },
  );
}

/** The number in a `Last-Event-ID`; undefined for what is none. */
function eventNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

async function* startingWith<T>(first: T, rest: AsyncIterator<T>): AsyncGenerator<T> {
  try {
    yield first;
    for (;;) {
      const next = await rest.next();
      if (next.done) return;
      yield next.value;
    }
  } finally {
    await rest.return?.();
  }
}
