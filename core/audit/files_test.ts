import assert from "node:assert/strict";
import {
  auditFiles,
  claimedRows,
  newKey,
  readHead,
  readKey,
  writeHead,
  writeKey,
} from "./files.ts";

async function withFolder(work: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "carrel-audit-files-" });
  try {
    await work(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

Deno.test("auditFiles() lie in the data folder, or where the operator says", () => {
  assert.deepEqual(auditFiles("/d"), { keyFile: "/d/audit.key", headFile: "/d/audit.head" });
  const env: Record<string, string> = { CARREL_AUDIT_KEY_FILE: "/k", CARREL_AUDIT_HEAD_FILE: "" };
  assert.deepEqual(auditFiles("/d", (name) => env[name]), {
    keyFile: "/k",
    headFile: "/d/audit.head",
  });
});

Deno.test("readKey() takes hex digits or other bytes, and refuses what is too short", () =>
  withFolder(async (dir) => {
    const path = `${dir}/key`;
    assert.equal(await readKey(path), undefined);
    const key = newKey();
    await writeKey(path, key);
    assert.deepEqual(await readKey(path), key);
    await Deno.writeTextFile(path, "a passphrase of more than 32 bytes, by hand\r\n");
    assert.equal((await readKey(path))!.length, 43);
    await Deno.writeTextFile(path, "short\n");
    await assert.rejects(readKey(path), { code: "invalid_config", message: /it has 5 bytes/ });
    await assert.rejects(readKey(dir), (error) => !(error instanceof Deno.errors.NotFound));
  }));

Deno.test("readHead() believes what its key has signed for this host", () =>
  withFolder(async (dir) => {
    const path = `${dir}/head`;
    const key = newKey();
    const head = { host: "local", seq: 7, hash: "a".repeat(64), time: "2026-01-01T00:00:00Z" };
    assert.equal(await readHead(path, key, "local"), "missing");
    assert.equal(await claimedRows(path), 0);
    await writeHead(path, key, head);
    assert.deepEqual(await readHead(path, key, "local"), head);
    assert.equal(await readHead(path, key, "other"), "invalid");
    assert.equal(await readHead(path, newKey(), "local"), "invalid");
    assert.equal(await claimedRows(path), 7);
    await Deno.writeTextFile(path, "[]");
    assert.equal(await readHead(path, key, "local"), "invalid");
    assert.equal(await claimedRows(path), 0);
  }));
