import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { sealRow } from "./chain.ts";
import { newKey, readKey, writeHead, writeKey } from "./files.ts";
import { codes, openAuditDesk, openFilledDesk } from "./testing.ts";
import { verifyChain } from "./verify.ts";

Deno.test("verify() finds nothing in a chain that nobody touched", async () => {
  await using desk = await openFilledDesk(12);
  assert.deepEqual(await desk.audit.verify(), {
    ok: true,
    rows: 12,
    problems: [],
    problemCount: 0,
    unvouched: 0,
  });
});

Deno.test("verifyChain() finds nothing where no host has run", async () => {
  await using desk = await openAuditDesk();
  const { store, files } = desk;
  assert.equal((await verifyChain({ store, host: "local", files })).ok, true);
});

Deno.test("verify() reads a long chain page by page", async () => {
  await using desk = await openFilledDesk(25);
  const { store, files } = desk;
  for (const pageSize of [1, 5, 24, 25, 26]) {
    const result = await verifyChain({ store, host: "local", files, pageSize });
    assert.deepEqual([result.ok, result.rows], [true, 25], `pages of ${pageSize}`);
  }
});

const TAMPERS: Record<string, { sql: string; found: [number | null, string][] }> = {
  "a changed actor": {
    sql: "update audit set actor = 'user_2' where seq = 4",
    found: [[4, "changed"]],
  },
  "changed details": {
    sql: "update audit set details_json = replace(details_json, '3', '4') where seq = 4",
    found: [[4, "changed"]],
  },
  "an emptied column": {
    sql: "update audit set job = null where seq = 1",
    found: [[1, "changed"]],
  },
  "an added blank": {
    sql: "update audit set details_json = details_json || ' ' where seq = 10",
    found: [[10, "changed"]],
  },
  "text behind a NUL, which a reader does not see": {
    sql: "update audit set plugin = plugin || char(0) || 'evil' where seq = 4",
    found: [[4, "changed"]],
  },
  "a column of another type": {
    sql: "update audit set time = cast(time as blob) where seq = 4",
    found: [[4, "changed"]],
  },
  "another seal": {
    sql: "update audit set hash = (select hash from audit where seq = 3) where seq = 4",
    found: [[4, "changed"]],
  },
  "a row taken out": {
    sql: "delete from audit where seq = 4",
    found: [[4, "missing"]],
  },
  "the first row taken out": {
    sql: "delete from audit where seq = 1",
    found: [[1, "missing"]],
  },
  "several taken out": {
    sql: "delete from audit where seq in (3, 4, 8)",
    found: [[3, "missing"], [8, "missing"]],
  },
  "one taken out and the rest moved up": {
    sql: "delete from audit where seq = 9; update audit set seq = 9 where seq = 10",
    found: [[9, "changed"], [10, "tail_missing"]],
  },
  "the end cut off": {
    sql: "delete from audit where seq > 7",
    found: [[8, "tail_missing"]],
  },
  "the last row cut off": {
    sql: "delete from audit where seq = 10",
    found: [[10, "tail_missing"]],
  },
  "all rows cut off": {
    sql: "delete from audit",
    found: [[1, "tail_missing"]],
  },
  "two rows that changed places": {
    sql: "update audit set seq = 100 where seq = 4; update audit set seq = 4 where seq = 5; " +
      "update audit set seq = 5 where seq = 100",
    found: [[4, "changed"], [5, "changed"]],
  },
  "a row put in at the end": {
    sql:
      "insert into audit select host, 11, time, event, plugin, digest, actor, job, details_json, " +
      "previous, hash from audit where seq = 10",
    found: [[11, "changed"]],
  },
  "a row put in below the first": {
    sql:
      "insert into audit select host, -1, time, event, plugin, digest, actor, job, details_json, " +
      "previous, hash from audit where seq = 10",
    found: [[null, "changed"]],
  },
  "a row put in between": {
    sql:
      "insert into audit select host, 4.5, time, event, plugin, digest, actor, job, details_json, " +
      "previous, hash from audit where seq = 10",
    found: [[null, "changed"]],
  },
  "a number that is too large to read": {
    sql:
      "insert into audit select host, 9223372036854775807, time, event, plugin, digest, actor, job, " +
      "details_json, previous, hash from audit where seq = 10",
    found: [[null, "changed"]],
  },
  "numbers that are none": {
    sql: "update audit set seq = 'ten' where seq = 10; update audit set seq = x'09' where seq = 9",
    found: [[null, "changed"], [null, "changed"], [9, "tail_missing"]],
  },
  "rows of hosts that are none, before and behind": {
    sql: "update audit set host = x'6c' where seq = 10; update audit set host = 'a' where seq = 9",
    found: [[null, "foreign"], [null, "foreign"], [9, "tail_missing"]],
  },
  "a row under a name that only looks like the host's": {
    sql:
      "insert into audit select host || char(0) || 'x', 1, time, event, plugin, digest, actor, job, " +
      "details_json, previous, hash from audit where seq = 1",
    found: [[null, "foreign"]],
  },
  "rows of a host that is none": {
    sql: "update audit set host = 'other' where seq = 10",
    found: [[null, "foreign"], [10, "tail_missing"]],
  },
};

