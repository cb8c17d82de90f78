/** The second half of the demo: a plugin that misbehaves, installed with nothing granted, and what it got. */
import type { Client } from "../../core/cli/client.ts";
import { contentOf } from "../../core/cli/commands/import.ts";
import { duration, table } from "../../core/cli/format.ts";
import { hasEnded, type JobJson } from "../../core/cli/wire.ts";
import { clean } from "../../core/cli/width.ts";
import type { DemoContext } from "./library.ts";

/** One thing that the plugin tries. */
export interface Attempt {
  /** What it is told to do. */
  readonly command: string;
  /** The same for people. */
  readonly what: string;
  /** Cancel the job so many milliseconds after it began to run. */
  readonly cancelAfterMs?: number | undefined;
}

/** What came of it. */
export interface Result {
  readonly what: string;
  /** Whether the plugin was kept from it. */
  readonly stopped: boolean;
  readonly got: string;
  readonly took: string;
}

const PLUGIN = "import.rogue";

/** What the plugin tries; `secret` is a file of the user's, `url` an address of this machine. */
export function attempts(secret: string, url: string): Attempt[] {
  return [
    { command: "read /etc/passwd", what: "read a file of yours" },
    { command: `read ${secret}`, what: "read the host's admin token" },
    { command: `call ${url}/healthz`, what: "call 127.0.0.1" },
    { command: "environment", what: "read the environment" },
    { command: "spawn /bin/sh", what: "start a program" },
    { command: "memory", what: "eat memory" },
    { command: "loop", what: "loop for ever", cancelAfterMs: 500 },
  ];
}

/** Installs the plugin through consent, with not one permission. Returns how to remove it. */
export async function installRogue(
  client: Client,
  folder: string,
): Promise<{ readonly permissions: number; remove(): Promise<void> }> {
  const { consent } = await client.installPlugin(folder);
  if (consent === null) throw new Error("the rogue plugin is installed already");
  await client.decide(consent.id, "grant", []);
  return {
    permissions: consent.permissions.length,
    remove: async () => {
      await client.uninstallPlugin(PLUGIN);
    },
  };
}

/** Runs one attempt to its end, whatever that is. */
export async function tryIt(context: DemoContext, attempt: Attempt): Promise<Result> {
  const { client, io, signal } = context;
  const { job } = await client.importFile({
    name: "command.rogue",
    mediaType: "text/x-rogue",
    bytes: new TextEncoder().encode(attempt.command),
  }, { plugin: PLUGIN, signal });

  let cancel: ReturnType<typeof setTimeout> | undefined;
  let cancelled: number | undefined;
  let cancelling: Promise<unknown> | undefined;
  let ended = 0;
  try {
    for await (const event of client.watchJob(job.id, { signal })) {
      if (event.stage !== null && attempt.cancelAfterMs !== undefined && cancel === undefined) {
        cancel = setTimeout(() => {
          cancelled = io.now();
          cancelling = client.cancelJob(job.id).catch(() => {});
        }, attempt.cancelAfterMs);
      }
      if (hasEnded(event.status)) ended = io.now();
    }
  } finally {
    clearTimeout(cancel);
    await cancelling;
  }
  const job2 = await client.job(job.id);
  const { stopped, got } = await outcome(client, job2);
  const took = cancelled !== undefined
    ? duration(ended - cancelled)
    : duration(Date.parse(job2.completed ?? "") - Date.parse(job2.started ?? ""));
  return {
    what: attempt.what,
    stopped,
    got: cancelled === undefined ? got : `${got} by DELETE`,
    took,
  };
}

async function outcome(client: Client, job: JobJson): Promise<{ stopped: boolean; got: string }> {
  if (job.status === "cancelled") return { stopped: true, got: "killed: cancelled" };
  if (job.error !== null) {
    return { stopped: true, got: `killed: ${job.error.code}, ${reasonOf(job.error.message)}` };
  }
  const id = contentOf(job);
  if (id === undefined) return { stopped: false, got: job.status };
  // It tells honestly what it got: the text of the content that it made of its own report.
  const { metadata } = await client.content(id);
  const { stream } = await client.file(id, "extracted.txt");
  const report = await new Response(stream).text();
  await client.deleteContent(id, true);
  const said = report.split("\n").slice(1).join(" ").replaceAll(/\s+/g, " ").trim();
  return metadata.got === false
    // What follows the comma is advice to the plugin's author.
    ? { stopped: true, got: `refused: ${shortPaths(said.replace(/, run again with.*$/, ""))}` }
    : { stopped: false, got: `got ${said.length} characters: ${said.slice(0, 40)}` };
}

/** The part of a sentence `Cannot … "…": why.` that says why. */
function reasonOf(message: string): string {
  return (/^Cannot .*?": (.*?)\.?$/.exec(message)?.[1] ?? message).replace(/^it /, "");
}

/** A path by its last part: the folder is known to who reads this. */
function shortPaths(text: string): string {
  return text.replaceAll(/"\/tmp\/[^"]*\/([^"/]+)"/g, '"…/$1"');
}

/** The table of what was tried. */
export function resultLines(results: readonly Result[], page: DemoContext["page"]): string[] {
  const { style } = page;
  const paint = (text: string, row: number) =>
    results[row]!.stopped ? style.green(text) : style.red(text);
  return table(
    [
      { title: "", paint },
      { title: "it tried to" },
      { title: "it got", flexible: true },
      { title: "ended after", align: "right" },
    ],
    results.map((one) => [one.stopped ? "✓" : "✗", one.what, clean(one.got), one.took]),
    { width: page.width - 3, style },
  );
}
