import { monotonicFactory } from "ulid";

const next = monotonicFactory();

/** The things that carry an id; the id begins with the word, so that a reader knows what it names. */
export type IdKind =
  | "content"
  | "revision"
  | "artifact"
  | "import"
  | "export"
  | "run"
  | "call"
  | "search"
  | "hook"
  | "schedule"
  | "job"
  | "user"
  | "token"
  | "consent"
  | "version";

/** A new id, `<kind>_<ulid>`: sorted by time of creation, lower case, 26 characters behind the word. */
export function newId(kind: IdKind): string {
  return `${kind}_${next().toLowerCase()}`;
}
