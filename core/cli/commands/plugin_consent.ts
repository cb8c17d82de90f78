/** `carrel plugin install, update, consent, config`: what asks about permissions. */
import { resolve } from "node:path";
import type { Command } from "commander";
import { type Builder, gather, gatherPairs } from "../args.ts";
import type { Client, Holds, InstalledJson } from "../client.ts";
import { type Allowed, decideConsent, flagOf } from "../consent.ts";
import { CliError, EXIT, interruptedError, usageError } from "../errors.ts";
import { count, table } from "../format.ts";
import type { Outcome, Session } from "../session.ts";
import { clean } from "../width.ts";
import type { ConsentJson, PluginJson } from "../wire.ts";

interface ConsentOptions {
  readonly yes?: boolean;
  readonly replace?: boolean;
  readonly for?: string;
  readonly allowNet?: string[];
  readonly allowRead?: string[];
  readonly allowWrite?: string[];
  readonly allowEnv?: string[];
  readonly allowRun?: string[];
  readonly allowService?: string[];
  readonly allowCall?: string[];
  readonly allowMatch?: string[];
  readonly allowEvent?: string[];
}

/** The flags with which everything can be answered beforehand. */
function withConsentFlags(command: Command): Command {
  return command
    .option("--yes", "do not ask: grant just what the flags below name")
    .option("--replace", "with --yes: delete another plugin of the same id for it")
    .option("--allow-net <host:port>", "grant it this host", gather)
    .option("--allow-read <path>", "grant it reading this path", gather)
    .option("--allow-write <path>", "grant it writing this path", gather)
    .option("--allow-env <name>", "grant it this environment variable", gather)
    .option("--allow-run <path>", "grant a trusted plugin this program", gather)
    .option("--allow-service <name>", "grant it this service of the host", gather)
    .option("--allow-call <capability>", "grant it this capability of other plugins", gather)
    .option("--allow-match <pattern>", "let it take these URLs before built-in plugins", gather)
    .option("--allow-event <name>", "let it be told of these events", gather)
    .option(
      "--for <time>",
      "how long the grants hold: once, job, always or until a date (default: always)",
    );
}

export function addPluginConsent(plugin: Command, { action }: Builder): void {
  withConsentFlags(
    plugin.command("install")
      .description("install a plugin, after asking about its permissions")
      .argument(
        "<reference>",
        "the URL of a carrel.yaml, .tgz or .carrel; npm:name@version; git+https://…#tag; an id of the registry; a folder",
      ),
  ).action(action(async (session, options: ConsentOptions, reference: string) => {
    const { client } = await session.connect();
    return await settle(session, client, options, await fetchIt(session, client, reference));
  }));

  withConsentFlags(
    plugin.command("update")
      .description("fetch a plugin again and put its new version live")
      .argument("<id>")
      .argument("[reference]", "where the new version is (default: where it came from)"),
  ).action(
    action(async (session, options: ConsentOptions, id: string, reference?: string) => {
      const { client } = await session.connect();
      const live = (await client.pluginVersions(id)).items.find((one) => one.live);
      if (live === undefined) {
        throw usageError(`Cannot update "${id}": it is built in, and comes with Carrel.`);
      }
      const found = await fetchIt(session, client, reference ?? live.reference);
      const named = found.consent?.plugin ?? found.plugin?.id;
      if (named !== id) {
        if (found.consent !== null) await client.decide(found.consent.id, "deny");
        throw usageError(`Cannot update "${id}": that is another plugin, ${clean(named ?? "")}.`);
      }
      return await settle(session, client, options, found);
    }),
  );

  withConsentFlags(
    plugin.command("consent")
      .description("show what waits for consent; or decide it")
      .argument(
        "[id]",
        "a consent, or a plugin: what waits of it, else all that it has not been granted",
      )
      .option("--deny", "refuse it"),
  ).action(
    action(async (session, options: ConsentOptions & { deny?: boolean }, id?: string) => {
      const { client } = await session.connect();
      const { items } = await client.consents();
      if (id === undefined) return listConsents(session, items);
      const waiting = items.find((one) => one.id === id || one.plugin === id) ??
        (id.startsWith("consent_") || options.deny ? null : (await client.askConsent(id)).consent);
      if (waiting === null) {
        session.answer({ plugin: id, asked: [] });
        session.print(`Nothing waits for consent at ${clean(id)}.`);
        return;
      }
      if (options.deny) {
        await client.decide(waiting.id, "deny");
        session.answer({
          plugin: waiting.plugin,
          denied: waiting.permissions.map(({ key }) => key),
        });
        session.print(`Refused: ${clean(waiting.plugin)} ${clean(waiting.version)}.`);
        return;
      }
      return await answer(session, client, options, waiting, false);
    }),
  );

  withConsentFlags(
    plugin.command("config")
      .description("show a plugin's settings; or change them")
      .argument("<id>")
      .argument("[setting...]", "name=value; the value as JSON, or a text")
      .option("--unset <name>", "take a setting back to its default", gather)
      .option("--limit <name=value>", "another limit, for example memory_mb=1024", gatherPairs)
      .option("--unset-limit <name>", "take a limit back to what the manifest asks for", gather)
      .option("--auto-update <on|off>", "let updates that ask for nothing more go live"),
  ).action(action(configure));
}

