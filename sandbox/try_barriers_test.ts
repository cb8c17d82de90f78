import { deepStrictEqual, ok, strictEqual } from "node:assert/strict";
import { findBarriers } from "./barriers.ts";
import { createWatchdog } from "./watchdog.ts";
import { tryBarriers } from "./try_barriers.ts";

Deno.test("tryBarriers() breaks against each barrier, and those that are found hold", async () => {
  const folder = await Deno.makeTempDir({ prefix: "carrel-barriers-" });
  try {
    const deno = await Deno.realPath(Deno.execPath());
    const assets = import.meta.dirname!;
    await using watchdog = createWatchdog({ deno, assets, denoDir: `${folder}/deno/w` });
    const found = await findBarriers(deno, watchdog);
    const trials = await Array.fromAsync(
      tryBarriers({ deno, assets, folder }),
    );
    const states = new Map(trials.map(({ name, state }) => [name, state]));
    const why = Deno.inspect(trials);
    for (const name of ["watchdog: memory", "watchdog: processor time", "deny-net"]) {
      strictEqual(states.get(name), "works", why);
    }
    strictEqual(states.get("bwrap: files"), found.bwrap.state, why);
    strictEqual(states.get("bwrap: network"), found.bwrap.state, why);
    strictEqual(states.get("prlimit"), found.prlimit.state, why);
    strictEqual(states.get("cgroup"), found.cgroup.state, why);
    ok(trials.every(({ reason }) => reason.length > 0));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("tryBarriers() says broken when a barrier does not hold", async () => {
  const folder = await Deno.makeTempDir({ prefix: "carrel-barriers-" });
  try {
    // Deno without its denials, and without bwrap's namespaces.
    const deno = `${folder}/deno.sh`;
    const script = `#!/bin/bash
args=(); for arg in "$@"; do case "$arg" in --deny-net=*) ;; *) args+=("$arg");; esac; done
exec '${Deno.execPath()}' "\${args[@]}"
`;
    await Deno.writeTextFile(deno, script, { mode: 0o700 });
    const trials = await Array.fromAsync(
      tryBarriers({ deno, assets: import.meta.dirname!, folder }),
    );
    deepStrictEqual(
      trials.filter(({ name }) => name === "deny-net").map(({ state }) => state),
      ["broken"],
      Deno.inspect(trials),
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
