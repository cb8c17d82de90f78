/** Names of events, and patterns of them. */
import { CarrelError } from "../errors.ts";
import { EVENT_NAMES, type EventFilter, type LoggedEvent } from "./event_log.ts";

const CUSTOM = /^custom(\.[a-z][a-z0-9_]{0,60}){1,4}$/;
const PATTERN = /^(\*|[a-z][a-z0-9_]{0,60}(\.[a-z][a-z0-9_]{0,60}){0,4}(\.\*)?)$/;

/** Whether something may be logged under this name. */
export function isEventName(name: string): boolean {
  return (EVENT_NAMES as readonly string[]).includes(name) || CUSTOM.test(name);
}

/** Whether a name is meant: the same one, a beginning such as `artifact.*`, or `*`. */
export function matchesName(pattern: string, name: string): boolean {
  if (pattern === "*" || pattern === name) return true;
  return pattern.endsWith(".*") && name.startsWith(pattern.slice(0, -1));
}

export function matchesFilter(
  event: Pick<LoggedEvent, "name" | "subject" | "user">,
  filter: EventFilter,
  hostUser: string,
): boolean {
  const { names, subject, user } = filter;
  if (names !== undefined && !names.some((name) => matchesName(name, event.name))) return false;
  if (subject !== undefined && subject !== event.subject) return false;
  return user === undefined || user === event.user || event.user === hostUser;
}

/** Throws `invalid_parameters` for what can be no name of an event. */
export function checkPatterns(names: readonly string[]): void {
  const wrong = names.find((name) => !PATTERN.test(name));
  if (wrong === undefined) return;
  throw new CarrelError(
    "invalid_parameters",
    `Cannot look for the events "${
      wrong.slice(0, 100)
    }": expected names such as content.imported, artifact.* or *`,
    { details: { field: "names" } },
  );
}