async function fetchIt(
  session: Session,
  client: Client,
  reference: string,
): Promise<InstalledJson> {
  const remote = session.global.url !== undefined;
  const isName = /^[a-z+]+:/i.test(reference) || /^[a-z]+(\.[a-z0-9_-]+)+(@|$)/.test(reference);
  const isHere = !remote &&
    (!isName || await Deno.stat(resolve(session.io.cwd, reference)).then(() => true, () => false));
  const url = isHere && !/^[a-z+]+:/i.test(reference)
    ? resolve(session.io.cwd, reference)
    : reference;
  return await client.installPlugin(url, session.signal);
}

/** Asks, where something has to be asked. */
async function settle(
  session: Session,
  client: Client,
  options: ConsentOptions,
  { consent, plugin, unchanged }: InstalledJson,
): Promise<Outcome> {
  if (consent !== null) return await answer(session, client, options, consent, true);
  const { id, version } = plugin!;
  session.answer({ plugin: id, version, digest: plugin!.digest, unchanged });
  session.print(
    unchanged
      ? `${clean(id)} ${clean(version)} is installed already: nothing was changed.`
      : `${session.style.green("✓")} ${clean(id)} is now ${
        clean(version)
      }; it asks for nothing more than before.`,
  );
  return failure(session, plugin!);
}

/** `drop`: whether the question goes away when nobody answers it. */
async function answer(
  session: Session,
  client: Client,
  options: ConsentOptions,
  consent: ConsentJson,
  drop: boolean,
): Promise<Outcome> {
  const holds = holdsOf(options.for);
  const grants = await decide(session, consent, options).catch(async (error) => {
    if (drop) await client.decide(consent.id, "deny").catch(() => {});
    if (drop && session.signal.aborted) {
      throw interruptedError(`Interrupted: ${consent.plugin} is not installed.`);
    }
    throw error;
  });
  const isNew = ["install", "update", "replace"].includes(consent.kind);
  if (grants === undefined) {
    if (drop) await client.decide(consent.id, "deny");
    throw new CliError(
      "denied",
      consent.kind === "update"
        ? `${consent.plugin} stays at ${consent.before?.version}.`
        : isNew
        ? `${consent.plugin} is not installed.`
        : "Nothing was decided.",
      { exit: EXIT.consent, hint: isNew ? "Nothing of it ran." : undefined },
    );
  }
  // Asked of what is installed, a no to all is a no.
  const refused = !isNew && grants.length === 0;
  const { plugin } = refused
    ? await client.decide(consent.id, "deny")
    : await client.decide(consent.id, "grant", grants, holds);
  const denied = consent.permissions.filter((one) => !grants.includes(one.key));
  session.answer({
    plugin: consent.plugin,
    version: plugin?.version ?? consent.version,
    digest: plugin?.digest ?? consent.digest,
    granted: grants,
    denied: denied.map((one) => one.key),
    error: plugin?.error ?? null,
  });
  const failed = failure(session, plugin);
  if (failed === undefined) {
    const what = consent.permissions.length === 0
      ? "no permission"
      : `${grants.length} of ${count(consent.permissions.length, "permission")}`;
    session.print(
      isNew
        ? `${session.style.green("✓")} ${clean(consent.plugin)} ${
          clean(consent.version)
        } is installed, with ${what}.`
        : `${session.style.green("✓")} ${clean(consent.plugin)} is granted ${what}.`,
    );
  }
  if (denied.length > 0) {
    session.note(`Not granted: ${denied.map(flagOf).join(" ")}`);
    session.note(`To grant it later: carrel plugin consent ${clean(consent.plugin)}`);
  }
  return failed;
}

/** Says why a version did not go live. */
function failure(session: Session, plugin: PluginJson | null): Outcome {
  if (plugin === null || plugin.error === null) return undefined;
  session.print(`${session.style.red("✗")} ${clean(plugin.error)}`);
  session.note(
    plugin.enabled
      ? `${clean(plugin.id)} ${clean(plugin.version)} goes on as it was.`
      : `Mend it (carrel plugin config ${clean(plugin.id)}), then: carrel plugin enable ${
        clean(plugin.id)
      }`,
  );
  return EXIT.failed;
}

