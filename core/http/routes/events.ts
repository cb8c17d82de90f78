/** What happened in the library: read, and watch. */
import { z } from "@hono/zod-openapi";
import type { Context } from "hono";
import { CarrelError } from "../../errors.ts";
import type { EventFilter, EventLog } from "../../event_log/event_log.ts";
import { checkPatterns } from "../../event_log/names.ts";
import type { Api } from "../api.ts";
import type { HttpEnv } from "../env.ts";
import { messageStream } from "../event_stream.ts";
import { upgradeToEvents } from "../websocket.ts";
import { eventPageSchema, loggedEventJson, loggedEventSchema } from "../work_schemas.ts";
import { id, json } from "./common.ts";

const filterQuery = z.object({
  names: z.string().max(1000).optional().openapi({
    description: "Only these, parted by commas; `artifact.*` means all that begin so",
  }),
  subject: id.optional().openapi({ description: "Only what happened to the thing of this id" }),
});

const after = z.coerce.number().int().min(0).optional();

export function addEventRoutes(
  api: Api,
  eventLog: Pick<EventLog, "read" | "newest" | "watch">,
): void {
  const { settings } = api;
  const about = "Each user sees events of their own and of the host.";

  api.route("reader", {
    method: "get",
    path: "/api/events",
    tags: ["events"],
    summary: "What happened, oldest first",
    description: `${about} \`after\` of the answer asks for the next page.`,
    request: {
      query: filterQuery.extend({
        after: after.openapi({ description: "Only events with a larger `seq`" }),
        limit: z.coerce.number().int().min(1).max(500).optional().openapi({
          description: "Events of one page; 100 unless said",
        }),
      }),
    },
    responses: { 200: { description: "A page", content: json(eventPageSchema) } },
  }, async (c) => {
    const query = c.req.valid("query");
    const { limit = 100 } = query;
    const from = query.after ?? 0;
    const newest = await eventLog.newest();
    const events = await eventLog.read(from, filterOf(c, query), limit);
    return c.json({
      items: events.map(loggedEventJson),
      // A page that is not full has looked at all that there was.
      after: events.length < limit ? Math.max(events.at(-1)?.seq ?? 0, newest) : events.at(-1)!.seq,
    }, 200);
  });

  api.route(
    "reader",
    {
      method: "get",
      path: "/api/events/stream",
      tags: ["events"],
      summary: "Watch what happens (server-sent events)",
      description:
        `${about} Live events; with \`after\`, or a \`Last-Event-ID\` header, first those behind that number, without a gap.`,
      request: {
        query: filterQuery.extend({ after }),
        headers: z.object({ "last-event-id": z.string().max(100).optional() }),
      },
      responses: {
        200: {
          description: "A `LoggedEvent` a message",
          content: { "text/event-stream": { schema: loggedEventSchema } },
        },
      },
    },
    async (c) => {
      const query = c.req.valid("query");
      const filter = filterOf(c, query);
      const lastId = eventNumber(c.req.valid("header")["last-event-id"]);
      // Found out now: what happens once the answer has begun is not missed.
      const afterSeq = lastId ?? query.after ?? await eventLog.newest();
      if (c.req.method === "HEAD") return new Response(null);
      const abort = new AbortController();
      const signal = AbortSignal.any([abort.signal, settings.signal]);
      const release = api.countStream();
      const body = messageStream(
        eventLog.watch({ ...filter, afterSeq, signal })[Symbol.asyncIterator](),
        (event) => ({ id: event.seq, data: JSON.stringify(loggedEventJson(event)) }),
        { heartbeatMs: settings.heartbeatMs, abort, onEnd: release },
      );
      return new Response(body, {
        headers: { "content-type": "text/event-stream", "x-accel-buffering": "no" },
      });
    },
    { ticket: true },
  );

  api.route(
    "reader",
    {
      method: "get",
      path: "/ws/events",
      tags: ["events"],
      summary: "Watch what happens (WebSocket)",
      description: `${about} Live events; with \`after\` first those behind that number.`,
      request: { query: filterQuery.extend({ after }) },
      responses: { 101: { description: "The socket; each message is a `LoggedEvent`" } },
    },
    async (c) => {
      const query = c.req.valid("query");
      const filter = filterOf(c, query);
      const afterSeq = query.after ?? await eventLog.newest();
      if (c.req.header("upgrade")?.toLowerCase() !== "websocket") throw upgradeRequired();
      const { method, path } = c.req;
      const release = api.countStream();
      try {
        return upgradeToEvents(c.req.raw, {
          async *watch(signal) {
            for await (const event of eventLog.watch({ ...filter, afterSeq, signal })) {
              yield loggedEventJson(event);
            }
          },
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

function filterOf(
  c: Context<HttpEnv>,
  { names, subject }: z.infer<typeof filterQuery>,
): EventFilter {
  const wanted = names?.split(",").map((name) => name.trim()).filter((name) => name !== "");
  checkPatterns(wanted ?? []);
  return { names: wanted?.length === 0 ? undefined : wanted, subject, user: c.get("actor").user };
}

/** The number in a `Last-Event-ID`; undefined for what is none. */
function eventNumber(text: string | undefined): number | undefined {
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function upgradeRequired(cause?: unknown): CarrelError {
  const message = "Cannot open a WebSocket: the request does not ask for one.";
  return new CarrelError("bad_request", message, { cause });
}
