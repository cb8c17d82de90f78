/** Runs of workflows: list, read, watch, answer, retry, fork, cancel. */
import { z } from "@hono/zod-openapi";
import { isEnded, JOB_STATUSES } from "../../jobs/job.ts";
import type { Answer, Run } from "../../workflows/workflows.ts";
import type { Api } from "../api.ts";
import { messageStream } from "../event_stream.ts";
import { createRunFeeds } from "../run_feed.ts";
import { runHeadJson, runJson, stepJson } from "../run_json.ts";
import {
  forkRequestSchema,
  interactRequestSchema,
  retryRunRequestSchema,
  runEventSchema,
  runHeadSchema,
  runSchema,
  stepSchema,
} from "../run_schemas.ts";
import { pageOf } from "../schemas.ts";
import { flag, id, idParam, json, pageQuery } from "./common.ts";

const stepParam = idParam.extend({
  path: z.string().min(1).max(1000).openapi({ param: { name: "path", in: "path" } }),
});

const answered = { 202: { description: "The run, its steps in brief", content: json(runSchema) } };

export function addRunRoutes(api: Api): void {
  const { jobs, workflows } = api.host;
  const { settings } = api;
  const feeds = createRunFeeds({ jobs, workflows });

  api.route("reader", {
    method: "get",
    path: "/api/runs",
    tags: ["runs"],
    summary: "List one's own runs, newest first; an admin sees all",
    request: {
      query: pageQuery.extend({
        workflow: z.string().max(200).optional(),
        status: z.enum(JOB_STATUSES).optional(),
      }),
    },
    responses: { 200: { description: "A page", content: json(pageOf(runHeadSchema)) } },
  }, async (c) => {
    const page = await workflows.runs(c.req.valid("query"), c.get("actor"));
    return c.json({ items: page.items.map(runHeadJson), cursor: page.cursor ?? null }, 200);
  });

  api.route("reader", {
    method: "get",
    path: "/api/runs/{id}",
    tags: ["runs"],
    summary: "A run with its steps",
    request: {
      params: idParam,
      query: z.object({
        brief: flag.optional().openapi({
          description: "Leaves out what the steps were given and what came out of them",
        }),
      }),
    },
    responses: { 200: { description: "The run", content: json(runSchema) } },
  }, async (c) => {
    const { brief } = c.req.valid("query");
    const run = await workflows.run(c.req.valid("param").id, c.get("actor"), { brief });
    return c.json(runJson(run, brief), 200);
  });

  api.route("reader", {
    method: "get",
    path: "/api/runs/{id}/steps/{path}",
    tags: ["runs"],
    summary: "A step of a run, with its result",
    request: { params: stepParam },
    responses: { 200: { description: "The step", content: json(stepSchema) } },
  }, async (c) => {
    const { id, path } = c.req.valid("param");
    return c.json(stepJson(await workflows.step(id, path, c.get("actor"))), 200);
  });

  api.route(
    "reader",
    {
      method: "get",
      path: "/api/runs/{id}/events",
      tags: ["runs"],
      summary: "Watch a run (server-sent events)",
      description:
        "How the run and its steps stand, then each change, until it ends: the last message is the run's end. Each connection begins anew with the whole state, so that one that broke off misses nothing. Only the end has an id: a client that comes back with it gets 204, which tells an EventSource to stay away.",
      request: {
        params: idParam,
        headers: z.object({ "last-event-id": z.string().max(200).optional() }),
      },
      responses: {
        200: {
          description: "A `RunEvent` a message",
          content: { "text/event-stream": { schema: runEventSchema } },
        },
        204: { description: "The run has ended, as the client has seen" },
      },
    },
    async (c) => {
      const { id } = c.req.valid("param");
      const actor = c.get("actor");
      const run = runHeadJson(await workflows.run(id, actor, { brief: true }));
      if (c.req.method === "HEAD") return new Response(null);
      const seen = c.req.valid("header")["last-event-id"];
      if (seen !== undefined && seen === endOf(run)) return c.body(null, 204);
      const abort = new AbortController();
      const signal = AbortSignal.any([abort.signal, settings.signal]);
      const release = api.countStream();
      const body = messageStream(
        feeds.watch(id, actor, signal),
        (event) => ({
          id: event.type === "run" ? endOf(event.run) : undefined,
          data: JSON.stringify(event),
        }),
        { heartbeatMs: settings.heartbeatMs, abort, onEnd: release },
      );
      return new Response(body, {
        headers: { "content-type": "text/event-stream", "x-accel-buffering": "no" },
      });
    },
    { ticket: true },
  );

  api.route("reader", {
    method: "post",
    path: "/api/runs/{id}/interact",
    tags: ["runs"],
    summary: "Answer a step that waits for a person",
    description:
      "One of `choice`, `approve`, `value`. A choice and a value are for who started the run, or an admin; an approval is given by everybody of the role that its step names, who sees nothing else of the run.",
    request: {
      params: idParam,
      body: { required: true, content: json(interactRequestSchema) },
    },
    responses: answered,
  }, async (c) => {
    const { id } = c.req.valid("param");
    const { step, ...body } = c.req.valid("json");
    const actor = c.get("actor");
    const answer: Answer = body.choice !== undefined
      ? { choice: body.choice }
      : body.approve !== undefined
      ? { approve: body.approve, comment: body.comment }
      : { value: body.value };
    return c.json(runJson(await workflows.interact(id, step, answer, actor), true), 202);
  });

  api.route("editor", {
    method: "post",
    path: "/api/runs/{id}/retry",
    tags: ["runs"],
    summary: "Run a failed or cancelled run again",
    description:
      "From its failed steps, or from the step `from` and what follows it. Completed steps stay as they are.",
    request: { params: idParam, body: { content: json(retryRunRequestSchema) } },
    responses: answered,
  }, async (c) => {
    const { id } = c.req.valid("param");
    const { from } = c.req.valid("json");
    return c.json(runJson(await workflows.retry(id, from, c.get("actor")), true), 202);
  });

  api.route("editor", {
    method: "post",
    path: "/api/runs/{id}/fork",
    tags: ["runs"],
    summary:
      "Start a new run with other inputs that takes over the results of the steps before one",
    request: {
      params: idParam,
      body: { required: true, content: json(forkRequestSchema) },
    },
    responses: {
      202: {
        description: "The new run; `Location` leads to it",
        headers: z.object({ location: id }),
        content: json(runSchema),
      },
    },
  }, async (c) => {
    const run = await workflows.fork(
      c.req.valid("param").id,
      c.req.valid("json"),
      c.get("actor"),
    );
    return c.json(runJson(run, true), 202, { location: `/api/runs/${run.id}` });
  });

  api.route("editor", {
    method: "delete",
    path: "/api/runs/{id}",
    tags: ["runs"],
    summary: "Cancel a run and all that runs of it",
    description: "One that has ended stays.",
    request: { params: idParam },
    responses: answered,
  }, async (c) => {
    const run = await workflows.cancel(c.req.valid("param").id, c.get("actor"));
    return c.json(runJson(run, true), 202);
  });
}

/** Names the end of a run; undefined while it goes on. One that is retried has another end. */
function endOf(run: { status: Run["job"]["status"]; completed: string | null }) {
  return isEnded(run.status) ? `end-${run.completed}` : undefined;
}
