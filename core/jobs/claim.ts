/** The claim: which ready jobs run next, decided, taken and leased by one statement. */
import { type Kysely, sql } from "kysely";
import { type Prepared, prepared, type Slots } from "../stores/prepared.ts";
import type { Database, Tx } from "../stores/sql.ts";
import { isoTime, type JobRow, URGENT_PRIORITY } from "./row.ts";

/** Values of saturated classes: jobs of these are passed over. */
export interface Saturated {
  readonly kind: readonly string[];
  readonly plugin: readonly string[];
  readonly site: readonly string[];
}

export interface ClaimOptions {
  readonly owner: string;
  readonly nowMs: number;
  readonly leaseMs: number;
  readonly limit: number;
  readonly saturated: Saturated;
  /** Only jobs of priority 8 and more. */
  readonly urgent: boolean;
  /** Nothing of a lower rank can be taken: spares the walk over jobs of saturated classes. */
  readonly fromRank: number;
}

/** The rows, now running, in ready order. */
export async function claim(tx: Tx, options: ClaimOptions): Promise<JobRow[]> {
  const { rows } = await statementFor("take", options).execute(tx);
  return (rows as JobRow[]).sort((a, b) => a.rank - b.rank || a.row - b.row);
}

/** What the classes of a job are made of. */
export type ClassColumns = Pick<JobRow, "kind" | "plugin" | "site">;

/** The classes of the jobs that `claim` would take, in ready order; reads one index and no row. */
export async function peek(tx: Tx, options: ClaimOptions): Promise<ClassColumns[]> {
  const { rows } = await statementFor("peek", options).execute(tx);
  return rows as ClassColumns[];
}

interface Values {
  [listed: `${"kind" | "plugin" | "site"}${number}`]: string;
  owner: string;
  until: number;
  time: string;
  limit: number;
  fromRank: number;
}

type Shape = Readonly<Record<"kind" | "plugin" | "site", number>> & { readonly urgent: boolean };

const statements = new Map<string, Prepared<Values, unknown>>();

function statementFor(what: "take" | "peek", options: ClaimOptions) {
  const { saturated, urgent } = options;
  const kind = pad(saturated.kind);
  const plugin = pad(saturated.plugin);
  const site = pad(saturated.site);
  const key = `${what} ${urgent} ${kind.length} ${plugin.length} ${site.length}`;
  let statement = statements.get(key);
  if (statement === undefined) {
    const shape = { urgent, kind: kind.length, plugin: plugin.length, site: site.length };
    statement = what === "take" ? prepareTake(shape) : preparePeek(shape);
    statements.set(key, statement);
  }
  const values: Values = {
    owner: options.owner,
    until: options.nowMs + options.leaseMs,
    time: isoTime(options.nowMs),
    limit: options.limit,
    fromRank: options.fromRank,
  };
  kind.forEach((value, index) => values[`kind${index}`] = value);
  plugin.forEach((value, index) => values[`plugin${index}`] = value);
  site.forEach((value, index) => values[`site${index}`] = value);
  const chosen = statement;
  return { execute: (tx: Tx) => chosen(tx, values) };
}

const goesOn = sql<boolean>`waits > 0 and error_json is null`;

function prepareTake(shape: Shape): Prepared<Values, JobRow> {
  return prepared((db, slot) =>
    db.updateTable("job").set((update) => ({
      status: "running",
      stage: null,
      // A job that has waited goes on where it was; after an error it begins anew.
      progress: update.case().when(goesOn).then(update.ref("progress")).else(0).end(),
      message: update.case().when(goesOn).then(update.ref("message")).else(null).end(),
      attempt: update("attempt", "+", 1),
      child_ends: 0,
      lease_owner: slot("owner"),
      lease_until_ms: slot("until"),
      started: update.fn.coalesce("started", update.val(slot("time"))),
      seq: update("seq", "+", 1),
    })).where("row", "in", ready(db, slot, shape).select("row")).returningAll()
  );
}

function preparePeek(shape: Shape): Prepared<Values, ClassColumns> {
  return prepared((db, slot) => ready(db, slot, shape).select(["kind", "plugin", "site"]));
}

function ready(db: Kysely<Database>, slot: Slots<Values>, shape: Shape) {
  const slots = (name: "kind" | "plugin" | "site") =>
    Array.from({ length: shape[name] }, (_, index) => slot(`${name}${index}`));
  // Status and priority are spelled out, else the partial indexes are not used.
  let query = db.selectFrom("job").where("status", "=", sql.lit("queued"))
    .where("rank", ">=", slot("fromRank"));
  if (shape.urgent) query = query.where("priority", ">=", sql.lit(URGENT_PRIORITY));
  if (shape.kind > 0) query = query.where("kind", "not in", slots("kind"));
  for (const name of ["plugin", "site"] as const) {
    if (shape[name] === 0) continue;
    query = query.where((where) =>
      where.or([where(name, "is", null), where(name, "not in", slots(name))])
    );
  }
  return query.orderBy("rank").orderBy("row").limit(slot("limit"));
}

/** To a power of two by repeating the last one, so that few different statements are needed. */
function pad(values: readonly string[]): readonly string[] {
  if (values.length < 2) return values;
  const length = 2 ** Math.ceil(Math.log2(values.length));
  return Array.from({ length }, (_, index) => values[Math.min(index, values.length - 1)]!);
}
