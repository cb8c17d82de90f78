/**
 * What handlers and plugins say while jobs run: kept in rows, bounded a job, the oldest lines dropped first. `seq`
 * counts every line that was ever said, so that what was dropped shows as a gap.
 *
 * Lines are gathered in memory and written by one transaction a tick; a reader is never shown less than what was
 * said. What was said in the last tick before a crash is lost.
 */
import type { Kysely } from "kysely";
import { prepared } from "../stores/prepared.ts";
import type { Database, SqlStore, Tx } from "../stores/sql.ts";
import type { Clock } from "./clock.ts";
import { LOG_LEVELS, type LogLevel } from "./job_log_levels.ts";
import { isoTime } from "./row.ts";

export { LOG_LEVELS, type LogLevel };

export interface LogLine {
  /** Ascends by one within the job; a gap is where lines were dropped. */
  readonly seq: number;
  readonly time: string;
  readonly level: LogLevel;
  readonly message: string;
}

export interface LogPage {
  readonly lines: readonly LogLine[];
  /** How many lines of the job have been dropped in all. */
  readonly dropped: number;
  /** Whether there are more after these. */
  readonly more: boolean;
}

export interface LogFilter {
  /** Only lines of a larger `seq`. @default 0 */
  readonly after?: number | undefined;
  /** Only lines of this level and those above it. @default "debug" */
  readonly level?: LogLevel | undefined;
  /** @default 1000 */
  readonly limit?: number | undefined;
}

export interface JobLogs extends AsyncDisposable {
  /** Adds a line. Never throws, never waits: it may be called often, by strangers. */
  write(job: string, level: LogLevel, message: string): void;
  /** In order; what was said until now is among them. */
  read(job: string, filter?: LogFilter): Promise<LogPage>;
  /** Resolves when a line is said of this level or one above it, or the signal is aborted. */
  said(job: string, level: LogLevel, signal: AbortSignal): Promise<void>;
}

export interface JobLogOptions {
  readonly sql: SqlStore;
  readonly clock: Clock;
  /** Of one job. @default 1000 */
  readonly maxLines?: number | undefined;
  /** Of one job, UTF-8. @default 256 KiB */
  readonly maxBytes?: number | undefined;
  /** Lines are written this long after they were said, milliseconds. @default 100 */
  readonly tickMs?: number | undefined;
  /** Lines of all jobs that one tick writes; the rest waits for the next. @default 500 */
  readonly tickLines?: number | undefined;
  /** @default console.error */
  readonly report?: ((error: unknown) => void) | undefined;
}

/** Of one line, characters. */
const MAX_MESSAGE = 4_096;
/** Jobs whose lines on disk are remembered, so that they need not be counted again. */
const REMEMBERED = 256;

interface Said extends Omit<LogLine, "seq"> {
  readonly bytes: number;
}

/** Lines of one job: those on disk by their sizes, and those that are not there yet. */
interface Story {
  /** Undefined until the rows were looked at. */
  written: { first: number; sizes: number[]; bytes: number } | undefined;
  waiting: Said[];
  waitingBytes: number;
  /** Dropped from those that wait, before the first of them. */
  skipped: number;
}

const insertLine = prepared<LogLine & { job_id: string }, unknown>((db, slot) =>
  db.insertInto("job_log").values({
    job_id: slot("job_id"),
    seq: slot("seq"),
    time: slot("time"),
    level: slot("level"),
    message: slot("message"),
  })
);

const dropLines = prepared<{ job: string; before: number }, unknown>((db, slot) =>
  db.deleteFrom("job_log").where("job_id", "=", slot("job")).where("seq", "<", slot("before"))
);

