import assert from "node:assert/strict";
import { join } from "node:path";
import { createRepository, gitHandler } from "./testing/git_server.ts";
import { createKit, failsWith, PLUGIN, writeFiles, yaml } from "./testing/kit.ts";

const paths = (files: readonly { readonly path: string }[]) => files.map(({ path }) => path);

Deno.test("fetchPlugin() takes a tag, a branch, a commit and the HEAD of a git repository", async () => {
  await using kit = await createKit();
  const repository = await createRepository(join(kit.dir, "git", "sample"));
  await writeFiles(repository.dir);
  const first = await repository.commit();
  await repository.git("tag", "--annotate", "--message=x", "v1.0.0");
  await writeFiles(repository.dir, {
    "carrel.yaml": yaml("import.sample", "2.0.0"),
    "new.txt": "",
  });
  const second = await repository.commit();
  const server = kit.serve(gitHandler(join(kit.dir, "git")));
  const url = `git+${server.url}/sample`;
  const resolved: Record<string, string> = {
    "#v1.0.0": first,
    [`#${first}`]: first,
    "#main": second,
    "": second,
  };
  for (const [ref, commit] of Object.entries(resolved)) {
    const plugin = await kit.fetch(url + ref);
    assert.equal(plugin.resolved, `${url}#${commit}`, ref);
    assert.equal(plugin.origin, url);
    const all = commit === first ? Object.keys(PLUGIN) : [...Object.keys(PLUGIN), "new.txt"];
    assert.deepEqual(paths(plugin.files), all.sort(), ref);
    assert.equal(plugin.lock.version, commit === first ? "1.0.0" : "2.0.0");
  }
  // Two requests a fetch: the refs, and one pack.
  assert.equal(server.asked.length, 8);
  await assert.rejects(
    kit.fetch(`${url}#v9.9.9`),
    failsWith("fetch_failed", /no such tag, branch or commit/),
  );
  await assert.rejects(
    kit.fetch(`git+${server.url}/other#v1.0.0`),
    failsWith("http_error", /HTTP 404/),
  );
});

Deno.test("fetchPlugin() refuses a repository with symbolic links, and leaves submodules out", async () => {
  await using kit = await createKit();
  const repository = await createRepository(join(kit.dir, "git", "linked"));
  await writeFiles(repository.dir);
  await repository.commit();
  const id = "0123456789012345678901234567890123456789";
  await repository.git("update-index", "--add", "--cacheinfo", `160000,${id},sub`);
  await repository.git("commit", "--quiet", "--message=x");
  await repository.git("tag", "sub");
  await Deno.symlink("/etc/passwd", join(repository.dir, "lib", "passwd.ts"));
  await repository.commit();
  const server = kit.serve(gitHandler(join(kit.dir, "git")));
  const plugin = await kit.fetch(`git+${server.url}/linked#sub`);
  assert.deepEqual(paths(plugin.files), Object.keys(PLUGIN).sort());
  await assert.rejects(
    kit.fetch(`git+${server.url}/linked`),
    failsWith("damaged", /"lib\/passwd.ts" is a symbolic link/),
  );
});

Deno.test("fetchPlugin() follows a git repository that has moved, and bounds what it takes of it", async () => {
  await using kit = await createKit();
  const repository = await createRepository(join(kit.dir, "git", "moved"));
  await writeFiles(repository.dir, {
    ...PLUGIN,
    "big.txt": crypto.getRandomValues(new Uint8Array(60_000)).toHex(),
  });
  const commit = await repository.commit();
  const server = kit.serve(gitHandler(join(kit.dir, "git")));
  const old = kit.serve((_, { pathname, search }) =>
    Response.redirect(server.url + pathname.replace("/old/", "/moved/") + search)
  );
  const plugin = await kit.fetch(`git+${old.url}/old`);
  assert.equal(plugin.resolved, `git+${old.url}/old#${commit}`);
  const reference = `git+${server.url}/moved`;
  await assert.rejects(
    kit.fetch(reference, { limits: { downloadBytes: 20_000 } }),
    failsWith("too_large", /more than 19\.\d KiB/),
  );
  await assert.rejects(
    kit.fetch(reference, { limits: { fileBytes: 50_000 } }),
    failsWith("too_large", /"big\.txt" is larger/),
  );
  await assert.rejects(
    kit.fetch(reference, { limits: { files: 3 } }),
    failsWith("too_large", /more than 3 files/),
  );
});

Deno.test("fetchPlugin() says so when a git URL leads to no repository", async () => {
  await using kit = await createKit();
  const page = kit.serve(() => new Response("<html>hello</html>"));
  await assert.rejects(
    kit.fetch(`git+${page.url}/x`),
    failsWith("fetch_failed", /there is no git repository/),
  );
});
