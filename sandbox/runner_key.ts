/** What tells runners apart. */
import type { RunnerSpec } from "./types.ts";

const known = new WeakMap<RunnerSpec, string>();

/** Runners of one key are interchangeable. How many there may be at once is nothing that a runner knows of. */
export function keyOf(spec: RunnerSpec): string {
  let key = known.get(spec);
  if (key === undefined) known.set(spec, key = makeKey(spec));
  return key;
}

function makeKey(
  { digest, bundle, grants, config, trust, limits, secrets }: RunnerSpec,
): string {
  const references = secrets?.references ?? null;
  return JSON.stringify(
    [digest, bundle, grants, config, trust, { ...limits, concurrency: 0 }, references],
    (_, value) =>
      typeof value === "object" && value !== null && !Array.isArray(value)
        ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1))
        : value,
  );
}
