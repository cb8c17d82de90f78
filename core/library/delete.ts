/** Deletes content: softly (hidden, kept) or hard (rows go; a tombstone stays so that lineage still holds). */
import { CarrelError } from "../errors.ts";
import type { SqlStore } from "../stores/sql.ts";

export async function deleteContent(sql: SqlStore, id: string, hard: boolean): Promise<void> {
  await sql.transaction(async (tx) => {
    const row = await tx.selectFrom("content")
      .innerJoin("revision", "revision.id", "content.revision")
      .select(["content.id", "content.status", "content.licence", "revision.original_digest"])
      .where("content.id", "=", id)
      .executeTakeFirst();
    if (row === undefined || (row.status === "deleted" && !hard)) {
      throw new CarrelError("not_found", `Cannot delete content "${id}": there is none of this id`);
    }
    const now = new Date().toISOString();
    if (!hard) {
      await tx.updateTable("content").set({ status: "deleted", updated: now }).where("id", "=", id)
        .execute();
      return;
    }
    await tx.deleteFrom("chunk").where("content_id", "=", id).execute();
    await tx.deleteFrom("revision").where("content_id", "=", id).execute();
    await tx.deleteFrom("content").where("id", "=", id).execute();
    // What was made from it still refers to it: id, digest, licence and time stay, the title does not.
    await tx.updateTable("lineage_node").set({
      type: "Tombstone",
      label: "(deleted)",
      properties_json: JSON.stringify({
        deleted: now,
        digest: row.original_digest,
        licence: row.licence,
      }),
    }).where("id", "=", id).execute();
  });
}