export function createJobLogs(options: JobLogOptions): JobLogs {
  const { sql, clock } = options;
  const maxLines = options.maxLines ?? 1_000;
  const maxBytes = options.maxBytes ?? 256 * 1024;
  const tickMs = options.tickMs ?? 100;
  const tickLines = options.tickLines ?? 500;
  const report = options.report ?? ((error) => console.error(error));
  const stories = new Map<string, Story>();
  const listeners = new Map<string, Set<(level: LogLevel) => void>>();
  let takeBack: (() => void) | undefined;
  let flushing: Promise<void> = Promise.resolve();
  let closed = false;

  function storyOf(job: string): Story {
    const known = stories.get(job);
    if (known !== undefined) return known;
    const story = { written: undefined, waiting: [], waitingBytes: 0, skipped: 0 };
    stories.set(job, story);
    return story;
  }

  function write(job: string, level: LogLevel, message: string): void {
    if (closed) return;
    const text = bounded(message);
    const story = storyOf(job);
    const bytes = byteLength(text);
    story.waiting.push({ time: isoTime(clock.now()), level, message: text, bytes });
    story.waitingBytes += bytes;
    // More than can be kept is never written at all.
    let drop = 0;
    while (story.waiting.length - drop > maxLines || story.waitingBytes > maxBytes) {
      story.waitingBytes -= story.waiting[drop++]!.bytes;
    }
    if (drop > 0) story.waiting.splice(0, drop);
    story.skipped += drop;
    for (const tell of [...(listeners.get(job) ?? [])]) tell(level);
    takeBack ??= clock.after(tickMs, tick);
  }

  function tick(): void {
    takeBack = undefined;
    flush(tickLines).catch(report).then(() => {
      if (closed || takeBack !== undefined) return;
      const isLeft = [...stories.values()].some(({ waiting }) => waiting.length > 0);
      if (isLeft) takeBack = clock.after(tickMs, tick);
    });
  }

  /** One after another: the sequence numbers are counted here. */
  function flush(most: number, only?: string): Promise<void> {
    const next = flushing.then(() => flushNow(most, only));
    flushing = next.catch(() => {});
    return next;
  }

  async function flushNow(most: number, only: string | undefined): Promise<void> {
    const jobs = only === undefined ? [...stories.keys()] : [only];
    const parts: { job: string; story: Story; lines: Said[]; skipped: number }[] = [];
    let left = most;
    for (const job of jobs) {
      const story = stories.get(job);
      if (story === undefined || story.waiting.length === 0 || left === 0) continue;
      // Nobody is kept from his turn by one who says much: he stands at the end afterwards.
      stories.delete(job);
      stories.set(job, story);
      const lines = story.waiting.splice(0, left);
      for (const { bytes } of lines) story.waitingBytes -= bytes;
      parts.push({ job, story, lines, skipped: story.skipped });
      story.skipped = 0;
      left -= lines.length;
    }
    if (parts.length === 0) return forget();
    try {
      await sql.transaction(async (tx) => {
        for (const part of parts) await append(tx, part);
      });
    } catch (error) {
      // The lines are gone; what is on disk must be looked at anew.
      for (const { story } of parts) story.written = undefined;
      throw error;
    }
    forget();
  }

  async function append(
    tx: Tx,
    { job, story, lines, skipped }: { job: string; story: Story; lines: Said[]; skipped: number },
  ): Promise<void> {
    const written = story.written ??= await writtenOf(tx, job);
    if (skipped > 0) {
      // There was more to say than can be kept: all that is older goes first.
      written.first += written.sizes.length + skipped;
      written.sizes = [];
      written.bytes = 0;
    }
    let seq = written.first + written.sizes.length;
    for (const { bytes, ...line } of lines) {
      await insertLine(tx, { job_id: job, seq: seq++, ...line });
      written.sizes.push(bytes);
      written.bytes += bytes;
    }
    let drop = 0;
    while (written.sizes.length - drop > maxLines || written.bytes > maxBytes) {
      written.bytes -= written.sizes[drop++]!;
    }
    if (drop > 0) written.sizes.splice(0, drop);
    written.first += drop;
    if (drop + skipped > 0) await dropLines(tx, { job, before: written.first });
  }

  function forget(): void {
    for (const [job, { waiting }] of stories) {
      if (stories.size <= REMEMBERED) return;
      if (waiting.length === 0) stories.delete(job);
    }
  }

  return {
    write,
    async read(job, filter = {}) {
      await flush(Infinity, job);
      return await readLines(sql.db, job, filter);
    },
    async said(job, level, signal) {
      if (signal.aborted) return;
      const { promise, resolve } = Promise.withResolvers<void>();
      const least = LOG_LEVELS.indexOf(level);
      const hear = (said: LogLevel) => {
        if (LOG_LEVELS.indexOf(said) >= least) resolve();
      };
      const stop = () => resolve();
      const ofJob = listeners.get(job) ?? new Set();
      listeners.set(job, ofJob.add(hear));
      signal.addEventListener("abort", stop);
      await promise;
      signal.removeEventListener("abort", stop);
      ofJob.delete(hear);
      if (ofJob.size === 0 && listeners.get(job) === ofJob) listeners.delete(job);
    },
    async [Symbol.asyncDispose]() {
      closed = true;
      takeBack?.();
      takeBack = undefined;
      await flush(Infinity).catch(report);
    },
  };
}

/** What is on disk of a job's log. */
async function writtenOf(tx: Tx, job: string): Promise<NonNullable<Story["written"]>> {
  const rows = await tx.selectFrom("job_log").select(["seq", "message"])
    .where("job_id", "=", job).orderBy("seq").execute();
  const first = rows[0]?.seq ?? 1;
  const sizes: number[] = [];
  // A gap counts as lines without bytes.
  for (const { seq, message } of rows) {
    while (first + sizes.length < seq) sizes.push(0);
    sizes.push(byteLength(message));
  }
  return { first, sizes, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}

async function readLines(
  db: Kysely<Database>,
  job: string,
  { after = 0, level = "debug", limit = 1_000 }: LogFilter,
): Promise<LogPage> {
  const rows = await db.selectFrom("job_log").select(["seq", "time", "level", "message"])
    .where("job_id", "=", job).where("seq", ">", after)
    .where("level", "in", LOG_LEVELS.slice(LOG_LEVELS.indexOf(level)))
    .orderBy("seq").limit(limit + 1).execute();
  const all = await db.selectFrom("job_log").where("job_id", "=", job)
    .select((select) => [
      select.fn.max("seq").as("last"),
      select.fn.countAll<number>().as("count"),
    ]).executeTakeFirstOrThrow();
  return {
    lines: rows.slice(0, limit) as LogLine[],
    dropped: Number(all.last ?? 0) - Number(all.count),
    more: rows.length > limit,
  };
}

/** One line's text, as it can be stored and shown. */
function bounded(message: string): string {
  const text = String(message).replaceAll("\0", "\ufffd");
  return (text.length <= MAX_MESSAGE ? text : `${text.slice(0, MAX_MESSAGE - 1)}…`).toWellFormed();
}

const encoder = new TextEncoder();
const byteLength = (text: string) => encoder.encode(text).length;
