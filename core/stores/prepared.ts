/**
 * Statements that are built and compiled once and executed often. Building a wide insert costs Kysely
 * several times what the embedded store needs to run it.
 */
import type { Compilable, CompiledQuery, Kysely, QueryResult } from "kysely";
import type { Database } from "./sql.ts";

class Slot {
  constructor(readonly name: PropertyKey) {}
}

/** Stands in the built statement where a value will be bound. */
export type Slots<V> = <K extends keyof V>(name: K) => V[K];

export type Prepared<V, R> = (
  db: Kysely<Database>,
  values: V,
) => Promise<QueryResult<R>>;

/**
 * Builds a statement at its first use, with a slot for each value, and binds the values at each later use:
 *
 * ```ts
 * const rename = prepared<{ id: string; name: string }, never>((db, slot) =>
 *   db.updateTable("user").set({ name: slot("name") }).where("id", "=", slot("id")).$castTo<never>()
 * );
 * await rename(tx, { id, name });
 * ```
 *
 * A slot may stand only where Kysely binds a parameter.
 */
export function prepared<V extends object, R>(
  build: (db: Kysely<Database>, slot: Slots<V>) => Compilable<R>,
): Prepared<V, R> {
  // By the connection's own builder, since two stores may speak two dialects.
  const statements = new WeakMap<object, CompiledQuery<R>>();
  return (db, values) => {
    const executor = db.getExecutor().adapter;
    let statement = statements.get(executor);
    if (statement === undefined) {
      statement = build(db, ((name: keyof V) => new Slot(name)) as unknown as Slots<V>).compile();
      statements.set(executor, statement);
    }
    const parameters = statement.parameters.map((parameter) =>
      parameter instanceof Slot ? values[parameter.name as keyof V] : parameter
    );
    return db.executeQuery({ ...statement, parameters });
  };
}
