import { ok, rejects, strictEqual } from "node:assert/strict";
import { createVersions } from "./versions.ts";

const CAP = 64 * 1024;
const SPEC = { plugin: "import.x", digest: "d", trust: "sandboxed" } as const;
const NEVER = new AbortController().signal;

async function withVersions(
  body: (versions: ReturnType<typeof createVersions>, folder: string) => Promise<void>,
) {
  const folder = await Deno.makeTempDir({ prefix: "carrel-versions-" });
  try {
    await Deno.writeTextFile(`${folder}/bundle.js`, `import "node:fs";`);
    const versions = createVersions(folder, CAP);
    await body(versions, folder);
    await versions.settled();
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

async function fill(denoDir: string): Promise<void> {
  await Deno.mkdir(`${denoDir}/gen/data`, { recursive: true });
  await Deno.writeFile(`${denoDir}/gen/data/x`, new Uint8Array(CAP));
}

const isThere = (path: string) => Deno.stat(path).then(() => true, () => false);

Deno.test("createVersions() keeps a DENO_DIR from job to job and removes one that grew too large", async () => {
  await withVersions(async (versions, folder) => {
    const spec = { ...SPEC, bundle: `${folder}/bundle.js` };
    const first = await versions.prepare(spec, NEVER);
    strictEqual(first.version.node, true);
    const { denoDir } = first.version;
    await Deno.writeTextFile(`${denoDir}/cache`, "kept");
    first.leave();
    const second = await versions.prepare(spec, NEVER);
    ok(await isThere(`${denoDir}/cache`));
    await fill(denoDir);
    second.leave();
    await versions.settled();
    strictEqual(await isThere(denoDir), false);
    const third = await versions.prepare(spec, NEVER);
    ok(await isThere(`${denoDir}/location_data`));
    strictEqual(await isThere(`${denoDir}/gen`), false);
    third.leave();
  });
});

Deno.test("createVersions() lets nobody sandboxed start in a full DENO_DIR that others still use", async () => {
  await withVersions(async (versions, folder) => {
    const spec = { ...SPEC, bundle: `${folder}/bundle.js` };
    const [one, two] = [await versions.prepare(spec, NEVER), await versions.prepare(spec, NEVER)];
    const { denoDir } = one.version;
    await fill(denoDir);
    one.leave();
    await versions.settled();
    ok(await isThere(`${denoDir}/gen/data/x`));
    // One that is kept warm has no reason to wait for another such.
    const warm = await versions.prepare({ ...spec, trust: "restricted" }, NEVER);
    const aborted = new AbortController();
    const given = rejects(versions.prepare(spec, aborted.signal), { code: "cancelled" });
    aborted.abort();
    await given;
    let started = false;
    const next = versions.prepare(spec, NEVER).then((used) => {
      started = true;
      return used;
    });
    two.leave();
    await versions.settled();
    strictEqual(started, false);
    warm.leave();
    const last = await next;
    strictEqual(await isThere(`${denoDir}/gen`), false);
    ok(await isThere(`${denoDir}/location_data`));
    last.leave();
  });
});

Deno.test("createVersions() removes nothing under who starts while others leave", async () => {
  await withVersions(async (versions, folder) => {
    const spec = { ...SPEC, bundle: `${folder}/bundle.js` };
    for (let round = 0; round < 20; round++) {
      const [one, two, three] = await Promise.all(
        [1, 2, 3].map(() => versions.prepare(spec, NEVER)),
      );
      await fill(one!.version.denoDir);
      one!.leave();
      await Promise.resolve();
      two!.leave();
      const next = versions.prepare(spec, NEVER);
      three!.leave();
      const { version, leave } = await next;
      ok(await isThere(`${version.denoDir}/location_data`));
      await versions.settled();
      ok(await isThere(`${version.denoDir}/location_data`));
      leave();
      await versions.settled();
    }
  });
});

Deno.test("createVersions() stands a DENO_DIR that was removed with its version", async () => {
  await withVersions(async (versions, folder) => {
    const spec = { ...SPEC, bundle: `${folder}/bundle.js` };
    const used = await versions.prepare(spec, NEVER);
    await Deno.remove(used.version.denoDir, { recursive: true });
    versions.forget();
    used.leave();
    await versions.settled();
    const again = await versions.prepare(spec, NEVER);
    ok(await isThere(again.version.denoDir));
    again.leave();
  });
});

Deno.test("createVersions() refuses a digest that is no name of a folder", async () => {
  await withVersions(async (versions) => {
    const spec = { ...SPEC, digest: "../x", bundle: "/none" };
    await rejects(versions.prepare(spec, NEVER), { code: "crashed" });
  });
});
