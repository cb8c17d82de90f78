/** The host's things as the API says them: snake_case, `null` for what is not there. */
import type { TokenInfo } from "../auth/auth.ts";
import type { Job } from "../jobs/job.ts";
import type { Content } from "../library/library.ts";
import type { AttributionReport, Genealogy } from "../provenance/provenance.ts";
import type { SearchHit } from "../search/search.ts";
import { fileJson } from "./artifact_json.ts";
import type {
  AttributionJson,
  ContentJson,
  GenealogyJson,
  JobJson,
  SearchAnswerJson,
  TokenJson,
} from "./schemas.ts";

export function jobJson(job: Job): JobJson {
  return {
    id: job.id,
    kind: job.kind,
    plugin: job.plugin ?? null,
    status: job.status,
    stage: job.stage ?? null,
    stages: job.stages.map(({ name, executor }) => ({ name, executor })),
    progress: job.progress,
    message: job.message ?? null,
    priority: job.priority,
    attempt: job.attempt,
    tries: job.tries,
    max_attempts: job.maxAttempts,
    run_at: job.runAt,
    waits_for: job.waitsFor ?? null,
    wake_at: job.wakeAt ?? null,
    costs: job.costs.map(({ usage, ...cost }) => ({
      ...cost,
      ...(usage === undefined ? {} : { usage: usage.map((one) => ({ ...one })) }),
    })),
    parent: job.parent ?? null,
    user: job.user,
    input: job.input ?? null,
    result: job.result ?? null,
    error: job.error === undefined ? null : {
      code: job.error.code,
      message: job.error.message,
      retryable: job.error.retryable,
      ...(job.error.details === undefined ? {} : { details: { ...job.error.details } }),
      ...(job.error.log === undefined ? {} : { log: [...job.error.log] }),
    },
    created: job.created,
    started: job.started ?? null,
    completed: job.completed ?? null,
  };
}

export function contentJson(content: Content): ContentJson {
  return {
    id: content.id,
    url: content.url,
    filename: content.filename ?? null,
    type: content.type,
    title: content.title,
    authors: [...content.authors],
    published: content.published ?? null,
    language: content.language ?? null,
    summary: content.summary ?? null,
    licence: content.licence ?? null,
    status: content.status,
    metadata: { ...content.metadata },
    warnings: [...content.warnings],
    collection: content.collection,
    user: content.user,
    revision: { ...content.revision },
    files: content.files.map(fileJson),
    created: content.created,
    updated: content.updated,
  };
}

export function searchHitJson(hit: SearchHit): SearchAnswerJson["hits"][number] {
  return {
    chunk: hit.chunk,
    content: { ...hit.content },
    revision: hit.revision,
    start: hit.start,
    end: hit.end,
    page: hit.page ?? null,
    heading: hit.heading ?? null,
    text: hit.text,
    highlights: hit.highlights.map(([start, end]) => [start, end]),
    score: hit.score,
  };
}

export function genealogyJson(genealogy: Genealogy): GenealogyJson {
  return {
    root: genealogy.root,
    nodes: genealogy.nodes.map(({ id, type, label, properties }) => ({
      id,
      type,
      label,
      properties: { ...properties },
    })),
    edges: genealogy.edges.map(({ from, to, type, claimedBy }) => ({
      from,
      to,
      type,
      claimed_by: claimedBy,
    })),
    truncated: genealogy.truncated,
  };
}

export function attributionJson(report: AttributionReport): AttributionJson {
  return {
    artifact: report.artifact,
    text: report.text,
    parts: report.parts.map((part) => ({
      id: part.id,
      kind: part.kind,
      title: part.title ?? null,
      location: part.location ?? null,
      claimed_by: part.claimedBy,
      sources: part.sources.map((source) => ({
        content: source.content,
        title: source.title,
        url: source.url ?? null,
        revision: source.revision ?? null,
        passages: source.passages.map((passage) => ({
          chunk: passage.chunk,
          start: passage.start,
          end: passage.end,
          page: passage.page ?? null,
        })),
      })),
    })),
    truncated: report.truncated,
  };
}

export function tokenJson(token: TokenInfo): TokenJson {
  return {
    id: token.id,
    name: token.name,
    user: token.user,
    role: token.role,
    created: token.created,
    last_used: token.lastUsed ?? null,
    expires: token.expires ?? null,
  };
}