for (const [what, { sql, found }] of Object.entries(TAMPERS)) {
  Deno.test(`verify() finds ${what}`, async () => {
    await using desk = await openFilledDesk(10);
    desk.tamper(sql);
    const result = await desk.audit.verify();
    assert.equal(result.ok, false);
    assert.deepEqual(codes(result), found);
    const { store, files } = desk;
    const paged = await verifyChain({ store, host: "local", files, pageSize: 1 });
    assert.deepEqual(codes(paged)[0], found[0], "page by page");
  });
}

/** A small generator, so that a failure can be repeated (Park and Miller, "minimal standard"). */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = state * 48271 % 2147483647;
    return state % below;
  };
}

Deno.test("verify() finds any single byte that is changed, in any column of any row", async () => {
  await using desk = await openFilledDesk(4);
  const columns = Object.keys(desk.rows()[0]!).filter((name) => name !== "seq");
  assert.equal(columns.length, 10);
  const random = createRandom(20260101);
  for (const row of desk.rows()) {
    for (const column of columns) {
      const original = row[column] as string;
      const bytes = new TextEncoder().encode(original);
      for (let turn = 0; turn < 6; turn++) {
        const at = turn === 0 ? 0 : turn === 1 ? bytes.length - 1 : random(bytes.length);
        const changed = bytes.slice();
        changed[at] = (changed[at]! + 1 + random(255)) % 256;
        desk.tamper(
          `update audit set ${column} = cast(x'${changed.toHex()}' as text) where seq = ${row.seq}`,
        );
        const { ok, problems } = await desk.audit.verify();
        const where = `${column} of row ${row.seq}, byte ${at} as ${changed[at]}`;
        assert.equal(ok, false, where);
        assert.ok(problems.length > 0, where);
        using db = new DatabaseSync(`${desk.dir}/library.db`);
        db.prepare(`update audit set ${column} = ? where ${column} = cast(? as text)`)
          .run(original, changed);
      }
    }
  }
  assert.equal((await desk.audit.verify()).ok, true, "all was put back");
});

/** The rows sealed anew, in order, as somebody would who has a key. */
async function rewrite(
  desk: Awaited<ReturnType<typeof openFilledDesk>>,
  keyFile: string,
  change: (row: Record<string, unknown>) => Record<string, unknown>,
): Promise<{ seq: number; hash: string }> {
  const key = (await readKey(keyFile))!;
  let previous = "0".repeat(64);
  let last = { seq: 0, hash: previous };
  for (const row of desk.rows()) {
    const open = { ...change(row), previous } as unknown as Parameters<typeof sealRow>[1];
    const hash = sealRow(key, open);
    desk.tamper(
      `update audit set actor = '${open.actor}', previous = '${previous}', hash = '${hash}' ` +
        `where seq = ${open.seq}`,
    );
    previous = hash;
    last = { seq: open.seq, hash };
  }
  return last;
}

Deno.test("verify() finds a full rewrite with another key", async () => {
  await using desk = await openFilledDesk(5);
  const other = `${desk.dir}/other.key`;
  await writeKey(other, newKey());
  await rewrite(desk, other, (row) => ({ ...row, actor: "nobody" }));
  assert.deepEqual(codes(await desk.audit.verify()), [
    [1, "changed"],
    [2, "changed"],
    [3, "changed"],
    [4, "changed"],
    [5, "head_differs"],
    [5, "changed"],
  ]);
});

Deno.test("verify() finds a full rewrite with the right key by the head, and says which row", async () => {
  await using desk = await openFilledDesk(5);
  await rewrite(desk, desk.files.keyFile, (row) => ({ ...row, actor: "nobody" }));
  assert.deepEqual(codes(await desk.audit.verify()), [[5, "head_differs"]]);
});

