import assert from "node:assert/strict";
import { CliError, hintFor } from "./errors.ts";

const hint = (code: string, message: string, job?: string) => hintFor({ code, message }, job);

Deno.test("hintFor() shows where the ids of what was not found are listed", () => {
  for (
    const [message, wanted] of [
      ['Cannot find the plugin "x": it is not installed.', /^carrel plugin list/],
      ['Cannot find the job "x": there is none of that id', /^carrel job list/],
      ['Cannot revoke token "x": there is no such token.', /^carrel token list/],
      ['Cannot delete content "x": there is none of this id', /^carrel content list/],
      ['Cannot find artifact "x": there is none of this id', /--artifacts/],
      ['Cannot show the lineage of "x": nothing is known of it', /^carrel content list/],
    ] as const
  ) assert.match(hint("not_found", message)!, wanted);
  assert.equal(hint("not_found", 'Cannot open "x" of "y": its files are a.md'), undefined);
});

Deno.test("hintFor() says to try again only what may pass", () => {
  const http = (status: number) => `Cannot fetch "https://x/": why (HTTP ${status}).`;
  for (const status of [429, 500, 503]) {
    assert.match(hint("http_error", http(status), "import_1")!, /carrel job retry import_1$/);
  }
  assert.match(hint("http_error", http(404), "import_1")!, /browser/);
});

Deno.test("hintFor() tells exports from imports, and pages from files", () => {
  assert.match(hint("no_plugin", 'Cannot export to "x": no enabled plugin')!, /--kind export/);
  assert.match(hint("no_plugin", 'Cannot import "x": no enabled plugin')!, /--kind import/);
  const page =
    'Cannot read "https://x/": there is no text in the page; it may be one that is drawn by scripts.';
  assert.match(hint("empty", page)!, /Save the page from a browser/);
  assert.equal(hint("empty", 'Cannot import "a.md": the file is empty'), undefined);
  assert.equal(new CliError("empty", page, { hint: "mine" }).hint, "mine");
});

Deno.test("hintFor() sends to a job only where there is one, and to no other file for a plugin's", () => {
  assert.equal(
    hint("fetch_failed", 'Cannot fetch "https://x/carrel.yaml": the server refuses connections.'),
    "Check the address and the network, and try again.",
  );
  assert.match(
    hint("fetch_failed", 'Cannot fetch "https://x/": why.', "import_1")!,
    /retry import_1/,
  );
  const changed =
    'Cannot use "x.carrel": the file "mod.ts" is not the one that carrel.lock.json speaks of.';
  assert.equal(hint("damaged", changed), undefined);
  assert.match(hint("damaged", 'Cannot read "a.pdf": it ends too early.')!, /fetch it again/);
  const policy =
    'Cannot install "import.x": the registry does not vouch for it (setting plugins.install_policy).';
  assert.match(hint("forbidden", policy)!, /carrel plugin available/);
});

Deno.test("hintFor() sends to a smaller part of what was imported, and of nothing else", () => {
  const large = 'Cannot import "a.txt": it is larger than 10 bytes.';
  assert.match(hint("too_large", large)!, /smaller part/);
  for (
    const message of [
      'Cannot take the results of "parts": it is larger than 1048576 bytes of JSON',
      'Cannot begin the step "parts": it has 2000 items, at most 1000 are taken',
      'Cannot start "digest": its inputs are larger than 1048576 bytes of JSON',
    ]
  ) assert.equal(hint("too_large", message), undefined);
});
