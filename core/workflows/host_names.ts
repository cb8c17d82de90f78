/** What a definition or a manifest names of the host: its functions and its events. The host knows all of them. */
import { EVENT_NAMES } from "../event_log/event_log.ts";
import { isEventName } from "../event_log/names.ts";
import { INPUTS } from "../library/artifact_inputs.ts";
import { didYouMean } from "./check_names.ts";

export const HOST_FUNCTIONS: readonly string[] = Object.keys(INPUTS);

/** Why nobody can ever provide a capability of this name; undefined where a plugin may. */
export function hostFunctionProblem(name: string): string | undefined {
  if (!name.startsWith("artifact.") || HOST_FUNCTIONS.includes(name)) return undefined;
  const known = HOST_FUNCTIONS.filter((one) => one.startsWith("artifact."));
  return `the host has no function "${name}"${
    didYouMean(name, known) || `; it has ${known.join(", ")}`
  }`;
}

/** Why nothing is ever logged under a name; undefined for one of the host's and for `custom.<word>`. */
export function eventNameProblem(name: string): string | undefined {
  if (isEventName(name)) return undefined;
  return `there is no event "${name}"${
    didYouMean(name, EVENT_NAMES) || `; there are ${EVENT_NAMES.join(", ")} and custom.<word>`
  }`;
}

/** Why a hook would never hear of anything by a name or pattern, such as `contnet.*`; undefined where it may. */
export function eventPatternProblem(pattern: string): string | undefined {
  if (pattern === "*") return undefined;
  if (!pattern.endsWith(".*")) return eventNameProblem(pattern);
  const kind = pattern.slice(0, -2);
  const kinds = [...new Set([...EVENT_NAMES.map((name) => name.split(".")[0]!), "custom"])];
  if (kind.split(".")[0] === "custom" || EVENT_NAMES.some((name) => name.startsWith(`${kind}.`))) {
    return undefined;
  }
  const hint = didYouMean(pattern, kinds.map((one) => `${one}.*`));
  return `there are no events "${pattern}"${hint || `; there are those of ${kinds.join(", ")}`}`;
}
