/** The jobs port in memory, for tests of the HTTP layer: a job does what the test says, when it says it. */
import { CarrelError } from "../../errors.ts";
import { newId } from "../../ids.ts";
import { isEnded, type Job, type JobEvent } from "../../jobs/job.ts";
import type { Jobs } from "../../jobs/jobs.ts";

export interface MemoryJobs
  extends
    Pick<Jobs, "add" | "get" | "list" | "cancel" | "retry" | "watch" | "children" | "finished"> {
  /** Changes a job and tells those who watch it. */
  update(id: string, change: Partial<Pick<Job, "status" | "progress" | "message">>): void;
  /** Watches that have not ended. */
  watchers(): number;
  /** What a watch throws from now on. */
  breakWatches(error: Error): void;
}

export function createMemoryJobs(): MemoryJobs {
  const jobs = new Map<string, Job>();
  const keys = new Map<string, string>();
  const events = new Map<string, JobEvent[]>();
  const bells = new Set<() => void>();
  let watching = 0;
  let broken: Error | undefined;

  function find(id: string): Job {
    const job = jobs.get(id);
    if (job === undefined) throw new CarrelError("not_found", `Cannot find job "${id}".`);
    return job;
  }

  function put(job: Job): Job {
    jobs.set(job.id, job);
    const story = events.get(job.id) ?? [];
    events.set(job.id, story);
    story.push({
      job_id: job.id,
      seq: story.length + 1,
      status: job.status,
      stage: job.stage ?? null,
      progress: job.progress,
      message: job.message ?? null,
      plugin: job.plugin ?? null,
      timestamp: job.created,
    });
    for (const ring of bells) ring();
    return job;
  }

  return {
    async add(wanted) {
      const key = wanted.idempotencyKey && `${wanted.user} ${wanted.idempotencyKey}`;
      const known = key === undefined ? undefined : keys.get(key);
      if (known !== undefined) return find(known);
      const id = newId(wanted.kind === "noop" ? "job" : wanted.kind);
      if (key !== undefined) keys.set(key, id);
      return put({
        id,
        kind: wanted.kind,
        plugin: wanted.plugin,
        site: wanted.site,
        input: wanted.input,
        status: "queued",
        stage: undefined,
        stages: [],
        progress: 0,
        message: undefined,
        priority: wanted.priority ?? 5,
        attempt: 0,
        maxAttempts: wanted.maxAttempts ?? 4,
        runAt: new Date(0).toISOString(),
        parent: wanted.parent,
        user: wanted.user,
        waitsFor: undefined,
        wakeAt: undefined,
        tries: 0,
        costs: [],
        error: undefined,
        result: undefined,
        created: new Date(0).toISOString(),
        started: undefined,
        completed: undefined,
      });
    },
    get: async (id) => find(id),
    async list({ status, kind, parent, limit = 50, cursor }) {
      const all = [...jobs.values()].reverse().filter((job) =>
        (status === undefined || job.status === status) &&
        (kind === undefined || job.kind === kind) &&
        (parent === undefined || job.parent === parent)
      );
      const from = cursor === undefined ? 0 : Number(cursor);
      const end = from + limit;
      return { items: all.slice(from, end), cursor: end < all.length ? String(end) : undefined };
    },
    async cancel(id) {
      const job = find(id);
      return isEnded(job.status) ? job : put({ ...job, status: "cancelled" });
    },
    async retry(id) {
      const job = find(id);
      if (job.status !== "failed" && job.status !== "cancelled") {
        throw new CarrelError("conflict", `Cannot retry "${id}": it is ${job.status}.`);
      }
      return put({ ...job, status: "queued", priority: Math.min(10, job.priority + 2) });
    },
    async children(id) {
      const of = (status?: Job["status"]) =>
        [...jobs.values()].filter((job) =>
          job.parent === id && (status === undefined || job.status === status)
        ).length;
      return {
        total: of(),
        completed: of("completed"),
        failed: of("failed"),
        cancelled: of("cancelled"),
      };
    },
    async finished(id, signal) {
      while (!isEnded(find(id).status)) {
        signal?.throwIfAborted();
        await bell(signal);
      }
      return find(id);
    },
    async *watch(id, { afterSeq = 0, signal }) {
      find(id);
      watching++;
      try {
        for (let seq = afterSeq; !signal?.aborted;) {
          if (broken !== undefined) throw broken;
          const next = events.get(id)?.[seq];
          if (next !== undefined) {
            seq++;
            yield next;
          } else if (isEnded(find(id).status)) {
            return;
          } else {
            await bell(signal);
          }
        }
      } finally {
        watching--;
      }
    },
    update(id, change) {
      put({ ...find(id), ...change });
    },
    watchers: () => watching,
    breakWatches(error) {
      broken = error;
      for (const ring of bells) ring();
    },
  };

  function bell(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const ring = () => {
        bells.delete(ring);
        signal?.removeEventListener("abort", ring);
        resolve();
      };
      bells.add(ring);
      signal?.addEventListener("abort", ring);
    });
  }
}
