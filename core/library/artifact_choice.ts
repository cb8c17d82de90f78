/** Choosing among variants, and clearing away those that were not chosen. */
import { CarrelError } from "../errors.ts";
import { type Tx } from "../stores/sql.ts";
import { changed, type Changer, refuseDecided } from "./artifact_changes.ts";
import { dropArtifact } from "./artifact_delete.ts";
import { getArtifact } from "./artifact_rows.ts";

/**
 * Chooses one variant; its siblings are not chosen then. Answers with these. Throws `conflict` when one was chosen
 * before, and for what is no variant or not ready.
 */
export async function chooseArtifact(
  tx: Tx,
  id: string,
  changer: Changer,
): Promise<{ readonly parent: string; readonly unchosen: readonly string[] }> {
  const artifact = await getArtifact(tx, id);
  const { parent, variantIndex } = artifact;
  const refuse = (why: string) => new CarrelError("conflict", `Cannot choose "${id}": ${why}`);
  if (parent === undefined || variantIndex === undefined) throw refuse("it is no variant");
  await refuseDecided(tx, parent, `choose "${id}"`);
  if (artifact.files.length === 0) throw refuse("nothing of it is there");
  const now = new Date().toISOString();
  const rows = await tx.updateTable("artifact")
    .set((update) => ({
      chosen: update.case().when("id", "=", id).then(1).else(0).end(),
      updated: now,
    }))
    .where("parent", "=", parent).where("variant_index", "is not", null)
    .where("state", "<>", "deleted").returning(["id", "type", "run_id"]).execute();
  for (const { id: other, type, run_id } of rows) {
    const chosen = other === id;
    await changed(tx, { id: other, type, run: run_id ?? undefined }, changer, { parent, chosen });
  }
  return { parent, unchosen: rows.map((row) => row.id).filter((other) => other !== id).sort() };
}

/**
 * Clears away the variants of a parent that were not chosen; one that something follows stays. Answers with which
 * went, which stayed, and the blobs that they referred to. Throws `conflict` while nobody has chosen.
 */
export async function cleanArtifacts(tx: Tx, parent: string, changer: Changer): Promise<{
  readonly deleted: readonly string[];
  readonly kept: readonly string[];
  readonly freed: readonly string[];
}> {
  const rows = await tx.selectFrom("artifact").select(["id", "chosen"])
    .where("parent", "=", parent).where("variant_index", "is not", null)
    .where("state", "<>", "deleted").orderBy("variant_index").orderBy("id").execute();
  if (!rows.some(({ chosen }) => chosen === 1)) {
    throw new CarrelError(
      "conflict",
      `Cannot clear away the variants of "${parent}": nobody has chosen among them`,
    );
  }
  const deleted: string[] = [];
  const kept: string[] = [];
  const freed: string[] = [];
  for (const { id } of rows.filter(({ chosen }) => chosen !== 1)) {
    const follower = await tx.selectFrom("artifact").select("id")
      .where("parent", "=", id).where("state", "<>", "deleted").executeTakeFirst();
    if (follower !== undefined) {
      kept.push(id);
      continue;
    }
    freed.push(...await dropArtifact(tx, id, { user: changer.job.user, log: changer.log }));
    deleted.push(id);
  }
  return { deleted, kept, freed };
}
