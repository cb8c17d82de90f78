/** Whether a data folder that was killed again and again is whole: looked at with SQL, beside the host. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { DatabaseSync } from "node:sqlite";
import { SQL_MIGRATIONS_DIR } from "../../core/assets.ts";
import { createBlobKeeper } from "../../core/stores/blobs.ts";
import { openObjectsFs } from "../../core/stores/objects_fs.ts";
import { openSqlite } from "../../core/stores/sqlite.ts";
import { type FaultLoad, LIST_ITEMS, PARTS } from "./fault_load.ts";
import type { Json } from "./host.ts";

const ENDED = "('completed', 'failed', 'cancelled')";

/** Statements that must find nothing, by what it would mean. */
const NOTHING: Readonly<Record<string, string>> = {
  "jobs that have not ended": `select id, kind, status from job where status not in ${ENDED}`,
  // Of many in a row a job is given up, as one that kills its hosts would have to be.
  "jobs that failed, but not of ten lost hosts":
    "select id, kind, error_json from job where status = 'failed' and error_json not like '%the host that ran it ended, 10 times%'",
  "leases of ended jobs":
    `select id from job where status in ${ENDED} and (lease_owner is not null or lease_until_ms is not null)`,
  "open children of ended parents":
    `select child.id from job child join job parent on parent.id = child.parent
     where child.status not in ${ENDED} and parent.status in ${ENDED}`,
  "children without a parent":
    "select id from job where parent is not null and parent not in (select id from job)",
  "blob leases of completed jobs":
    "select owner from blob_lease join job on job.id = owner where status = 'completed'",
  "runs without a job": "select id from workflow_run where id not in (select id from job)",
  "jobs of runs without a run":
    "select id from job where kind = 'run' and id not in (select id from workflow_run)",
  "steps without a run":
    "select run_id, path from run_step where run_id not in (select id from workflow_run)",
  "steps without their job":
    "select run_id, path from run_step where job_id is not null and job_id not in (select id from job)",
  "open steps of completed runs":
    `select run_id, path, state from run_step join job on job.id = run_id
     where job.status = 'completed' and state not in ('completed', 'skipped')`,
  "steps begun more than once": "select run_id, path, number from run_step where number <> 1",
  "steps with two jobs":
    `select parent, json_extract(input_json, '$.path') as path, count(*) as jobs from job
     where kind = 'call' and parent is not null group by 1, 2 having count(*) > 1`,
  "jobs whose events have gaps or doubles": `select job.id, job.seq from job where job.seq + 1 <>
     (select count(*) from job_event where job_id = job.id) and job.seq <>
     (select count(*) from job_event where job_id = job.id)`,
  "jobs that ended twice":
    `select job_id from job_event where status in ${ENDED} group by job_id having count(*) > 1`,
  "ends logged twice":
    "select subject, name from event where name like 'job.%' group by subject, name having count(*) > 1",
  "ends not logged":
    `select id, status from job where parent is null and kind in ('run', 'import', 'export')
     and not exists (select 1 from event where subject = job.id and name = 'job.' || job.status)`,
  "contents twice": "select url from content group by collection, url having count(*) > 1",
  "revisions twice": "select content_id from revision group by content_id having count(*) > 1",
  "chunks twice":
    "select revision_id from chunk group by revision_id, position having count(*) > 1",
  "artifacts without lineage":
    "select id from artifact where id not in (select id from lineage_node)",
  "artifacts made twice": "select job_id from artifact group by job_id having count(*) > 1",
  "exports without an artifact": `select id from job where status = 'completed' and kind = 'export'
     and id not in (select job_id from artifact)`,
  "unfinished artifacts of ended runs":
    `select artifact.id from artifact join job on job.id = run_id
     where job.status in ${ENDED} and state in ('placeholder', 'generating')`,
};

/** Runs, and imports of lists, wait for their children too. */
const TAKEN_BACK = `job where waits > 0 and kind <> 'run'
  and (result_json is null or result_json not like '%"items"%')`;

