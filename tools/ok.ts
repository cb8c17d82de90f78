/** `deno task ok`: what a commit must pass. Stops at the first step that fails and shows what it said. */
import { fromFileUrl } from "./files.ts";
import { countTests } from "./test_counts.ts";

interface Step {
  readonly name: string;
  /** Arguments to `deno`. */
  readonly args: readonly string[];
}

/** Without `--no-tests`, the tests come last. */
const STEPS: readonly Step[] = [
  { name: "format", args: ["fmt", "--check"] },
  { name: "lint", args: ["lint", "--quiet"] },
  { name: "types", args: ["check", "--quiet"] },
  { name: "layers", args: ["run", "--quiet", "-P=tool", "tools/check_layers.ts"] },
  { name: "tests", args: ["test", "--quiet", "-P=test"] },
];

async function run(step: Step): Promise<{ passed: boolean; output: string; seconds: number }> {
  const start = performance.now();
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [...step.args],
    cwd: fromFileUrl(new URL("..", import.meta.url).href),
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  return {
    passed: success,
    output: `${decode(stdout)}${decode(stderr)}`.trim(),
    seconds: (performance.now() - start) / 1000,
  };
}

if (import.meta.main) {
  const steps = STEPS.filter(({ name }) => name !== "tests" || !Deno.args.includes("--no-tests"));
  for (const step of steps) {
    const { passed, output, seconds } = await run(step);
    const counts = step.name === "tests" ? countTests(output) : undefined;
    const said = counts ? `  ${counts.passed} passed, ${counts.failed} failed` : "";
    console.log(
      `${passed ? "ok  " : "FAIL"} ${step.name.padEnd(7)} ${seconds.toFixed(1)} s${said}`,
    );
    if (!passed) {
      console.error(`\n${output}`);
      Deno.exit(1);
    }
  }
}