function decide(
  session: Session,
  consent: ConsentJson,
  options: ConsentOptions,
): Promise<readonly string[] | undefined> {
  const allowed: Allowed = {
    net: options.allowNet ?? [],
    read: options.allowRead ?? [],
    write: options.allowWrite ?? [],
    env: options.allowEnv ?? [],
    run: options.allowRun ?? [],
    services: options.allowService ?? [],
    calls: options.allowCall ?? [],
    match: options.allowMatch ?? [],
    events: options.allowEvent ?? [],
  };
  const { io, style, width, signal } = session;
  const { yes = false, replace } = options;
  return decideConsent(consent, { io, style, width, allowed, yes, replace, signal });
}

/** How long grants hold, from `--for`. */
export function holdsOf(text: string | undefined): Holds {
  switch (text) {
    case undefined:
      return {};
    case "once":
    case "job":
    case "always":
      return { duration: text };
    default: {
      const time = Date.parse(text);
      if (Number.isNaN(time)) {
        throw usageError(
          `Cannot use --for ${text}: expected once, job, always or a date.`,
          "For example: --for 2030-12-31",
        );
      }
      return { duration: "until", until: new Date(time).toISOString() };
    }
  }
}

function listConsents(session: Session, items: readonly ConsentJson[]): void {
  session.answer({ items });
  if (items.length === 0) return session.print("Nothing waits for consent.");
  const { width, style } = session;
  const rows = items.map((one) => [
    one.id,
    one.plugin,
    one.kind,
    one.version,
    one.permissions.map(({ value }) => value).join(" "),
  ]);
  const columns = [
    { title: "consent" },
    { title: "plugin" },
    { title: "kind" },
    { title: "version" },
    { title: "permissions", flexible: true },
  ];
  for (const line of table(columns, rows, { width, style })) session.print(line);
}

interface ConfigOptions extends ConsentOptions {
  readonly unset?: string[];
  readonly limit?: Record<string, unknown>;
  readonly unsetLimit?: string[];
  readonly autoUpdate?: string;
}

async function configure(
  session: Session,
  options: ConfigOptions,
  id: string,
  settings: string[],
): Promise<Outcome> {
  const { client } = await session.connect();
  const given = settings.reduce<Record<string, unknown>>((all, one) => gatherPairs(one, all), {});
  const change: { -readonly [K in keyof Parameters<Client["configurePlugin"]>[1]]: unknown } = {};
  const before = await client.plugin(id);
  if (settings.length > 0 || options.unset !== undefined) {
    const config: Record<string, unknown> = { ...before.config, ...given };
    for (const name of options.unset ?? []) delete config[name];
    change.config = config;
  }
  if (options.limit !== undefined || options.unsetLimit !== undefined) {
    const taken = (options.unsetLimit ?? []).map((name) => [name, null]);
    change.limits = { ...options.limit, ...Object.fromEntries(taken) };
  }
  if (options.autoUpdate !== undefined) {
    if (!["on", "off"].includes(options.autoUpdate)) {
      throw usageError(`Cannot use --auto-update ${options.autoUpdate}: expected on or off.`);
    }
    change.auto_update = options.autoUpdate === "on";
  }
  if (Object.keys(change).length === 0) {
    session.answer({
      config: before.config,
      limits: before.limits,
      auto_update: before.auto_update,
    });
    const schema = await client.pluginConfigSchema(id);
    const { style } = session;
    for (const [name, value] of Object.entries(before.config)) {
      session.print(`${clean(name)} = ${clean(JSON.stringify(value))}`);
    }
    for (const [name, { description }] of Object.entries(schema.properties ?? {})) {
      if (Object.hasOwn(before.config, name)) continue;
      const words = typeof description === "string" ? `  ${clean(description)}` : "";
      session.print(style.dim(`${clean(name)} is not set${words}`));
    }
    for (const [name, value] of Object.entries(before.limits)) {
      session.print(`limit ${clean(name)} = ${clean(JSON.stringify(value))}`);
    }
    return;
  }
  const { plugin, consent } = await client.configurePlugin(
    id,
    change as Parameters<Client["configurePlugin"]>[1],
  );
  if (consent !== null) {
    session.note(`${clean(id)} is set. A setting leads elsewhere now:`);
    return await answer(session, client, options, consent, false);
  }
  session.answer({ config: plugin.config, limits: plugin.limits, auto_update: plugin.auto_update });
  session.print(`${clean(id)} is set.`);
  const denied = plugin.permissions.filter(({ granted, place }) => !granted && place !== null);
  for (const { place, key } of denied) {
    if (!Object.keys(given).some((name) => key.includes(`{config.${name}}`))) continue;
    session.note(
      `It may not reach ${clean(place!.host)}:${
        place!.port
      }: that was not granted. To grant it: carrel plugin consent ${clean(id)}`,
    );
  }
}
