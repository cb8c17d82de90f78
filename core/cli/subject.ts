/** Words for what a job is about. */
import type { JobJson } from "./wire.ts";

interface Input {
  readonly url?: unknown;
  readonly upload?: { readonly name?: unknown };
  readonly format?: unknown;
  readonly parameters?: { readonly title?: unknown };
}

/** What a job is about, in a few words: the file, the address, the title. */
export function subjectOf(job: JobJson): string {
  const input = job.input as Input | null;
  const names = [input?.upload?.name, input?.url, input?.parameters?.title, input?.format];
  return names.find((name) => typeof name === "string") ?? job.plugin ?? job.kind;
}

/** A message of a job, with the name of the uploaded file where the host knows only the digest of its bytes. */
export function messageOf(job: Pick<JobJson, "input">, message: string): string {
  const name = (job.input as Input | null)?.upload?.name;
  return typeof name === "string" ? message.replaceAll(/upload:[0-9a-f]{64}/g, name) : message;
}
