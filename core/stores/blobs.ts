/**
 * Blobs and who needs them. A blob is written before the rows that refer to it; a lease keeps it until
 * then. What no row refers to and nobody leases may be swept once it is old enough.
 */
import { sql } from "kysely";
import type { Blob, ByteRange, ObjectStore } from "./objects.ts";
import type { SqlStore, Tx } from "./sql.ts";

const DAY_MS = 24 * 60 * 60 * 1000;

export interface BlobKeeper {
  /**
   * Stores bytes and leases them to an owner, for example a job's id, for 24 h. Call it before the
   * transaction that refers to the blob.
   */
  put(
    owner: string,
    bytes: Uint8Array | ReadableStream<Uint8Array>,
    mediaType?: string,
  ): Promise<Blob>;
  /** Throws `not_found`. */
  get(digest: string): Promise<Uint8Array>;
  /** Throws `not_found`. */
  open(digest: string, range?: ByteRange): Promise<ReadableStream<Uint8Array>>;
  stat(digest: string): Promise<Blob | undefined>;
  /** Ends an owner's leases: in the transaction that refers to the blobs, or when they are given up. */
  release(owner: string, tx?: Tx): Promise<void>;
  /** Removes what nobody needs; resolves with the number of blobs that went. */
  sweep(options?: SweepOptions): Promise<number>;
}

export interface SweepOptions {
  /** Younger ones stay. @default 24 h */
  readonly olderThanMs?: number | undefined;
  /**
   * Whether to look through the object store for blobs without a row, left by a crash between the two.
   * It reads every name in the store. @default false
   */
  readonly orphans?: boolean | undefined;
}

/** @param now milliseconds since 1970, for tests */
export function createBlobKeeper(
  store: SqlStore,
  objects: ObjectStore,
  now: () => number = Date.now,
): BlobKeeper {
  const gate = createGate();

  async function keep(owner: string, blob: Blob, mediaType: string): Promise<void> {
    const time = now();
    await store.transaction(async (tx) => {
      await tx.insertInto("blob_lease")
        .values({ digest: blob.digest, owner, until_ms: time + DAY_MS })
        .onConflict((conflict) =>
          conflict.columns(["digest", "owner"]).doUpdateSet({ until_ms: time + DAY_MS })
        ).execute();
      await tx.insertInto("blob").values({
        digest: blob.digest,
        size: blob.size,
        media_type: mediaType,
        created: new Date(time).toISOString(),
      }).onConflict((conflict) => conflict.column("digest").doNothing()).execute();
    });
  }

  return {
    // A sweep between the two steps would take a blob that was there already.
    put: (owner, bytes, mediaType = "application/octet-stream") =>
      gate.pass(async () => {
        const blob = await objects.put(bytes);
        await keep(owner, blob, mediaType);
        return blob;
      }),
    get: (digest) => objects.get(digest),
    open: (digest, range) => objects.open(digest, range),
    stat: (digest) => objects.stat(digest),
    async release(owner, tx) {
      await (tx ?? store.db).deleteFrom("blob_lease").where("owner", "=", owner).execute();
    },
    async sweep({ olderThanMs = DAY_MS, orphans = false } = {}) {
      await store.db.deleteFrom("blob_lease").where("until_ms", "<=", now()).execute();
      const before = new Date(now() - olderThanMs).toISOString();
      let removed = 0;
      for (const digest of await candidates(store, before)) {
        removed += await gate.alone(async () => {
          if (!await dropUnneeded(store, digest)) return 0;
          await objects.delete(digest);
          return 1;
        });
      }
      if (!orphans) return removed;
      return removed + await gate.alone(() => dropOrphans(store, objects));
    },
  };
}

async function candidates(store: SqlStore, before: string): Promise<string[]> {
  const { rows } = await sql<{ digest: string }>`
    select digest from blob where created <= ${before}
    and digest not in (select digest from blob_lease)
    and digest not in (select original_digest from revision)
    and digest not in (select text_digest from revision)`.execute(store.db);
  return rows.map(({ digest }) => digest);
}

/**
 * Deletes the row if nothing refers to the blob: no lease, revision, artifact, checkpoint, nor the input of a
 * job that may still run (an upload).
 */
async function dropUnneeded(store: SqlStore, digest: string): Promise<boolean> {
  const { rows } = await sql`
    delete from blob where digest = ${digest}
    and not exists (select 1 from blob_lease where digest = ${digest})
    and not exists (select 1 from revision where original_digest = ${digest} or text_digest = ${digest})
    and not exists (select 1 from artifact where instr(files_json, ${digest}) > 0)
    and not exists (select 1 from job where status <> 'completed'
      and (instr(stages_json, ${digest}) > 0 or instr(input_json, ${digest}) > 0))
    returning digest`.execute(store.db);
  return rows.length > 0;
}

async function dropOrphans(store: SqlStore, objects: ObjectStore): Promise<number> {
  let removed = 0;
  for await (const { digest } of objects.list()) {
    const row = await store.db.selectFrom("blob").select("digest").where("digest", "=", digest)
      .executeTakeFirst();
    if (row !== undefined) continue;
    await objects.delete(digest);
    removed++;
  }
  return removed;
}

/** Lets many pass together, or one alone; whoever wants to be alone waits until the others are through. */
function createGate() {
  let passing = 0;
  let held: Promise<unknown> | undefined;
  let free: (() => void) | undefined;
  return {
    async pass<T>(work: () => Promise<T>): Promise<T> {
      while (held !== undefined) await held;
      passing++;
      try {
        return await work();
      } finally {
        if (--passing === 0) free?.();
      }
    },
    async alone<T>(work: () => Promise<T>): Promise<T> {
      while (passing > 0 || held !== undefined) {
        await (held ?? new Promise<void>((resolve) => {
          const before = free;
          free = () => {
            free = undefined;
            before?.();
            resolve();
          };
        }));
      }
      const running = work();
      held = running.catch(() => {});
      try {
        return await running;
      } finally {
        held = undefined;
      }
    },
  };
}
