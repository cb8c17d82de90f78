/** `carrel plugin validate, pack, keygen`: what authors do with a plugin's folder. No host takes part in it. */
import { dirname, resolve } from "node:path";
import type { Command } from "commander";
import type { KeyPair } from "../../plugins/signature.ts";
import type { Validation } from "../../plugins/validate.ts";
import type { Builder } from "../args.ts";
import { askLines, permissionLines } from "../consent.ts";
import { mustBeFree, mustBeWritable } from "../download.ts";
import { CliError, EXIT, usageError } from "../errors.ts";
import { bytes, count, shellWord } from "../format.ts";
import type { Outcome, Session } from "../session.ts";
import { clean, wrap } from "../width.ts";

const KEY_FILE = "carrel-plugins.key";

export function addPluginAuthor(plugin: Command, { action }: Builder): void {
  plugin.command("validate")
    .description("check a plugin's folder as an install would, and show what people would be asked")
    .argument("<folder>", "the folder with the carrel.yaml")
    .addHelpText("after", "\nNothing of the plugin runs. Exit code 1: it cannot be installed.")
    .action(action((session, _options, folder: string) => validate(session, folder)));

  plugin.command("pack")
    .description("pack a plugin's folder into one .carrel file, signed if there is a key")
    .argument("<folder>", "the folder with the carrel.yaml")
    .option("-o, --output <file>", "where to save it (default: its id and version, in this folder)")
    .option("--key <file>", "sign it with this private key: carrel plugin keygen makes one")
    .option("--force", "write over a file that is there")
    .addHelpText(
      "after",
      `
The same folder gives the same bytes. Left out: what begins with a dot, node_modules, .carrel files.`,
    )
    .action(
      action((session, options: PackOptions, folder: string) => pack(session, options, folder)),
    );

  plugin.command("keygen")
    .description("make a key to sign plugins with, and show how operators come to trust it")
    .option("-o, --output <file>", "where to keep the private key", KEY_FILE)
    .option("--name <name>", "whose key it is, as operators will see it (default: your user name)")
    .action(action((session, options: KeygenOptions) => keygen(session, options)));
}

interface PackOptions {
  readonly output?: string;
  readonly key?: string;
  readonly force?: boolean;
}

async function pack(session: Session, options: PackOptions, given: string): Promise<void> {
  const { cwd } = session.io;
  const folder = resolve(cwd, given);
  const key = options.key === undefined ? undefined : resolve(cwd, options.key);
  const { packPlugin } = await import("../../plugins/pack.ts");
  const { lockDigest } = await import("../../plugins/lock_file.ts");
  const privateKey = key === undefined ? undefined : await readKey(key);
  const packed = await packPlugin(folder, { privateKey });
  const path = resolve(cwd, options.output ?? packed.name);
  const before = await Deno.readFile(path).catch(() => undefined);
  if (before === undefined || !sameBytes(before, packed.bytes)) {
    await mustBeFree(path, options.force);
    await mustBeWritable(dirname(path));
    await Deno.writeFile(path, packed.bytes);
  }
  const { lock, signature } = packed;
  const digest = await lockDigest(lock);
  session.answer({
    plugin: lock.id,
    version: lock.version,
    saved: path,
    size: packed.bytes.length,
    sha256: digest,
    signed_by: signature?.key ?? null,
    files: lock.files.map(({ path, size, sha256 }) => ({ path, size, sha256 })),
  });
  const { style } = session;
  session.print(`${path}  ${style.dim(bytes(packed.bytes.length))}`);
  session.note(
    `${clean(lock.id)} ${clean(lock.version)}, ${count(lock.files.length, "file")}: ${
      lock.files.map(({ path }) => clean(path)).slice(0, 20).join(", ")
    }${lock.files.length > 20 ? ", …" : ""}`,
  );
  session.note(
    signature === undefined
      ? style.yellow("Not signed: --key signs it.")
      : `Signed by the key ${signature.key}`,
  );
  session.note(style.dim(`sha256 for a registry: ${digest}`));
}

async function readKey(path: string): Promise<string> {
  try {
    const { mode, size } = await Deno.stat(path);
    if (size > 10_000) throw usageError(`Cannot sign with "${path}": it is no key.`);
    if (mode !== null && (mode & 0o077) !== 0) {
      throw new CliError("key_open", `Cannot sign with "${path}": others may read it.`, {
        hint: `Shut it: chmod 600 ${shellWord(path)}`,
      });
    }
    return await Deno.readTextFile(path);
  } catch (error) {
    if (error instanceof CliError) throw error;
    throw new CliError("file_not_found", `Cannot sign with "${path}": it cannot be read.`, {
      cause: error,
      hint: "carrel plugin keygen makes a key.",
    });
  }
}