/** Throws at what is wrong; answers with what there is. */
export async function checkFaults(
  dataDir: string,
  load: FaultLoad,
): Promise<Record<string, number>> {
  const swept = await sweep(dataDir);
  using db = new DatabaseSync(`${dataDir}/library.db`, { readOnly: true });
  const all = (sql: string) => db.prepare(sql).all() as Json[];
  const count = (sql: string) => Number(all(`select count(*) as count from ${sql}`)[0].count);
  assert.equal(all("pragma integrity_check")[0].integrity_check, "ok");
  const wrong: Record<string, Json> = {};
  for (const [what, sql] of Object.entries(NOTHING)) {
    const rows = all(sql);
    // Whoever cancels a run finds its jobs as they were then.
    if (rows.length > 0) wrong[what] = [rows.length, ...rows.slice(0, 5)];
  }
  assert.deepEqual(wrong, {});

  let cancelled = 0;
  for (const row of all("select id, status from job where kind = 'run'")) {
    const asked = load.runs.get(row.id);
    if (row.status === "cancelled") {
      cancelled++;
      assert.ok(asked?.cancelled, `${row.id} is cancelled, and nobody asked for it`);
    } else if (row.status === "completed") checkEffects(all, row.id);
  }
  for (const row of all("select id, status, parent from job where status = 'cancelled'")) {
    const top = row.parent ?? row.id;
    assert.ok(load.runs.get(top)?.cancelled, `${row.id} was cancelled by nobody`);
  }
  for (const id of [...load.runs.keys(), ...load.jobs]) {
    assert.equal(count(`job where id = '${id}'`), 1, `${id} was accepted and is lost`);
  }
  for (
    const { result_json } of all(
      "select result_json from job where kind = 'import' and result_json like '%\"items\"%' and not exists (select 1 from job child where child.parent = job.id and child.status = 'failed')",
    )
  ) {
    assert.deepEqual(JSON.parse(result_json).items, {
      total: LIST_ITEMS,
      completed: LIST_ITEMS,
      failed: 0,
      cancelled: 0,
    });
  }
  const blobs = await checkBlobs(dataDir, all);
  return {
    runs: count("workflow_run"),
    "runs cancelled": cancelled,
    "choices answered": load.answers,
    steps: count("run_step"),
    jobs: count("job"),
    "jobs completed": count("job where status = 'completed'"),
    "jobs given up after ten lost hosts, with their runs": count("job where status = 'failed'"),
    "jobs cancelled": count("job where status = 'cancelled'"),
    "jobs taken back from a dead host": count(TAKEN_BACK),
    "jobs tried more than once": count("job where attempt - waits > 1"),
    contents: count("content"),
    artifacts: count("artifact"),
    "events logged": count("event"),
    blobs,
    "blobs left by kills, swept": swept,
  };
}

/** The effects of each step of a completed run, exactly once. */
function checkEffects(all: (sql: string) => Json[], run: string): void {
  const { name, url } = JSON.parse(
    all(`select inputs_json from workflow_run where id = '${run}'`)[0].inputs_json,
  );
  const artifacts = all(`select title, files_json, state from artifact where run_id = '${run}'`);
  assert.deepEqual(
    artifacts.map(({ title }) => title).sort(),
    [...PARTS.map((part) => `Part ${part} of ${name}`), `Story ${name}`],
    run,
  );
  for (const { title, files_json, state } of artifacts) {
    assert.deepEqual([JSON.parse(files_json).length, state], [1, "ready"], `${run}: ${title}`);
  }
  const told = all(`select seq from event where name = 'notify' and subject = '${run}'`);
  assert.equal(told.length, 1, `${run} notified ${told.length} times`);
  const contents = all(`select id from content where url = '${url}'`);
  assert.equal(contents.length, 1, `${run}: ${url}`);
}

/** What the daily sweep does, a day later: leases of what was cancelled are over, and nothing is young. */
async function sweep(dataDir: string): Promise<number> {
  await using sql = await openSqlite(`${dataDir}/library.db`, {
    migrationsDir: SQL_MIGRATIONS_DIR,
  });
  const later = () => Date.now() + 2 * 24 * 60 * 60 * 1000;
  const keeper = createBlobKeeper(sql, await openObjectsFs(`${dataDir}/objects`), later);
  return await keeper.sweep({ orphans: true });
}

/** Every blob that a row refers to is there, whole, and there is no other. */
async function checkBlobs(dataDir: string, all: (sql: string) => Json[]): Promise<number> {
  const wanted = new Set<string>();
  for (const row of all("select original_digest, text_digest from revision")) {
    wanted.add(row.original_digest).add(row.text_digest);
  }
  for (const { files_json } of all("select files_json from artifact")) {
    for (const { digest } of JSON.parse(files_json)) wanted.add(digest);
  }
  // Cancelled jobs may be tried again by hand: what they got so far is kept for that.
  const kept = all("select stages_json, input_json from job where status <> 'completed'")
    .map((row) => row.stages_json + row.input_json).join("");
  const rows = new Set(all("select digest from blob").map(({ digest }) => digest));
  const found = new Set<string>();
  for await (const path of files(`${dataDir}/objects`)) {
    const digest = path.split("/").slice(-2).join("");
    found.add(digest);
    assert.ok(rows.has(digest), `the blob ${digest} has no row`);
    assert.ok(wanted.has(digest) || kept.includes(digest), `nobody refers to the blob ${digest}`);
    const hash = createHash("sha256").update(await Deno.readFile(path)).digest("hex");
    assert.equal(hash, digest);
  }
  for (const digest of new Set([...wanted, ...rows])) {
    assert.ok(found.has(digest), `the blob ${digest} is missing`);
  }
  return found.size;
}

async function* files(folder: string): AsyncGenerator<string> {
  for await (const entry of Deno.readDir(folder)) {
    const path = `${folder}/${entry.name}`;
    if (entry.isDirectory) yield* files(path);
    else yield path;
  }
}
