/** What tells runners apart. */
import type { RunnerSpec } from "./types.ts";

/** Runners of one key are interchangeable. */
export function keyOf(
  { digest, bundle, grants, config, trust, limits, secrets }: RunnerSpec,
): string {
  const references = secrets?.references ?? null;
  return JSON.stringify(
    [digest, bundle, grants, config, trust, limits, references],
    (_, value) =>
      typeof value === "object" && value !== null && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1))
        : value,
  );
}
