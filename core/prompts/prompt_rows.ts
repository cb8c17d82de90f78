/** Statements on prompts. */
import type { Kysely, Selectable } from "kysely";
import type { Database, PromptTable, Tx } from "../stores/sql.ts";

export type PromptState = "waiting" | "granted" | "denied" | "expired" | "dropped";

export interface PromptRow {
  readonly id: string;
  readonly job: string;
  readonly plugin: string;
  readonly keys: readonly string[];
  readonly asked: string;
  readonly expiresMs: number;
}

/** Puts a prompt down; one that the same job asked before waits again. */
export async function savePrompt(tx: Tx, row: PromptRow): Promise<void> {
  await tx.insertInto("prompt").values({
    id: row.id,
    job_id: row.job,
    plugin: row.plugin,
    keys_json: JSON.stringify(row.keys),
    state: "waiting",
    asked: row.asked,
    expires_ms: row.expiresMs,
    decided: null,
  }).onConflict((on) =>
    on.column("id").doUpdateSet({ state: "waiting", expires_ms: row.expiresMs, decided: null })
  ).execute();
}

export async function settlePrompt(
  tx: Tx,
  id: string,
  state: PromptState,
  decided: string,
): Promise<void> {
  await tx.updateTable("prompt").set({ state, decided })
    .where("id", "=", id).where("state", "=", "waiting").execute();
}

/** The oldest first. */
export async function waitingPrompts(db: Kysely<Database>): Promise<PromptRow[]> {
  const rows = await db.selectFrom("prompt").selectAll().where("state", "=", "waiting")
    .orderBy("asked").orderBy("id").execute();
  return rows.map(toPrompt);
}

/** How often a job has asked. */
export async function countPrompts(db: Kysely<Database>, job: string): Promise<number> {
  const row = await db.selectFrom("prompt").where("job_id", "=", job)
    .select((select) => select.fn.countAll<number>().as("count")).executeTakeFirstOrThrow();
  return Number(row.count);
}

function toPrompt(row: Selectable<PromptTable>): PromptRow {
  return {
    id: row.id,
    job: row.job_id,
    plugin: row.plugin,
    keys: JSON.parse(row.keys_json),
    asked: row.asked,
    expiresMs: row.expires_ms,
  };
}
