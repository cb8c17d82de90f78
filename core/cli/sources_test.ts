import assert from "node:assert/strict";
import { join } from "node:path";
import { EXIT } from "./errors.ts";
import { type BadSource, expandSources, mediaTypeOf, unreadable } from "./sources.ts";

async function withFolder(files: string[], work: (folder: string) => Promise<void>) {
  const folder = await Deno.makeTempDir();
  try {
    for (const file of files) {
      await Deno.mkdir(join(folder, file, ".."), { recursive: true });
      await Deno.writeTextFile(join(folder, file), file);
    }
    await work(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const names = (sources: readonly { name: string }[]) => sources.map((source) => source.name);

Deno.test("expandSources() tells files, addresses, short forms and standard input apart", async () => {
  await withFolder(["a.md", "odd:name.md"], async (cwd) => {
    const sources = await expandSources(
      [
        "a.md",
        "https://www.example.org/x/",
        "arxiv:1706.03762",
        "-",
        "-",
        "odd:name.md",
        "a.md",
        `file://${cwd}/a.md`,
      ],
      { cwd, stdinName: "dir/notes.md" },
    );
    assert.deepEqual(sources.map((source) => [source.kind, source.name]), [
      ["file", "a.md"],
      ["url", "example.org/x"],
      ["url", "arxiv:1706.03762"],
      ["stdin", "notes.md"],
      ["file", "odd:name.md"],
    ]);
    assert.deepEqual(sources[1], {
      kind: "url",
      name: "example.org/x",
      url: "https://www.example.org/x/",
    });
  });
});

Deno.test("expandSources() walks folders by name without hidden files and symbolic links", async () => {
  const files = ["d/b.md", "d/a/c.txt", "d/.git/config", "d/.hidden", "d/node_modules/x.md"];
  await withFolder(files, async (cwd) => {
    await Deno.symlink("/etc", join(cwd, "d/etc"));
    const sources = await expandSources(["d"], { cwd });
    assert.deepEqual(names(sources), ["d/a/c.txt", "d/b.md"]);
    assert.ok(sources.every((source) => source.kind === "file" && source.found));
    const elsewhere = await expandSources([join(cwd, "d")], { cwd: "/nowhere" });
    assert.deepEqual(names(elsewhere), [join(cwd, "d/a/c.txt"), join(cwd, "d/b.md")]);
  });
});

Deno.test("expandSources() expands patterns that the shell left alone", async () => {
  await withFolder(["x/1.md", "x/y/2.md", "x/3.txt"], async (cwd) => {
    assert.deepEqual(names(await expandSources(["x/**/*.md"], { cwd })), ["x/1.md", "x/y/2.md"]);
    assert.deepEqual(names(await expandSources(["x/{1,3}.*"], { cwd })), ["x/1.md", "x/3.txt"]);
  });
});

Deno.test("expandSources() says what is wrong when nothing is there", async () => {
  await withFolder(["file"], async (cwd) => {
    await Deno.mkdir(join(cwd, "hollow"));
    const words = ["missing.md", "file/below", "hollow", "*.pdf", "none/*.pdf", "a\0b", "file"];
    const sources = await expandSources(words, { cwd });
    assert.deepEqual(
      sources.map((source) =>
        source.kind === "bad" ? [source.name, source.error.code] : source.kind
      ),
      [
        ["missing.md", "file_not_found"],
        ["file/below", "file_not_found"],
        ["hollow", "file_not_found"],
        ["*.pdf", "file_not_found"],
        ["none/*.pdf", "file_not_found"],
        ["a\0b", "file_unreadable"],
        "file",
      ],
    );
    const [missing, , hollow] = sources as BadSource[];
    assert.match(missing!.error.hint!, new RegExp(`looked for at ${cwd}/missing\\.md`));
    assert.match(hollow!.error.message, /no file in it/);
    await assert.rejects(expandSources(["file", ""], { cwd }), { exit: EXIT.usage });
  });
});

Deno.test("mediaTypeOf() knows the usual endings and no other", () => {
  assert.equal(mediaTypeOf("A.PDF"), "application/pdf");
  assert.equal(mediaTypeOf("a.tar.gz"), undefined);
});

Deno.test("expandSources() asks whether an address was meant when a name looks like one", async () => {
  await withFolder([], async (cwd) => {
    const hints = async (...words: string[]) =>
      (await expandSources(words, { cwd }) as BadSource[]).map(({ error }) => error.hint);
    assert.deepEqual(await hints("example.com", "www.example.co.uk/a?b", "localhost:8080/x"), [
      "Did you mean https://example.com?",
      "Did you mean https://www.example.co.uk/a?b?",
      "Did you mean http://localhost:8080/x?",
    ]);
    for (const hint of await hints("notes.md", "data.xyz123", "a/b.html", "plain")) {
      assert.match(hint!, /^It was looked for at \//);
    }
  });
});

Deno.test("unreadable() says in words why a file cannot be read", () => {
  assert.match(unreadable("a", new Deno.errors.PermissionDenied("os")).message, /you may not read/);
  assert.match(unreadable("a", new Deno.errors.NotFound("os")).message, /no longer there/);
  assert.equal(unreadable("a", new Error("odd")).message, 'Cannot read "a": odd.');
});
