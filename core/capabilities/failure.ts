/** What a provider's failure says: whether another may do better, and whether it is down. */

/** Characters of a reason that stands in a result. */
const MAX_WHY = 500;

/** The caller's own doing: another provider would be told the same. */
const NOT_ELSEWHERE = new Set(["cancelled", "invalid_parameters", "too_large"]);

/** It cannot serve, for now or as it is set up, whatever it is asked. */
const CANNOT_SERVE = new Set([
  // How its runner ended
  "timed_out",
  "crashed",
  "lost",
  "out_of_memory",
  "cpu_exceeded",
  "output_exceeded",
  "disk_exceeded",
  "invalid_output",
  // Why none was started, or what it says of itself
  "denied",
  "conflict",
  "quarantined",
  "unhealthy",
  "unavailable",
  "invalid_config",
  "private_address",
]);

/** Among those, what is no sign of trouble: it fails at once, each time, and costs nobody time. */
const AT_ONCE = new Set(["denied", "conflict", "quarantined", "invalid_config", "private_address"]);

/** The code of whatever was thrown. */
export function codeOf(error: unknown): string {
  const { code } = (error ?? {}) as { code?: unknown };
  return typeof code === "string" ? code : "internal";
}

/** @param refused whether it was refused a permission on the way: another may not need it */
export function goesElsewhere(error: unknown, refused: boolean): boolean {
  const code = codeOf(error);
  if (NOT_ELSEWHERE.has(code)) return false;
  return refused || CANNOT_SERVE.has(code) || isRetryable(error);
}

/** Whether the failure counts for the circuit breaker. */
export function countsAsDown(error: unknown): boolean {
  const code = codeOf(error);
  return !AT_ONCE.has(code) && (CANNOT_SERVE.has(code) || isRetryable(error));
}

function isRetryable(error: unknown): boolean {
  return (error as { retryable?: unknown } | null)?.retryable === true;
}

/** What the runtime says of what was not granted, with advice that is for its own command line. */
const NOT_GRANTED =
  /Requires (\w+) access(?: to ("[^"]*"|<\w+>))?, run again with the --[\w-]+ flag/g;

/** Its message in plain words, cut to what a result has room for. */
export function sentenceOf(error: unknown): string {
  const said = error instanceof Error ? error.message : String(error);
  const message = said.replace(
    NOT_GRANTED,
    (_, kind: string, what?: string) =>
      `${kind} access${what === undefined ? "" : ` to ${what}`} is not granted to it`,
  );
  return message.length <= MAX_WHY ? message : `${message.slice(0, MAX_WHY).toWellFormed()}…`;
}
