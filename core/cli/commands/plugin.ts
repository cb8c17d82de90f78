/** `carrel plugin`: what is installed, and what it may do. */
import { Option } from "commander";
import { PLUGIN_KINDS } from "../../../sdk/types.ts";
import type { Builder } from "../args.ts";
import { askYesNo } from "../ask.ts";
import { permissionLines } from "../consent.ts";
import { EXIT } from "../errors.ts";
import { bytes, pairs, table } from "../format.ts";
import type { Session } from "../session.ts";
import { clean } from "../width.ts";
import type { PluginJson } from "../wire.ts";
import { addPluginAudit } from "./plugin_audit.ts";
import { addPluginAuthor } from "./plugin_author.ts";
import { addPluginConsent } from "./plugin_consent.ts";

export function addPlugin(builder: Builder): void {
  const { program, action } = builder;
  const plugin = program.command("plugin").description("list, install, inspect and switch plugins")
    .addHelpText("after", "\ndocs/plugins.md tells more, with examples.");

  plugin.command("list").description("list plugins")
    .addOption(new Option("--kind <kind>", "only of this kind").choices(PLUGIN_KINDS))
    .option("--enabled", "only those that are switched on")
    .action(action(async (session, options: { kind?: string; enabled?: boolean }) => {
      const { client } = await session.connect();
      const list = await client.plugins({ kind: options.kind, enabled: options.enabled });
      session.answer(list);
      const { width, style } = session;
      const rows = list.items.map((item) => [
        item.enabled ? "●" : "○",
        item.id,
        item.version,
        item.state === "quarantined" ? "set aside" : item.builtin ? "built in" : item.trust,
        item.builtin ? "" : item.verified ? "verified" : "unverified",
        permissionSummary(item),
        takes(item),
      ]);
      const columns = [
        {
          title: "",
          paint: (text: string, row: number) =>
            list.items[row]!.enabled ? style.green(text) : style.dim(text),
        },
        { title: "id" },
        { title: "version" },
        { title: "trust", paint: style.dim },
        { title: "signature", paint: style.dim },
        { title: "permissions" },
        { title: "takes", flexible: true },
      ];
      for (const line of table(columns, rows, { width, style })) session.print(line);
    }));

  plugin.command("info").description("show a plugin and all that it may do").argument("<id>")
    .action(action(async (session, _options, id: string) => {
      const { client } = await session.connect();
      const item = await client.plugin(id);
      session.answer(item);
      info(session, item);
    }));

  addPluginConsent(plugin, builder);

  for (const enabled of [true, false]) {
    plugin.command(enabled ? "enable" : "disable")
      .description(enabled ? "switch a plugin on" : "switch a plugin off; it stays installed")
      .argument("<id>")
      .action(action(async (session, _options, id: string) => {
        const { client } = await session.connect();
        const item = await client.setPluginEnabled(id, enabled);
        session.answer(item);
        if (enabled && !item.enabled) {
          session.print(
            `${clean(id)} is still off${item.error === null ? "." : `: ${clean(item.error)}`}`,
          );
          session.note("It is on when Carrel is started without --safe-mode.");
          return EXIT.failed;
        }
        session.print(`${clean(id)} is switched ${enabled ? "on" : "off"}.`);
        if (!enabled) {
          session.note(
            `What it was at has ended. Its jobs are held until: carrel plugin enable ${clean(id)}`,
          );
        }
      }));
  }

  plugin.command("rollback").description("put the version that was live before live again")
    .argument("<id>")
    .option("--to <version>", "this one of the versions on disk")
    .action(action(async (session, options: { to?: string }, id: string) => {
      const { client } = await session.connect();
      const item = await client.rollbackPlugin(id, options.to);
      session.answer(item);
      session.print(`${clean(id)} is back at ${clean(item.version)}.`);
    }));

  plugin.command("versions").description("show the versions of a plugin that are on disk")
    .argument("<id>")
    .action(action(async (session, _options, id: string) => {
      const { client } = await session.connect();
      const list = await client.pluginVersions(id);
      session.answer(list);
      const { width, style } = session;
      const rows = list.items.map((item) => [
        item.live ? "●" : "○",
        item.version,
        item.state.replace("_", " "),
        item.verified ? "verified" : "unverified",
        item.error ?? item.resolved,
      ]);
      const columns = [
        { title: "" },
        { title: "version" },
        { title: "state" },
        { title: "signature", paint: style.dim },
        { title: "from", flexible: true },
      ];
      for (const line of table(columns, rows, { width, style })) session.print(line);
    }));

  plugin.command("uninstall").description("remove a plugin; its jobs that have not ended fail")
    .argument("<id>")
    .option(
      "--delete-data",
      "remove the data that it keeps, too; or what a plugin that is gone has left",
    )
    .option("--keep-data", "keep it, in case that the same plugin comes back")
    .action(
      action(async (
        session,
        options: { deleteData?: boolean; keepData?: boolean },
        id: string,
      ) => {
        const { client } = await session.connect();
        // Of a plugin that is gone already, its data may be there.
        const item = options.deleteData ? undefined : await client.plugin(id);
        const keeps = item !== undefined && keepsData(item);
        const deleteData = item === undefined ||
          (keeps && !options.keepData && await askForData(session, item));
        await client.uninstallPlugin(id, deleteData);
        session.answer({ uninstalled: id, data: deleteData ? "deleted" : "kept" });
        session.print(`${clean(id)} is uninstalled.`);
        if (keeps && !deleteData) {
          session.note(
            `Its data is kept. To delete it: carrel plugin uninstall ${clean(id)} --delete-data`,
          );
        }
      }),
    );

  plugin.command("health").description("start plugins and see whether they answer")
    .argument("[id...]", "these plugins (default: all that are switched on)")
    .action(action(async (session, _options, ids: string[]) => {
      const { client } = await session.connect();
      const asked = ids.length > 0
        ? ids
        : (await client.plugins({ enabled: true })).items.map((item) => item.id);
      const answers = [];
      for (const id of asked) {
        const health = await client.pluginHealth(id);
        answers.push({ plugin: id, ...health });
        const { style } = session;
        const paint = { healthy: style.green, unhealthy: style.red }[health.status] ?? style.yellow;
        const message = health.message === null ? "" : `  ${style.dim(clean(health.message))}`;
        session.print(`${paint(health.status.padEnd(9))}  ${clean(id)}${message}`);
      }
      session.answer({ plugins: answers });
      return answers.some((one) => one.status === "unhealthy") ? EXIT.failed : EXIT.ok;
    }));

  addPluginAudit(plugin, builder);
  addPluginAuthor(plugin, builder);
}

