import assert from "node:assert/strict";
import { join } from "node:path";
import { startHost } from "../core/app.ts";
import { EXIT } from "../core/cli/errors.ts";
import { testIo } from "../core/cli/testing/io.ts";
import { demo } from "./demo.ts";

Deno.test("demo() makes a book of real documents and shows what a bad plugin gets", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const note = join(folder, "note.md");
    await Deno.writeTextFile(note, "# Mine\n\nA note of mine.\n");
    const io = { ...testIo({ startHost }), now: () => performance.now() };
    const data = join(folder, "library");
    const exit = await demo(io, [note], { data }, new AbortController().signal);
    const text = io.outText();
    assert.equal(exit, EXIT.ok, text);
    for (
      const wanted of [
        /✓ provenance-in-practice\.pdf: done/,
        /✓ note\.md: done .* Mine/,
        /An EPUB of 4 chapters/,
        /Chapter How Carrel keeps a plugin at its desk[\s\S]*└─ from Document/,
        /✓ +read a file of yours +refused: Requires read access/,
        /✓ +call 127\.0\.0\.1 +refused/,
        /✓ +eat memory +killed: out_of_memory, used \d+ MiB of memory, its limit is \d+ MiB /,
        /✓ +loop for ever +killed: cancelled/,
        /export CARREL_TOKEN=carrel_/,
      ]
    ) assert.match(text, wanted);
    assert.ok((await Deno.stat(join(data, "from-the-desk.epub"))).size > 1000);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
