/** `carrel plugin audit, tighten, available`: what plugins really did, and what there is to install. */
import type { Command } from "commander";
import type { Builder } from "../args.ts";
import { EXIT } from "../errors.ts";
import { count, table } from "../format.ts";
import type { Outcome, Session } from "../session.ts";
import { clean } from "../width.ts";
import type { AuditRowJson, ObservedJson } from "../wire.ts";

/** What a grant that is taken back means for what is under way. */
const REVOKED =
  "Its runners have ended. Jobs that were at work in one begin that stage again; what they miss then is asked.";

export function addPluginAudit(plugin: Command, { action }: Builder): void {
  plugin.command("audit")
    .description(
      "show what was done with plugins and by them; or check that nothing of it was changed",
    )
    .argument("[id]", "of this plugin, uninstalled ones too: what it used, as well")
    .option("--verify", "check the chain: rows that were changed, added or taken away are found")
    .option("--event <name>", "only these, for example consent.granted")
    .option("--limit <number>", "so many rows", "50")
    .action(
      action(async (
        session,
        options: { verify?: boolean; event?: string; limit: string },
        id?: string,
      ) => {
        if (options.verify) return await verify(session);
        const { client } = await session.connect();
        const filter = { event: options.event, limit: Number(options.limit) };
        const page = id === undefined
          ? { ...(await client.audit(filter)), observed: [] }
          : await client.pluginAudit(id, filter);
        session.answer(page);
        printRows(session, page.items);
        if (page.observed.length > 0) printObserved(session, page.observed);
      }),
    );

  plugin.command("tighten").description("deny what was granted to a plugin and never used")
    .argument("<id>")
    .option("--dry-run", "only say what that would be")
    .action(action(async (session, options: { dryRun?: boolean }, id: string) => {
      const { client } = await session.connect();
      const { dropped } = await client.tightenPlugin(id, options.dryRun ?? false);
      session.answer({ plugin: id, dropped, dry_run: options.dryRun ?? false });
      if (dropped.length === 0) return session.print(`${clean(id)} used all that it was granted.`);
      session.print(
        options.dryRun ? "Never used, and would be denied:" : "Never used, and denied now:",
      );
      for (const key of dropped) session.print(`  ${clean(key)}`);
      if (!options.dryRun) session.note(REVOKED);
    }));

  plugin.command("revoke").description("take grants back: they are denied from now on")
    .argument("<id>")
    .argument(
      "<permission...>",
      "as `carrel plugin info` names it, for example net:arxiv.org:443",
    )
    .action(action(async (session, _options, id: string, keys: string[]) => {
      const { client } = await session.connect();
      const after = await client.revokeGrants(id, keys);
      session.answer(after);
      for (const key of keys) session.print(`Denied now: ${clean(key)}`);
      session.note(REVOKED);
    }));

  plugin.command("available").description("show what the registry lists")
    .option("--kind <kind>", "only of this kind, for example import")
    .option("--refresh", "fetch the list anew")
    .action(action(async (session, options: { kind?: string; refresh?: boolean }) => {
      const { client } = await session.connect();
      const list = await client.availablePlugins({ kind: options.kind, refresh: options.refresh });
      session.answer(list);
      if (list.items.length === 0) {
        return session.print(`The registry ${clean(list.registry)} lists nothing.`);
      }
      const { width, style } = session;
      const rows = list.items.map((item) => [
        item.id,
        item.latest ?? item.versions[0]?.version ?? "",
        item.installed ?? "",
        item.compatible ? item.verified ? "verified" : "unverified" : "needs another Carrel",
        item.description,
      ]);
      const columns = [
        { title: "id" },
        { title: "latest" },
        { title: "installed" },
        { title: "" },
        { title: "description", flexible: true, paint: style.dim },
      ];
      for (const line of table(columns, rows, { width, style })) session.print(line);
      if (list.stale) {
        session.note(style.yellow(`The list is of ${list.fetched}: ${clean(list.problem ?? "")}`));
      }
    }));
}

async function verify(session: Session): Promise<Outcome> {
  const { client } = await session.connect();
  const found = await client.verifyAudit();
  session.answer(found);
  const { style } = session;
  if (found.ok) {
    session.print(`${style.green("✓")} ${count(found.rows, "row")}, none changed, none missing.`);
    return EXIT.ok;
  }
  session.print(
    `${style.red("✗")} ${count(found.problem_count, "problem")} in ${count(found.rows, "row")}:`,
  );
  for (const { seq, what } of found.problems) {
    session.print(`  ${seq === null ? "" : `row ${seq}: `}${clean(what)}`);
  }
  return EXIT.failed;
}

function printRows(session: Session, rows: readonly AuditRowJson[]): void {
  const { width, style } = session;
  const cells = rows.map((row) => [
    row.time.slice(0, 19).replace("T", " "),
    row.event,
    row.plugin ?? "",
    row.actor ?? "",
    detailsText(row.details),
  ]);
  const columns = [
    { title: "time", paint: style.dim },
    { title: "event" },
    { title: "plugin" },
    { title: "by" },
    { title: "details", flexible: true, paint: style.dim },
  ];
  for (const line of table(columns, cells, { width, style })) session.print(line);
}

/** Details as people read them; `--json` has them whole. The time of a use stands in the row already. */
function detailsText(details: Readonly<Record<string, unknown>>): string {
  return Object.entries(details)
    .filter(([name, value]) => name !== "first" && name !== "last" && String(value) !== "")
    .map(([name, value]) => `${name}: ${valueText(value)}`).join("; ");
}

function valueText(value: unknown): string {
  if (Array.isArray(value)) return value.map(valueText).join(", ");
  if (typeof value !== "object" || value === null) return String(value);
  const { key, duration, until } = value as { key?: string; duration?: string; until?: string };
  if (key === undefined) return JSON.stringify(value);
  return duration === undefined || duration === "always" ? key : `${key} (${until ?? duration})`;
}

function printObserved(session: Session, observed: readonly ObservedJson[]): void {
  const { width, style } = session;
  session.print();
  session.print("Observed against declared:");
  const cells = observed.map((one) => [
    one.key,
    one.granted ? "granted" : "not granted",
    one.count === 0 ? "never used" : `${one.count} ×`,
    one.last?.slice(0, 19).replace("T", " ") ?? "",
  ]);
  const columns = [
    { title: "permission", flexible: true },
    { title: "" },
    { title: "used" },
    { title: "last", paint: style.dim },
  ];
  for (const line of table(columns, cells, { width, style })) session.print(line);
}
