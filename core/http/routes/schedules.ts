/** Schedules: what is begun by time. */
import { z } from "@hono/zod-openapi";
import type { Schedules } from "../../schedules/schedules.ts";
import type { Api } from "../api.ts";
import { pageOf } from "../schemas.ts";
import {
  newScheduleSchema,
  scheduleChangeSchema,
  scheduleJson,
  scheduleSchema,
} from "../work_schemas.ts";
import { id, idParam, json, pageQuery } from "./common.ts";

const one = { 200: { description: "The schedule", content: json(scheduleSchema) } };

export function addScheduleRoutes(api: Api, schedules: Schedules): void {
  api.route("reader", {
    method: "get",
    path: "/api/schedules",
    tags: ["schedules"],
    summary: "List schedules, newest first",
    description: "One's own; an admin sees those of everybody.",
    request: { query: pageQuery },
    responses: { 200: { description: "A page", content: json(pageOf(scheduleSchema)) } },
  }, async (c) => {
    const page = await schedules.list(c.req.valid("query"), c.get("actor"));
    return c.json({ items: page.items.map(scheduleJson), cursor: page.cursor ?? null }, 200);
  });

  api.route("editor", {
    method: "post",
    path: "/api/schedules",
    tags: ["schedules"],
    summary: "Make a schedule",
    description:
      "Times that are missed while no host runs are made up for once. A time that comes while the last job has not ended is skipped, unless `overlap` says `allow`.",
    request: { body: { required: true, content: json(newScheduleSchema) } },
    responses: {
      201: {
        description: "The schedule; `Location` leads to it",
        headers: z.object({ location: id }),
        content: json(scheduleSchema),
      },
    },
  }, async (c) => {
    const made = await schedules.add(c.req.valid("json"), c.get("actor"));
    return c.json(scheduleJson(made), 201, { location: `/api/schedules/${made.id}` });
  });

  api.route(
    "reader",
    {
      method: "get",
      path: "/api/schedules/{id}",
      tags: ["schedules"],
      summary: "A schedule",
      request: { params: idParam },
      responses: one,
    },
    async (c) =>
      c.json(scheduleJson(await schedules.get(c.req.valid("param").id, c.get("actor"))), 200),
  );

  api.route("editor", {
    method: "patch",
    path: "/api/schedules/{id}",
    tags: ["schedules"],
    summary: "Change a schedule, switch it on or off",
    description:
      "What is left out stays. One that is switched on begins with its first time from now.",
    request: {
      params: idParam,
      body: { required: true, content: json(scheduleChangeSchema) },
    },
    responses: one,
  }, async (c) => {
    const { id } = c.req.valid("param");
    return c.json(
      scheduleJson(await schedules.change(id, c.req.valid("json"), c.get("actor"))),
      200,
    );
  });

  api.route("editor", {
    method: "delete",
    path: "/api/schedules/{id}",
    tags: ["schedules"],
    summary: "Remove a schedule",
    description: "Jobs that it began go on.",
    request: { params: idParam },
    responses: { 204: { description: "Removed" } },
  }, async (c) => {
    await schedules.remove(c.req.valid("param").id, c.get("actor"));
    return c.body(null, 204);
  });

  api.route("editor", {
    method: "post",
    path: "/api/schedules/{id}/run",
    tags: ["schedules"],
    summary: "Begin its work now",
    description: "Its times stay as they are.",
    request: { params: idParam },
    responses: {
      202: { description: "The job", content: json(z.object({ job: z.string() })) },
    },
  }, async (c) => c.json(await schedules.runNow(c.req.valid("param").id, c.get("actor")), 202));
}