Deno.test("verify() finds a full rewrite that brings a key and a head of its own", async () => {
  await using desk = await openFilledDesk(5);
  const { store, files } = desk;
  const other = `${desk.dir}/other.key`;
  await writeKey(other, newKey());
  const genuine = await Deno.readFile(files.headFile);
  const end = await rewrite(desk, other, (row) => ({ ...row, actor: "nobody" }));
  await writeHead(files.headFile, (await readKey(other))!, { host: "local", ...end, time: "now" });
  // The operator keeps key or head where the attacker does not reach: either is enough.
  const byKey = await verifyChain({ store, host: "local", files });
  assert.deepEqual([byKey.problems[0]!.code, byKey.problemCount], ["head_invalid", 6]);
  await Deno.copyFile(other, files.keyFile);
  await Deno.writeFile(files.headFile, genuine);
  const byHead = await verifyChain({ store, host: "local", files });
  assert.deepEqual(codes(byHead), [[null, "head_invalid"]]);
});

Deno.test("verify() finds sealed rows of another past of the same chain", async () => {
  await using desk = await openFilledDesk(5);
  const key = (await readKey(desk.files.keyFile))!;
  const [, , third] = desk.rows() as unknown as Parameters<typeof sealRow>[1][];
  const previous = "f".repeat(64);
  const hash = sealRow(key, { ...third!, previous });
  desk.tamper(`update audit set previous = '${previous}', hash = '${hash}' where seq = 3`);
  assert.deepEqual(codes(await desk.audit.verify()), [[3, "out_of_chain"], [4, "out_of_chain"]]);
});

Deno.test("verify() finds a head that was replaced by an older one", async () => {
  await using desk = await openFilledDesk(3);
  const old = await Deno.readFile(desk.files.headFile);
  desk.audit.append({ event: "host.stopped" });
  await desk.audit.flush();
  await Deno.writeFile(desk.files.headFile, old);
  desk.tamper("delete from audit where seq = 4");
  assert.deepEqual(codes(await desk.audit.verify()), [[3, "head_stale"]]);
});

Deno.test("verify() says which file is missing or damaged", async () => {
  await using desk = await openFilledDesk(3);
  const { files, audit } = desk;
  const head = await Deno.readTextFile(files.headFile);
  for (
    const [text, code] of [
      [undefined, "head_missing"],
      ["", "head_invalid"],
      ["{}", "head_invalid"],
      [head.replace('"seq":3', '"seq":2'), "head_invalid"],
      [head.replace('"host":"local"', '"host":"other"'), "head_invalid"],
    ] as const
  ) {
    if (text === undefined) await Deno.remove(files.headFile);
    else await Deno.writeTextFile(files.headFile, text);
    assert.deepEqual(codes(await audit.verify()), [[null, code]], String(text));
  }
  await Deno.writeTextFile(files.headFile, head);
  assert.equal((await audit.verify()).ok, true);

  await Deno.remove(files.keyFile);
  const keyless = await audit.verify();
  assert.deepEqual([codes(keyless), keyless.rows], [[[null, "key_missing"]], 0]);
});

Deno.test("verify() leaves out what lies before the row it is told to trust", async () => {
  await using desk = await openFilledDesk(8);
  desk.tamper("delete from audit where seq = 3");
  assert.deepEqual(codes(await desk.audit.verify({ after: 2 })), [[3, "missing"]]);
  const behind = await desk.audit.verify({ after: 3 });
  assert.deepEqual([behind.ok, behind.rows], [true, 5]);
  desk.tamper("delete from audit where seq > 6");
  assert.deepEqual(codes(await desk.audit.verify({ after: 3 })), [[7, "tail_missing"]]);
});

Deno.test("verify() keeps the first hundred problems and counts the others", async () => {
  await using desk = await openFilledDesk(130);
  desk.tamper("update audit set actor = 'nobody'");
  const result = await desk.audit.verify();
  assert.deepEqual([result.problems.length, result.problemCount], [100, 130]);
});

Deno.test("verify() leaves the chains of other hosts to them", async () => {
  await using desk = await openFilledDesk(3);
  const other = await desk.open({
    host: "second",
    files: { keyFile: `${desk.dir}/second.key`, headFile: `${desk.dir}/second.head` },
    peers: ["local"],
  });
  other.append({ event: "host.started" });
  assert.deepEqual([(await other.verify()).ok, (await other.verify()).rows], [true, 1]);
  assert.deepEqual(codes(await desk.audit.verify()), [[null, "foreign"]]);
});
