/**
 * How runs stand, for those who watch them. A run is read again when its job or the job of one of its open steps
 * has said something, not more often than reading it costs little, and once for all who watch it.
 */
import type { Actor } from "../auth/actor.ts";
import { isEnded } from "../jobs/job.ts";
import type { Jobs } from "../jobs/jobs.ts";
import type { Workflows } from "../workflows/workflows.ts";
import { runHeadJson, stepHeadJson } from "./run_json.ts";
import type { RunEventJson, RunHeadJson } from "./run_schemas.ts";

export interface RunFeeds {
  /**
   * What there is now, then each change, until the run has ended or the signal is aborted. Steps come before the
   * run, so that its end is the last event; at first an open run comes before its steps.
   */
  watch(id: string, actor: Actor, signal: AbortSignal): AsyncGenerator<RunEventJson, void, void>;
}

export interface RunFeedsOptions {
  readonly jobs: Pick<Jobs, "watch">;
  readonly workflows: Pick<Workflows, "run">;
  /** The least between two reads of one run, milliseconds. @default 20 */
  readonly gapMs?: number | undefined;
  readonly now?: (() => number) | undefined;
}

/** Reading a run takes at most one part in so many of the time. */
const SHARE = 5;
/** Steps whose jobs are listened to, beside the run's own. */
const MOST_CHILDREN = 100;
/** Past every event that there is: only those to come. */
const FROM_NOW = Number.MAX_SAFE_INTEGER;

interface Snapshot {
  readonly at: string;
  readonly run: RunHeadJson;
  /** The run, then its steps, each with its text, which tells whether it has changed. */
  readonly parts: readonly { readonly key: string; readonly text: string; event: RunEventJson }[];
}

interface Feed {
  snapshot: Snapshot | undefined;
  listeners: number;
  readonly stop: AbortController;
  /** Why there is nothing more to come. */
  over: { readonly error?: unknown } | undefined;
  readonly bells: Set<() => void>;
}

export function createRunFeeds(options: RunFeedsOptions): RunFeeds {
  const { jobs, workflows } = options;
  const now = options.now ?? (() => performance.now());
  const gapMs = options.gapMs ?? 20;
  const feeds = new Map<string, Feed>();

  function open(key: string, id: string, actor: Actor): Feed {
    const feed: Feed = {
      snapshot: undefined,
      listeners: 0,
      stop: new AbortController(),
      over: undefined,
      bells: new Set(),
    };
    feeds.set(key, feed);
    const end = (over: { readonly error?: unknown }) => {
      feed.over ??= over;
      feed.stop.abort();
      if (feeds.get(key) === feed) feeds.delete(key);
      ring(feed.bells);
    };
    keepUp(id, actor, feed).then(() => end({}), (error) => end({ error }));
    return feed;
  }

  /** Reads the run whenever something was said, until it has ended or nobody watches. */
  async function keepUp(id: string, actor: Actor, feed: Feed): Promise<void> {
    const { signal } = feed.stop;
    const heard = new Set<() => void>();
    const watched = new Set<string>();
    let dirty = true;
    let closed = false;
    const listen = async (job: string) => {
      for await (const _event of jobs.watch(job, { afterSeq: FROM_NOW, signal })) {
        dirty = true;
        ring(heard);
      }
    };
    let fault: { readonly error: unknown } | undefined;
    // Before the first read, so that nothing falls in between.
    const own = listen(id).catch((error) => void (fault = { error })).then(() => {
      dirty = closed = true;
      ring(heard);
    });
    const children: Promise<void>[] = [];
    try {
      for (;;) {
        dirty = false;
        const last = closed;
        const began = now();
        const run = await workflows.run(id, actor, { brief: true });
        const took = now() - began;
        feed.snapshot = snapshotOf(run);
        ring(feed.bells);
        // The job's stream ends with the run; without its end the host shuts down.
        if (isEnded(run.job.status)) return;
        if (fault !== undefined) throw (fault as { readonly error: unknown }).error;
        if (last) return;
        const openJobs = run.steps.flatMap(({ state, job }) =>
          state === "running" && job !== undefined && !watched.has(job) ? [job] : []
        );
        for (const job of openJobs) {
          if (watched.size >= MOST_CHILDREN) break;
          watched.add(job);
          // One that was forgotten meanwhile says nothing more.
          children.push(listen(job).catch(() => {}).finally(() => watched.delete(job)));
          // It may have gone on between the read and this.
          dirty = true;
        }
        await pause(Math.max(gapMs, took * SHARE), signal);
        while (!dirty && !signal.aborted) await bell(heard, signal);
        if (signal.aborted) return;
      }
    } finally {
      feed.stop.abort();
      await Promise.allSettled([own, ...children]);
    }
  }

  return {
    async *watch(id, actor, signal) {
      const key = keyOf(id, actor);
      const feed = feeds.get(key) ?? open(key, id, actor);
      feed.listeners++;
      const known = new Map<string, string>();
      try {
        for (let seen: Snapshot | undefined; !signal.aborted;) {
          const { snapshot, over } = feed;
          if (snapshot !== undefined && snapshot !== seen) {
            for (const event of changes(snapshot, known, seen === undefined)) {
              yield event;
              if (signal.aborted) return;
            }
            seen = snapshot;
          } else if (over !== undefined) {
            if (over.error !== undefined) throw over.error;
            return;
          } else {
            await bell(feed.bells, signal);
          }
        }
      } finally {
        feed.listeners--;
        if (feed.listeners === 0) {
          feed.stop.abort();
          if (feeds.get(key) === feed) feeds.delete(key);
        }
      }
    },
  };
}

function snapshotOf(
  run: Parameters<typeof runHeadJson>[0] & Awaited<ReturnType<Workflows["run"]>>,
) {
  const at = new Date().toISOString();
  const head = runHeadJson(run);
  const parts = [
    { key: "", text: JSON.stringify(head), event: { type: "run" as const, at, run: head } },
    ...run.steps.map((one) => {
      const step = stepHeadJson(one);
      const event = { type: "step" as const, at, run_id: run.id, step };
      return { key: step.path, text: JSON.stringify(step), event };
    }),
  ];
  return { at, run: head, parts } satisfies Snapshot;
}

/** What is not as `known` has it, which is brought up to date. */
function changes(
  { run, parts }: Snapshot,
  known: Map<string, string>,
  first: boolean,
): RunEventJson[] {
  const found: RunEventJson[] = [];
  for (const { key, text, event } of parts) {
    if (known.get(key) === text) continue;
    known.set(key, text);
    found.push(event);
  }
  const runLast = !first || isEnded(run.status);
  if (runLast && found[0]?.type === "run") found.push(found.shift()!);
  return found;
}

/** Those who may see the same of a run share its feed. */
function keyOf(id: string, { user, role }: Actor): string {
  return role === "admin" ? id : `${id} ${user}`;
}

function ring(bells: Set<() => void>): void {
  for (const one of [...bells]) one();
}

/** Resolves when it is rung, or the signal is aborted. */
function bell(bells: Set<() => void>, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      bells.delete(done);
      signal.removeEventListener("abort", done);
      resolve();
    };
    bells.add(done);
    signal.addEventListener("abort", done);
  });
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const done = () => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done);
  });
}
