/** `deno task bench [name…] [--json]`: measures, prints each figure beside its target, exits 1 if one misses. */
import { type Figure, holds } from "./figure.ts";

/** By name; a module is loaded when it is asked for. Each exports `figures()`. */
const BENCHES: Readonly<Record<string, () => Promise<{ figures(): Promise<Figure[]> }>>> = {
  runner: () => import("./runner.ts"),
  jobs: () => import("./jobs.ts"),
  graphile: () => import("./graphile.ts"),
  workflow: () => import("./workflow.ts"),
  cancel: () => import("./cancel.ts"),
  full_text: () => import("./full_text.ts"),
  import: () => import("./import.ts"),
  host: () => import("./host.ts"),
  api: () => import("./api.ts"),
  plugins: () => import("./plugins.ts"),
  hostile: () => import("./hostile.ts"),
};

const json = Deno.args.includes("--json");
const asked = Deno.args.filter((arg) => !arg.startsWith("--"));
const unknown = asked.filter((name) => !Object.hasOwn(BENCHES, name));
if (unknown.length > 0) {
  console.error(`no bench "${unknown[0]}"; there are ${Object.keys(BENCHES).join(", ")}`);
  Deno.exit(2);
}

const round = (value: number) => Number(value.toPrecision(4));

let missed = 0;
for (const name of asked.length > 0 ? asked : Object.keys(BENCHES)) {
  const bench = await BENCHES[name]!();
  for (const figure of await bench.figures()) {
    const ok = holds(figure);
    if (!ok) missed += 1;
    const ratio = figure.ratio ?? (figure.floor && figure.value / figure.floor.value);
    if (json) {
      console.log(JSON.stringify({ ...figure, ratio: ratio && round(ratio), holds: ok }));
      continue;
    }
    const value = `${round(figure.value)} ${figure.unit}`;
    const floor = figure.floor
      ? `${figure.floor.name} ${round(figure.floor.value)} ${figure.unit} (${
        round(ratio ?? NaN)
      } ×)`
      : "";
    console.log(
      `${ok ? "ok    " : "MISSED"} ${figure.name.padEnd(48)} ${value.padStart(16)}   ` +
        `${figure.compare} ${figure.target}`.padEnd(12) + `  ${floor}`,
    );
  }
}
if (!json) {
  console.log(missed === 0 ? "\nevery figure holds" : `\n${missed} figures miss their target`);
}
Deno.exit(missed === 0 ? 0 : 1);
