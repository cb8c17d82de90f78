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
  /** Looks at these blobs alone. @default all */
  readonly only?: readonly string[] | undefined;
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
    async put(owner, bytes, mediaType = "application/octet-stream") {
      // A sweep between the two steps would take a blob that was there already. The gate is entered when
      // the last byte is there: a slow sender must not keep a sweep waiting.
      let leave: (() => void) | undefined;
      const enter = async () => {
        leave = await gate.enter();
      };
      try {
        if (bytes instanceof Uint8Array) await enter();
        const blob = await objects.put(
          bytes instanceof Uint8Array
            ? bytes
            : bytes.pipeThrough(new TransformStream<Uint8Array, Uint8Array>({ flush: enter })),
        );
        await keep(owner, blob, mediaType);
        return blob;
      } finally {
        leave?.();
      }
    },
    get: (digest) => objects.get(digest),
    open: (digest, range) => objects.open(digest, range),
    stat: (digest) => objects.stat(digest),
    async release(owner, tx) {
      await (tx ?? store.db).deleteFrom("blob_lease").where("owner", "=", owner).execute();
    },
    async sweep({ only, olderThanMs = DAY_MS, orphans = false } = {}) {
      await store.db.deleteFrom("blob_lease").where("until_ms", "<=", now()).execute();
      const before = new Date(now() - olderThanMs).toISOString();
      let removed = 0;
      for (const digest of await candidates(store, before, only)) {
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

async function candidates(
  store: SqlStore,
  before: string,
  only: readonly string[] | undefined,
): Promise<string[]> {
  if (only !== undefined) {
    // One at a time: they are few, and what refers to them is looked at when they go.
    const found = await Promise.all(
      only.map((digest) =>
        store.db.selectFrom("blob").select("digest")
          .where("digest", "=", digest).where("created", "<=", before).executeTakeFirst()
      ),
    );
    return found.flatMap((row) => row === undefined ? [] : [row.digest]);
  }
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

/** Lets many in together, or one alone, in the order in which they come. */
function createGate() {
  let inside = 0;
  let held = false;
  const waiting: { readonly alone: boolean; readonly go: () => void }[] = [];

  function admit(): void {
    for (let next = waiting[0]; next !== undefined && !held; next = waiting[0]) {
      if (next.alone && inside > 0) return;
      waiting.shift();
      if (next.alone) held = true;
      else inside++;
      next.go();
    }
  }
  function come(alone: boolean): Promise<void> {
    return new Promise((go) => {
      waiting.push({ alone, go });
      admit();
    });
  }
  return {
    /** Resolves, once inside, with the function to leave by. */
    async enter(): Promise<() => void> {
      await come(false);
      return () => {
        inside--;
        admit();
      };
    },
    async alone<T>(work: () => Promise<T>): Promise<T> {
      await come(true);
      try {
        return await work();
      } finally {
        held = false;
        admit();
      }
    },
  };
}
