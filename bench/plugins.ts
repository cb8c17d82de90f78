/** What installed plugins cost: to bring one to its first answer, and to have many that do nothing. */
import { type Figure, figure, median } from "./figure.ts";
import { descendants, type HostProcess, settledMemory, startHostProcess } from "./host_process.ts";

const MANY = 200;
/** As many as the host lets in. */
const INSTALLS_AT_ONCE = 4;
const FRESH = 9;
const STARTS = 7;
/** Starts of each kind whose memory is looked at; each takes as long as a host needs to settle. */
const SETTLED = 3;

export async function figures(): Promise<Figure[]> {
  const dir = await Deno.makeTempDir({ prefix: "carrel-bench-" });
  try {
    const { first, next } = await freshInstalls(dir);
    const [none, many] = [`${dir}/none`, `${dir}/many`];
    await prepare(none, dir, 0);
    await prepare(many, dir, MANY);
    const without: Start[] = [];
    const withMany: Start[] = [];
    for (let round = 0; round < STARTS; round++) {
      const settle = round < SETTLED;
      without.push(await start(none, settle));
      withMany.push(await start(many, settle));
    }
    const ready = (starts: readonly Start[]) => median(starts.map(({ readyMs }) => readyMs));
    const settled = (starts: readonly Start[]) => starts.slice(0, SETTLED);
    const memory = (starts: readonly Start[]) => median(settled(starts).map(({ rss }) => rss));
    return [
      figure({
        name: "plugins: consent to first import of a fresh install",
        value: median(first),
        unit: "ms",
        target: 1_000,
        compare: "<=",
        floor: { name: "its next import", value: median(next) },
      }),
      {
        name: `plugins: processes of ${MANY} installed and idle`,
        value: Math.max(...settled(withMany).map(({ processes }) => processes)),
        unit: "processes",
        target: 0,
        compare: "<=",
      },
      {
        name: `plugins: memory of ${MANY} installed and idle (RSS)`,
        value: memory(withMany) - memory(without),
        unit: "MiB",
        target: 20,
        compare: "<=",
      },
      figure({
        name: `plugins: start to /healthz with ${MANY} installed`,
        value: ready(withMany),
        unit: "ms",
        target: 1_500,
        compare: "<=",
        floor: { name: "with none", value: ready(without) },
      }),
    ];
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** From posting the consent until an import by the plugin is completed; and the same plugin's next import, ms. */
async function freshInstalls(dir: string): Promise<{ first: number[]; next: number[] }> {
  const dataDir = `${dir}/fresh`;
  await Deno.mkdir(dataDir);
  await using host = await startHostProcess(dataDir);
  const first: number[] = [];
  const next: number[] = [];
  for (let n = 0; n < FRESH; n++) {
    const { consent } = await host.json("/api/plugins/install", { url: await writePlugin(dir, n) });
    const consented = performance.now();
    await decide(host, consent);
    await importNote(host, n, "first");
    first.push(performance.now() - consented);
    const begun = performance.now();
    await importNote(host, n, "next");
    next.push(performance.now() - begun);
  }
  return { first, next };
}

/** Grants all. Throws unless the plugin is enabled then. */
async function decide(
  host: HostProcess,
  consent: { id: string; permissions: { key: string }[] },
): Promise<void> {
  const grants = consent.permissions.map(({ key }) => key);
  const { plugin } = await host.json(`/api/plugins/consents/${consent.id}`, {
    decision: "grant",
    grants,
  });
  if (plugin.state !== "enabled") throw new Error(`${plugin.id}: ${plugin.state} ${plugin.error}`);
}

async function importNote(host: HostProcess, n: number, what: string): Promise<void> {
  const bytes = new TextEncoder().encode(`The ${what} note ${n}\n\nIt is of 3 May 2024.\n`);
  const { job } = await host.json(`/api/content/import?plugin=import.bench_${n}`, bytes, {
    "x-filename": `${what}-${n}.txt`,
  });
  // The stream of events ends with the job.
  await (await host.call(`/api/jobs/${job.id}/events`)).text();
  const { status, error } = await host.json(`/api/jobs/${job.id}`);
  if (status !== "completed") throw new Error(`bench_${n}: ${status} ${error?.message}`);
}

/** A data folder with so many plugins, each installed and consented to over HTTP. */
async function prepare(dataDir: string, dir: string, count: number): Promise<void> {
  await Deno.mkdir(dataDir);
  await using host = await startHostProcess(dataDir);
  let next = 0;
  const worker = async () => {
    for (let n = next++; n < count; n = next++) {
      const url = await writePlugin(dir, n);
      const { consent } = await host.json("/api/plugins/install", { url });
      await decide(host, consent);
    }
  };
  await Promise.all(Array.from({ length: INSTALLS_AT_ONCE }, worker));
  const { items } = await host.json("/api/plugins");
  const installed = items.filter((one: { id: string }) => one.id.startsWith("import.bench_"));
  if (installed.length !== count) throw new Error(`${installed.length} of ${count} are installed`);
}

interface Start {
  readonly readyMs: number;
  /** MiB, and NaN where nobody waited for it. */
  readonly rss: number;
  readonly processes: number;
}

async function start(dataDir: string, settle: boolean): Promise<Start> {
  await using host = await startHostProcess(dataDir, "/healthz");
  const { readyMs, pid } = host;
  const rss = settle ? await settledMemory(pid) : NaN;
  return { readyMs, rss, processes: await descendants(pid) };
}

/** A plugin such as strangers write: some patterns, a setting or two, permissions. Each has code of its own. */
async function writePlugin(dir: string, n: number): Promise<string> {
  const folder = `${dir}/plugin_${n}`;
  await Deno.mkdir(folder, { recursive: true });
  await Deno.writeTextFile(`${folder}/carrel.yaml`, manifest(n));
  await Deno.writeTextFile(`${folder}/mod.ts`, code(n));
  return folder;
}

const manifest = (n: number) =>
  `id: import.bench_${n}
version: 1.0.0
name: Bench ${n}
description: Imports notes of the site number ${n}, one heading a note, with the dates that it finds.
entry: mod.ts
author: A stranger
license: MIT
homepage: https://example.com/bench-${n}
carrel: ">=0.1 <1"
match: ["https://site-${n}.example.com/notes/*", "https://www.site-${n}.example.com/*"]
media_types: ["text/x-bench-${n}"]
content_types: [document]
permissions:
  net: [
    { value: "site-${n}.example.com:443", reason: "the notes" },
    { value: "*.cdn-${n}.example.com:443", reason: "their pictures" },
  ]
  read: [{ value: "\${data}/words.txt", reason: "words to leave out" }]
config:
  type: object
  additionalProperties: false
  properties:
    language: { type: string, default: en, description: "Of notes that do not say theirs." }
    most: { type: integer, minimum: 1, maximum: 1000, default: 100, description: "Notes at once." }
`;

const code = (n: number) =>
  `import { definePlugin, PluginError } from "@carrel/sdk";

const MONTHS = ["january", "february", "march", "april", "may", "june", "july", "august",
  "september", "october", "november", "december"];

function dates(text: string): string[] {
  const found: string[] = [];
  for (const [, day, month, year] of text.matchAll(/(\\d{1,2})\\.? ([A-Za-z]+) (\\d{4})/g)) {
    const index = MONTHS.indexOf(month!.toLowerCase());
    if (index >= 0) found.push([year, String(index + 1).padStart(2, "0"), day!.padStart(2, "0")].join("-"));
  }
  return found;
}

export default definePlugin.import({
  async extract(raw, ctx) {
    const text = new TextDecoder().decode(raw.bytes);
    if (text.trim() === "") throw new PluginError("empty", "Cannot import: there is nothing in it.");
    ctx.progress(0.5, "Reading the notes of site ${n}");
    return {
      type: "document",
      title: text.split("\\n", 1)[0]!,
      markdown: text,
      metadata: { language: String(ctx.config["language"]), dates: dates(text) },
    };
  },

  healthCheck: () => ({ status: "healthy" }),
});
`;