interface KeygenOptions {
  readonly output: string;
  readonly name?: string;
}

async function keygen(session: Session, options: KeygenOptions): Promise<void> {
  const { io, style } = session;
  const path = resolve(io.cwd, options.output);
  const name = options.name ?? io.env("USER") ?? "me";
  if (name.trim() === "" || name.length > 200) {
    throw usageError("Cannot use this --name: expected 1 to 200 characters.");
  }
  const { generateKeyPair } = await import("../../plugins/signature.ts");
  const pair = await generateKeyPair();
  await keepKey(path, pair);
  const trusted = { name: name.trim(), key: pair.publicKey };
  session.answer({ private_key_file: path, public_key: pair.publicKey, trusted_key: trusted });
  session.note(`The private key is in ${path}. Keep it to yourself, and keep a copy of it:`);
  session.note(
    "whoever has it can publish updates in your name, and without it nobody can.",
  );
  session.note("");
  session.note(
    `To trust what it signs, an operator puts this line into config/carrel.yaml, and starts the host again:`,
  );
  session.note(style.dim("plugins:\n  trusted_keys:"));
  // The one line on standard output, so that a script can take it.
  session.print(`    - { name: ${JSON.stringify(trusted.name)}, key: "${trusted.key}" }`);
}

/** Never over another key: that would end an author's updates. */
async function keepKey(path: string, { privateKey }: KeyPair): Promise<void> {
  await mustBeWritable(dirname(path));
  try {
    await Deno.writeTextFile(path, `${privateKey}\n`, { createNew: true, mode: 0o600 });
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    throw new CliError("file_exists", `Cannot write "${path}": there is a file of that name.`, {
      cause: error,
      hint: "A key is never written over. Name another file with -o.",
    });
  }
}

async function validate(session: Session, given: string): Promise<Outcome> {
  const [{ validatePlugin }, { createNetwork }, { permissionJson }, { loadSettings }, assets] =
    await Promise.all([
      import("../../plugins/validate.ts"),
      import("../../network/private.ts"),
      import("../../http/plugin_json.ts"),
      import("../../settings.ts"),
      import("../../assets.ts"),
    ]);
  const folder = resolve(session.io.cwd, given);
  const { limits } = await loadSettings(assets.CONFIG_DIR);
  const found = await validatePlugin(folder, { network: await createNetwork(), limits });
  const { manifest, problems, warnings, bundle } = found;
  const permissions = found.permissions.map(permissionJson);
  session.answer({
    ok: problems.length === 0,
    plugin: manifest?.id ?? null,
    version: manifest?.version ?? null,
    problems: problems.map(({ file, line, field, message }) => ({
      file: file ?? null,
      line: line ?? null,
      field: field ?? null,
      message,
    })),
    bundle: bundle === undefined ? null : { digest: bundle.digest, size: bundle.size },
    signed_by: found.signedBy ?? null,
    permissions,
    warnings,
    takes: found.takes,
    limits: manifest?.permissions.limits ?? null,
    limit_requests: found.limitRequests,
  });
  const { style, width } = session;
  const name = manifest === undefined ? folder : `${manifest.id} ${manifest.version}`;
  if (problems.length > 0) {
    session.print(
      `${style.red("✗")} ${clean(name)} cannot be installed: ${count(problems.length, "problem")}`,
    );
    for (const problem of problems) session.print(`  ${clean(problemText(problem))}`);
    return EXIT.failed;
  }
  session.print(
    `${style.green("✓")} ${clean(name)} can be installed: ${
      bundle === undefined ? "" : `${bytes(bundle.size)} of code, `
    }${found.signedBy === undefined ? "not signed" : `signed by the key ${found.signedBy}`}.`,
  );
  const room = Math.max(40, Math.min(width, 100)) - 4;
  const asked = { takes: found.takes, limit_requests: found.limitRequests };
  for (const line of askLines(asked, style, room)) session.print(line);
  session.print(
    permissions.length === 0
      ? "It asks for no permission: of each job it gets what it is handed, and nothing else."
      : `Whoever installs it is asked for ${count(permissions.length, "permission")}:`,
  );
  for (const warning of warnings) {
    const [first = "", ...more] = wrap(clean(warning), room);
    session.print(`  ${style.red("!")} ${style.bold(first)}`);
    for (const line of more) session.print(`    ${style.bold(line)}`);
  }
  for (const permission of permissions) {
    for (const line of permissionLines(permission, style, width)) session.print(line);
  }
  return EXIT.ok;
}

/** `carrel.yaml:12: permissions.net[0].value: expected …` */
function problemText({ file, line, field, message }: Validation["problems"][number]): string {
  const place = [file, line].filter((part) => part !== undefined).join(":");
  return [place, field, message].filter((part) => part !== undefined && part !== "").join(": ");
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}
