/** Jobs, many at a time: their logs, failed ones run again, old ones deleted. */
import { z } from "@hono/zod-openapi";
import { DAY_MS } from "../../jobs/clock.ts";
import { END_STATUSES, isEnded } from "../../jobs/job.ts";
import type { JobCare } from "../../jobs/job_care.ts";
import { LOG_LEVELS, type LogFilter, type LogPage } from "../../jobs/job_log.ts";
import type { Api } from "../api.ts";
import {
  jobLogSchema,
  prunedSchema,
  pruneRequestSchema,
  retriedAllSchema,
  retryAllRequestSchema,
} from "../job_schemas.ts";
import { idParam, json } from "./common.ts";

const logQuery = z.object({
  after: z.coerce.number().int().min(0).optional().openapi({
    description: "Only lines with a larger `seq`",
  }),
  level: z.enum(LOG_LEVELS).optional().openapi({
    description: "Only lines of this level and those above it",
  }),
  limit: z.coerce.number().int().min(1).max(1_000).optional(),
  wait: z.coerce.number().int().min(0).max(60).optional().openapi({
    description: "Where there is no such line yet, wait for one so many seconds",
  }),
});

export function addJobCareRoutes(api: Api, care: JobCare): void {
  const { jobs } = api.host;
  const { settings } = api;

  api.route("reader", {
    method: "get",
    path: "/api/jobs/{id}/log",
    tags: ["jobs"],
    summary: "What was said while a job ran",
    description:
      "Lines of the host and of the job's plugin, over all its attempts: the last 1,000 of them and at most 256 KiB. `dropped` says how many older ones are gone. With `wait` it is a long poll: it answers when there are lines behind `after`, when the job has ended (`ended`), or when the time is up.",
    request: { params: idParam, query: logQuery },
    responses: { 200: { description: "The lines, in order", content: json(jobLogSchema) } },
  }, async (c) => {
    const { id } = c.req.valid("param");
    const { wait = 0, ...filter } = c.req.valid("query");
    const signal = AbortSignal.any([settings.signal, c.req.raw.signal]);
    const { page, ended } = await read(id, filter, wait, signal);
    return c.json({
      items: page.lines.map((line) => ({ ...line })),
      dropped: page.dropped,
      more: page.more,
      ended,
    }, 200);
  });

  async function read(id: string, filter: LogFilter, waitS: number, outer: AbortSignal) {
    // Asked for before the lines: a job that had ended by then says nothing more.
    let ended = isEnded((await jobs.get(id)).status);
    let page: LogPage = await care.log.read(id, filter);
    if (page.lines.length > 0 || ended || waitS === 0) return { page, ended };
    const release = api.countStream();
    const enough = new AbortController();
    const timer = setTimeout(() => enough.abort(), waitS * 1000);
    const signal = AbortSignal.any([outer, enough.signal]);
    try {
      const end = jobs.finished(id, signal).then(() => {}, () => {});
      for (;;) {
        // Listened for before it is looked: what is said in between is not missed.
        const said = care.log.said(id, filter.level ?? "debug", signal);
        ended = isEnded((await jobs.get(id)).status);
        page = await care.log.read(id, filter);
        if (page.lines.length > 0 || ended || signal.aborted) return { page, ended };
        await Promise.race([said, end]);
      }
    } finally {
      clearTimeout(timer);
      enough.abort();
      release();
    }
  }

  api.route("editor", {
    method: "post",
    path: "/api/jobs/retry",
    tags: ["jobs"],
    summary: "Run failed jobs again",
    description:
      "All that the filter means, the oldest first. Steps of runs are left to their runs. It ends early, with `more`, at `max` and when the queue is full (`retry_after_s`).",
    request: { body: { required: true, content: json(retryAllRequestSchema) } },
    responses: { 200: { description: "What became of them", content: json(retriedAllSchema) } },
  }, async (c) => {
    const { filter, max } = c.req.valid("json");
    const { since, ...rest } = filter;
    const done = await care.retryAll(
      { ...rest, since: since === undefined ? undefined : new Date(since).toISOString() },
      { max, signal: AbortSignal.any([settings.signal, c.req.raw.signal]) },
    );
    return c.json({
      retried: done.retried,
      refused: done.refused,
      refusals: done.refusals.map(({ job, code, message }) => ({ job, code, detail: message })),
      more: done.more,
      retry_after_s: done.retryAfterS ?? null,
    }, 200);
  });

  api.route("admin", {
    method: "post",
    path: "/api/jobs/prune",
    tags: ["jobs"],
    summary: "Delete old jobs",
    description:
      "Ended jobs with their events and logs, and the jobs below them; runs keep their rows and lose the events and logs of their jobs. Contents, artifacts and lineage stay.",
    request: { body: { required: true, content: json(pruneRequestSchema) } },
    responses: {
      200: { description: "What went, or would have gone", content: json(prunedSchema) },
    },
  }, async (c) => {
    const { older_than_days, status, dry_run = false } = c.req.valid("json");
    const { jobs, runs } = await care.retention.prune({
      olderThanMs: older_than_days * DAY_MS,
      statuses: status === undefined ? END_STATUSES : [status],
      dryRun: dry_run,
      signal: settings.signal,
    });
    return c.json({ jobs, runs, dry_run }, 200);
  });
}
