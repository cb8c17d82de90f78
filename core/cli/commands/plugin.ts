/** `carrel plugin`: what is installed, and what it may do. */
import { resolve } from "node:path";
import { Option } from "commander";
import { PLUGIN_KINDS } from "../../../sdk/types.ts";
import { type Builder, gather } from "../args.ts";
import { type Allowed, decideConsent, flagOf, permissionLines } from "../consent.ts";
import { CliError, EXIT, interruptedError } from "../errors.ts";
import { bytes, count, pairs, table } from "../format.ts";
import type { Session } from "../session.ts";
import { clean } from "../width.ts";
import type { ConsentJson, PluginJson } from "../wire.ts";

interface InstallOptions {
  readonly yes?: boolean;
  readonly allowNet?: string[];
  readonly allowRead?: string[];
  readonly allowWrite?: string[];
  readonly allowEnv?: string[];
  readonly allowService?: string[];
  readonly allowCall?: string[];
}

export function addPlugin({ program, action }: Builder): void {
  const plugin = program.command("plugin").description("list, install, inspect and switch plugins");

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
        item.builtin ? "built in" : item.trust,
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

  plugin.command("install").description(
    "install a plugin folder, after asking about its permissions",
  )
    .argument("<folder>", "a folder with carrel.yaml, on the machine of the server")
    .option("--yes", "do not ask: install it with just what the flags below name")
    .option("--allow-net <host:port>", "grant it this host", gather)
    .option("--allow-read <path>", "grant it reading this path", gather)
    .option("--allow-write <path>", "grant it writing this path", gather)
    .option("--allow-env <name>", "grant it this environment variable", gather)
    .option("--allow-service <name>", "grant it this service of the host", gather)
    .option("--allow-call <capability>", "grant it this capability of other plugins", gather)
    .action(action(async (session, options: InstallOptions, folder: string) => {
      const { client } = await session.connect();
      const remote = session.global.url !== undefined;
      const url = /^[a-z]+:/i.test(folder) || remote ? folder : resolve(session.io.cwd, folder);
      const { consent } = await client.installPlugin(url);
      const grants = await decide(session, consent, options).catch(async (error) => {
        await client.decide(consent.id, "deny").catch(() => {});
        if (!session.signal.aborted) throw error;
        throw interruptedError(`Interrupted: ${consent.plugin} is not installed.`);
      });
      if (grants === undefined) {
        await client.decide(consent.id, "deny");
        throw new CliError("denied", `${consent.plugin} is not installed.`, {
          exit: EXIT.consent,
          hint: "Nothing of it ran.",
        });
      }
      await client.decide(consent.id, "grant", grants);
      const denied = consent.permissions.filter((one) => !grants.includes(one.key));
      session.answer({
        plugin: consent.plugin,
        version: consent.version,
        digest: consent.digest,
        granted: grants,
        denied: denied.map((one) => one.key),
      });
      session.print(
        `${session.style.green("✓")} ${clean(consent.plugin)} ${
          clean(consent.version)
        } is installed, with ${
          consent.permissions.length === 0
            ? "no permission"
            : `${grants.length} of ${count(consent.permissions.length, "permission")}`
        }.`,
      );
      if (denied.length > 0) {
        session.note(`Not granted: ${denied.map(flagOf).join(" ")}`);
        session.note(
          `To grant it later, install it again; carrel plugin info ${consent.plugin} shows what it may do.`,
        );
      }
    }));

  for (const enabled of [true, false]) {
    plugin.command(enabled ? "enable" : "disable")
      .description(enabled ? "switch a plugin on" : "switch a plugin off; it stays installed")
      .argument("<id>")
      .action(action(async (session, _options, id: string) => {
        const { client } = await session.connect();
        const item = await client.setPluginEnabled(id, enabled);
        session.answer(item);
        session.print(`${id} is switched ${enabled ? "on" : "off"}.`);
      }));
  }

  plugin.command("uninstall").description("remove a plugin").argument("<id>")
    .action(action(async (session, _options, id: string) => {
      const { client } = await session.connect();
      await client.uninstallPlugin(id);
      session.answer({ uninstalled: id });
      session.print(`${id} is uninstalled.`);
    }));

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
}

function decide(
  session: Session,
  consent: ConsentJson,
  options: InstallOptions,
): Promise<readonly string[] | undefined> {
  const allowed: Allowed = {
    net: options.allowNet ?? [],
    read: options.allowRead ?? [],
    write: options.allowWrite ?? [],
    env: options.allowEnv ?? [],
    services: options.allowService ?? [],
    calls: options.allowCall ?? [],
  };
  const { io, style, width, signal } = session;
  return decideConsent(consent, { io, style, width, allowed, yes: options.yes ?? false, signal });
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

function info(session: Session, item: PluginJson): void {
  const { width, style } = session;
  session.print(`${style.bold(clean(item.name))}  ${style.dim(clean(item.description))}`);
  const limits = Object.entries(item.limits).map(([name, value]) =>
    name.endsWith("_mb")
      ? `${name.slice(0, -3)} ${bytes(value * 2 ** 20)}`
      : name.endsWith("_s")
      ? `${name.slice(0, -2)} time ${value} s`
      : `${name} ${value}`
  );
  const lines = pairs([
    ["id", `${item.id} ${item.version}`],
    ["kind", item.kind],
    ["origin", item.origin],
    ["state", `${item.enabled ? "switched on" : "switched off"}, ${item.trust}`],
    ["code", item.digest || "bundled at its first use"],
    ["takes", takes(item) || "–"],
    ["limits", limits.join(", ")],
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
    }
  }
}
