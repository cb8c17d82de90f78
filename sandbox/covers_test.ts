import { strictEqual } from "node:assert/strict";
import { covers } from "./covers.ts";

Deno.test("covers() takes the folder and what is below it, not what only begins like it", () => {
  const cases: [string, string, boolean][] = [
    ["/data", "/data", true],
    ["/data", "/data/a/b", true],
    ["/data", "/data2", false],
    ["/data", "/", false],
    ["/", "/data", true],
  ];
  for (const [folder, path, expected] of cases) strictEqual(covers(folder, path), expected, path);
});
