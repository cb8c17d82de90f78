import assert from "node:assert/strict";
import { createTextPages, type TextFile } from "./text_pages.ts";

function fileOf(text: string, digest = "d") {
  const bytes = new TextEncoder().encode(text);
  let read = 0;
  const file: TextFile = {
    digest,
    async open({ start, end } = { start: 0, end: bytes.length }) {
      read += end - start;
      return new Blob([bytes.slice(start, end)]).stream();
    },
  };
  return { file, read: () => read, size: bytes.length };
}

Deno.test("createTextPages() gives the same pages as the whole text would", async () => {
  const text = "\ufeffa🦉é日本語 – ".repeat(30_000);
  const { file } = fileOf(text);
  const read = createTextPages();
  for (const length of [1, 2, 70_001, 200_000]) {
    const froms = [0, 1, 65_535, 65_536, 100_003, text.length - 3];
    for (const from of froms) {
      const page = await read(file, from, length);
      assert.equal(page.text, text.slice(from, page.end));
      assert.ok(Math.abs(page.end - Math.min(text.length, from + length)) <= 1);
      assert.equal(page.length, text.length);
      assert.ok(!/[\ud800-\udbff]$/.test(page.text));
    }
  }
  assert.deepEqual(await read(file, text.length, 5), {
    text: "",
    length: text.length,
    end: text.length,
  });
  let whole = "";
  for (let from = 0; from < text.length;) {
    const page = await read(file, from, 50_000);
    whole += page.text;
    from = page.end;
  }
  assert.equal(whole, text);
  assert.deepEqual(await read(fileOf("", "empty").file, 0, 5), { text: "", length: 0, end: 0 });
});

Deno.test("createTextPages() reads a file once, and of each page its own part", async () => {
  const { file, read, size } = fileOf("0123456789".repeat(500_000));
  const pages = createTextPages();
  await Promise.all([0, 1, 2, 3, 4].map((at) => pages(file, at * 1_000_000, 1_000)));
  assert.ok(read() < size + 5 * 200_000, `${read()}`);
});

Deno.test("createTextPages() asks again for a file that could not be read", async () => {
  const { file } = fileOf("An owl");
  const pages = createTextPages();
  const broken = { ...file, open: () => Promise.reject(new Error("no disk")) };
  await assert.rejects(pages(broken, 0, 5), /no disk/);
  assert.equal((await pages(file, 0, 6)).text, "An owl");
});
