/** For tests of the audit: a real database file, and hands that change it behind the host's back. */
import { DatabaseSync } from "node:sqlite";
import { createFakeClock, type FakeClock, MIGRATIONS } from "../jobs/testing.ts";
import { openSqlite } from "../stores/sqlite.ts";
import type { SqlStore } from "../stores/sql.ts";
import type { Audit, AuditEvent, ProblemCode, Verification } from "./audit.ts";
import { type AuditOptions, createAudit } from "./create_audit.ts";
import { type AuditFiles, auditFiles } from "./files.ts";

export interface AuditDesk extends AsyncDisposable {
  readonly dir: string;
  readonly files: AuditFiles;
  readonly clock: FakeClock;
  readonly store: SqlStore;
  /** What was reported. */
  readonly reports: unknown[];
  /** Opens the audit as a start of the host does; disposed with the desk, if not before. */
  open(options?: Partial<AuditOptions>): Promise<Audit>;
  /** Runs SQL as somebody who can write the file. */
  tamper(sql: string): void;
  /** All rows of the chain as they lie there. */
  rows(): Record<string, unknown>[];
}

export async function openAuditDesk(): Promise<AuditDesk> {
  const dir = await Deno.makeTempDir({ prefix: "carrel-audit-" });
  const path = `${dir}/library.db`;
  const store = await openSqlite(path, { migrationsDir: MIGRATIONS });
  const clock = createFakeClock();
  const files = auditFiles(dir);
  const reports: unknown[] = [];
  const opened: Audit[] = [];
  return {
    dir,
    files,
    clock,
    store,
    reports,
    async open(options = {}) {
      const audit = await createAudit({
        store,
        files,
        clock,
        report: (error) => reports.push(error),
        ...options,
      });
      opened.push(audit);
      return audit;
    },
    tamper(sql) {
      using db = new DatabaseSync(path);
      db.exec(
        "drop trigger if exists audit_no_update; drop trigger if exists audit_no_delete; " +
          "pragma ignore_check_constraints = on; " + sql,
      );
    },
    rows() {
      using db = new DatabaseSync(path);
      return db.prepare("select * from audit order by seq").all();
    },
    async [Symbol.asyncDispose]() {
      for (const audit of opened) await audit[Symbol.asyncDispose]();
      await store[Symbol.asyncDispose]();
      await Deno.remove(dir, { recursive: true });
    },
  };
}

/** An event that has something in each column. */
export const sampleEvent = (index = 0): AuditEvent => ({
  event: index % 2 === 0 ? "plugin.installed" : "runner.started",
  plugin: `import.sample${index % 3}`,
  digest: "ab".repeat(32),
  actor: "user_1",
  job: `job_${index}`,
  details: { index, note: "Grüße, 世界" },
});

/** A desk with an audit of so many rows, on disk. */
export async function openFilledDesk(
  count: number,
): Promise<AuditDesk & { readonly audit: Audit }> {
  const desk = await openAuditDesk();
  const audit = await desk.open();
  for (let index = 0; index < count; index++) audit.append(sampleEvent(index));
  await audit.flush();
  return Object.assign(desk, { audit });
}

export function codes({ problems }: Verification): (readonly [number | null, ProblemCode])[] {
  return problems.map(({ seq, code }) => [seq, code] as const);
}
