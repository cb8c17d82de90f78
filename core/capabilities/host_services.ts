/**
 * The services of the host that a plugin may be granted: `library.read`, `search` and `events`. What a manifest
 * may declare beside them answers `unavailable` as long as the host does not have it.
 */
import { z } from "zod";
import type { Service } from "../../sandbox/types.ts";
import { CarrelError } from "../errors.ts";
import type { EventLog } from "../event_log/event_log.ts";
import type { Library } from "../library/library.ts";
import { plainJson, PlainJsonError } from "../plain_json.ts";
import { type ServiceName, SERVICES } from "../plugins/manifest.ts";
import type { Search } from "../search/search.ts";
import type { ByteRange } from "../stores/objects.ts";
import type { SqlStore } from "../stores/sql.ts";
import type { HostServices } from "./guest_services.ts";
import { createTextPages } from "./text_pages.ts";

export interface HostServicesParts {
  /** They are made after the handlers of jobs that use them. */
  readonly library: () => Pick<Library, "getContent" | "file" | "open">;
  readonly search: Search;
  readonly sql: Pick<SqlStore, "transaction">;
  readonly eventLog: Pick<EventLog, "append" | "wake">;
}

/** UTF-16 code units of one page of a text. */
const PAGE = 200_000;
const MAX_PAGE = 1_000_000;
/** Bytes of an event's payload, as JSON. */
const MAX_PAYLOAD = 64 * 1024;

/** Events of one job, whatever the number of its attempts, and characters of their payloads. */
const MOST_EVENTS = 1_000;
const MOST_CHARS = 4 * 1024 * 1024;
/** Jobs whose events are counted; the oldest are forgotten. */
const MOST_COUNTED = 10_000;

const id = z.string().min(1).max(200);

const readInput = z.strictObject({
  content: id,
  /** Where to begin, UTF-16 code units. */
  from: z.int().min(0).default(0),
  /** At most so many of them; 0 for the metadata alone. */
  length: z.int().min(0).max(MAX_PAGE).default(PAGE),
});

const searchInput = z.strictObject({
  q: z.string().trim().min(1).max(1000),
  k: z.int().min(1).max(100).optional(),
  collection: z.string().max(200).optional(),
  type: z.string().max(50).optional(),
  language: z.string().max(35).optional(),
});

const eventInput = z.strictObject({
  name: z.string().max(100).regex(/^custom(\.[a-z][a-z0-9_]*)+$/, {
    error: "expected custom.<word>",
  }),
  subject: id.optional(),
  payload: z.record(z.string(), z.unknown()).default({}),
});

export function hostServices(parts: HostServicesParts): HostServices {
  const readPage = createTextPages();
  const count = createQuota();
  return ({ actor, plugin, job }) => {
    const services: Partial<Record<ServiceName, Service>> = {
      /** `{content, from?, length?}` → metadata, and a page of the text; `next` is where the next one begins. */
      async "library.read"(input) {
        const { content: id, from, length } = parse("library.read", readInput, input);
        const library = parts.library();
        const content = await library.getContent(id, actor);
        const file = await library.file(id, "extracted.txt", actor);
        const text = {
          digest: file.digest,
          open: (range?: ByteRange) => library.open(file, range),
        };
        const page = length === 0 ? undefined : await readPage(text, from, length);
        const { type, title, url, authors, collection, metadata, revision, created } = content;
        return {
          id,
          type,
          title,
          url,
          authors,
          published: content.published ?? null,
          language: content.language ?? null,
          summary: content.summary ?? null,
          licence: content.licence ?? null,
          collection,
          metadata,
          revision: revision.id,
          created,
          ...(page !== undefined && {
            from,
            text: page.text,
            length: page.length,
            next: page.end < page.length ? page.end : null,
          }),
        };
      },
      /** As `GET /api/search`. */
      async search(input) {
        const query = parse("search", searchInput, input);
        const hits = await parts.search.search(query, actor);
        return {
          query: query.q,
          hits: hits.map((hit) => ({
            ...hit,
            page: hit.page ?? null,
            heading: hit.heading ?? null,
          })),
        };
      },
      /** `{name: custom.<word>, subject?, payload?}`: there once for each time it is asked for. */
      async events(input) {
        const { name, subject, payload } = parse("events", eventInput, input);
        const plain = boundedPayload(payload);
        count(job.id, JSON.stringify(plain).length);
        await parts.sql.transaction((tx) =>
          parts.eventLog.append(tx, { name, subject, payload: plain, user: actor.user })
        );
        parts.eventLog.wake();
        return null;
      },
    };
    const missing = SERVICES.filter((name) => services[name] === undefined)
      .map((name) => [name, unavailable(name, plugin)]);
    return { ...services, ...Object.fromEntries(missing) };
  };
}

/** Counts what a job logs. What it returns throws `too_large` when that is too much. */
function createQuota(): (job: string, chars: number) => void {
  const counted = new Map<string, { readonly events: number; readonly chars: number }>();
  return (job, more) => {
    const { events, chars } = counted.get(job) ?? { events: 0, chars: 0 };
    if (events >= MOST_EVENTS || chars + more > MOST_CHARS) {
      throw new CarrelError(
        "too_large",
        `Cannot call "events": one job may log ${MOST_EVENTS} events, and 4 MiB in all of them.`,
      );
    }
    counted.delete(job);
    counted.set(job, { events: events + 1, chars: chars + more });
    for (const oldest of counted.keys()) {
      if (counted.size <= MOST_COUNTED) break;
      counted.delete(oldest);
    }
  };
}

function parse<S extends z.ZodType>(service: string, schema: S, input: unknown): z.output<S> {
  const parsed = schema.safeParse(input ?? {});
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const field = issue?.path.map(String).join(".") || "input";
  throw new CarrelError(
    "invalid_parameters",
    `Cannot call "${service}": ${field}: ${issue?.message ?? "it is not valid"}.`,
  );
}

function boundedPayload(payload: Readonly<Record<string, unknown>>): Record<string, unknown> {
  try {
    return plainJson(payload, { maxBytes: MAX_PAYLOAD }) as Record<string, unknown>;
  } catch (error) {
    if (!(error instanceof PlainJsonError)) throw error;
    throw new CarrelError("invalid_parameters", `Cannot call "events": payload: ${error.message}.`);
  }
}

function unavailable(service: string, plugin: string): Service {
  return () =>
    Promise.reject(
      new CarrelError(
        "unavailable",
        `Cannot call "${service}" for "${plugin}": this host does not have it.`,
      ),
    );
}
