/** What one `deno test` said at its end. Ignored tests are neither. */
export interface TestCounts {
  readonly passed: number;
  readonly failed: number;
  readonly ignored: number;
}

/**
 * The counts in the output of `deno test`: `ok | 12 passed (3 steps) | 0 failed | 1 ignored (2s)`.
 * `undefined` if it never came so far, for example because a file does not compile.
 */
export function countTests(output: string): TestCounts | undefined {
  // deno-lint-ignore no-control-regex -- colours, if somebody forced them
  const lines = output.replace(/\u001b\[[0-9;]*m/g, "").split("\n");
  // A test that runs `deno test` itself prints such a line too: the last one is ours.
  const line = lines.findLast((text) => /^(?:ok|FAILED) \| \d+ passed/.test(text));
  if (line === undefined) return undefined;
  const count = (word: string) => Number(new RegExp(`(\\d+) ${word}`).exec(line)?.[1] ?? 0);
  return { passed: count("passed"), failed: count("failed"), ignored: count("ignored") };
}

/**
 * Prints `N passed, N failed` for a file with the output of `deno test`; `0 passed, 0 failed` when
 * the tests did not even start.
 */
if (import.meta.main) {
  const counts = countTests(await Deno.readTextFile(Deno.args[0]!));
  console.log(counts ? `${counts.passed} passed, ${counts.failed} failed` : "0 passed, 0 failed");
}