/** Only a plugin that may write keeps data. */
function keepsData(item: PluginJson): boolean {
  return item.permissions.some((one) =>
    one.permission === "write" && one.value.startsWith("${data}")
  );
}

/** With nobody to ask, it is kept. */
async function askForData(session: Session, item: PluginJson): Promise<boolean> {
  if (!session.io.terminal.in) return false;
  const question = `Delete the data that ${clean(item.id)} keeps, too?`;
  return await askYesNo(session.io, question, session.signal) ?? false;
}

function permissionSummary(item: PluginJson): string {
  const granted = item.permissions.filter((one) => one.granted);
  if (item.permissions.length === 0) return "none";
  const kinds = [...new Set(granted.map((one) => one.permission))].join(", ") || "none";
  return granted.length === item.permissions.length
    ? kinds
    : `${kinds} (${granted.length} of ${item.permissions.length})`;
}

/** What a plugin is for: patterns, media types or formats. */
function takes(item: PluginJson): string {
  return [...item.formats, ...item.media_types, ...item.match].join(" ");
}

const STATES: Readonly<Record<PluginJson["state"], string>> = {
  enabled: "switched on",
  disabled: "switched off",
  quarantined: "set aside, for it crashed again and again",
};

function signature(item: PluginJson): string {
  if (item.builtin) return "built in";
  if (item.verified) return "verified: by a key that you trust";
  return item.signed_by === null ? "no" : `unverified: by an unknown key, ${item.signed_by}`;
}

function info(session: Session, item: PluginJson): void {
  const { width, style } = session;
  session.print(`${style.bold(clean(item.name))}  ${style.dim(clean(item.description))}`);
  const limits = Object.entries(item.limits).map(([name, value]) => {
    const text = name.endsWith("_mb")
      ? `${name.slice(0, -3)} ${bytes(value * 2 ** 20)}`
      : name.endsWith("_kb")
      ? `${name.slice(0, -3)} ${bytes(value * 2 ** 10)}`
      : name.endsWith("_s")
      ? `${name.slice(0, -2)} time ${value} s`
      : `${name} ${value}`;
    return /_rate\b|_rate_/.test(name) ? `${text}/s` : text;
  });
  const lines = pairs([
    ["id", `${item.id} ${item.version}`],
    ["kind", item.kind],
    ["origin", item.origin],
    ["state", `${STATES[item.state]}, ${item.trust}`],
    ["signed", signature(item)],
    ...(item.auto_update
      ? [["updates", "by themselves, if they ask for nothing more"] as const]
      : []),
    ...(item.error === null ? [] : [["trouble", item.error] as const]),
    ["code", item.digest || "bundled at its first use"],
    ["takes", takes(item) || "–"],
    ["limits", limits.join(", ")],
    ...item.limit_requests.map(({ text }) => ["beyond", text] as const),
    ...(Object.keys(item.config).length > 0
      ? [["settings", JSON.stringify(item.config)] as const]
      : []),
  ], { width, style });
  for (const line of lines) session.print(line);
  if (item.permissions.length === 0) session.print("It has no permission at all.");
  for (const granted of [true, false]) {
    const some = item.permissions.filter((one) => one.granted === granted);
    if (some.length === 0) continue;
    session.print(granted ? "It may:" : "It asked for, and may not:");
    for (const permission of some) {
      for (const line of permissionLines(permission, style, width)) session.print(line);
      if (granted) session.print(style.dim(`          ${clean(permission.key)}`));
      const holds = holdsText(permission);
      if (granted && holds !== undefined) session.print(style.yellow(`          ${holds}`));
    }
  }
}

/** For how long a grant holds, where that is not for good. */
function holdsText({ duration, until }: PluginJson["permissions"][number]): string | undefined {
  switch (duration) {
    case "once":
      return "for one start";
    case "job":
      return "for one job";
    case "until":
      return `until ${until?.slice(0, 16).replace("T", " ")} UTC`;
  }
}
