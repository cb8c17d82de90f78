/** Work of every kind for a host that is killed again and again, and a memory of what was asked of it. */
import { END_STATUSES } from "../../core/jobs/job.ts";
import { type Json, type Site, startSite, type TestHost } from "./host.ts";

/** Names under which an import runs once and fails once before. */
const FLAKY = "/flaky/";
/** Of each list that is imported. */
export const LIST_ITEMS = 4;
/** Items of the foreach of each run. */
export const PARTS = ["a", "b", "c"];
/** Runs that are open at once; more are not started. */
const MOST_OPEN = 12;

const LIST_MANIFEST = `id: import.list
version: 1.0.0
name: Lists
description: Imports what a list names.
entry: mod.ts
media_types: [text/x-list]
content_types: [document]
`;
const LIST_CODE = `import { definePlugin } from "@carrel/sdk";
export default definePlugin.import({
  extract: (raw) => ({
    items: new TextDecoder().decode(raw.bytes).split("\\n").map((url, n) => ({ url, title: "Item " + n })),
  }),
});
`;

/** Effects: an artifact of its own and one a part, a file in each, a content, an event. */
const WORKFLOW = `name: fault
inputs:
  name: { type: string }
  url: { type: string }
steps:
  - id: story
    call: artifact.create
    with: { type: text, title: "Story \${ inputs.name }" }
  - id: text
    call: text.generate
    with:
      prompt: >-
        Owls hunt at night. They hear a mouse under the snow. Their feathers make no sound. Most of them sleep by day.
        A few of them hunt by day too. This one is called \${ inputs.name }.
  - id: keep
    call: artifact.write
    with: { artifact: "\${ steps.story.artifact }", name: text.md, from: text, state: ready }
  - id: page
    import: { url: "\${ inputs.url }" }
  - id: parts
    needs: story
    foreach: "\${ ${JSON.stringify(PARTS).replaceAll('"', "'")} }"
    parallel: 2
    steps:
      - id: make
        call: artifact.create
        with: { type: text, title: "Part \${ item } of \${ inputs.name }" }
      - id: write
        call: artifact.write
        with:
          artifact: "\${ steps.make.artifact }"
          name: part.md
          text: "Part \${ $uppercase(item) } of \${ inputs.name }"
          state: ready
  - id: pause
    needs: [keep, page, parts]
    wait: { after: 500ms }
  - id: way
    wait: { choice: [left, right], prompt: "Which way?" }
  - id: tell
    call: notify
    with: { title: "\${ inputs.name } went \${ steps.way.option }" }
`;

export interface FaultLoad extends AsyncDisposable {
  readonly site: Site;
  /** Ids of runs that a host has answered with, and whether their cancel was asked for. */
  readonly runs: ReadonlyMap<string, { cancelled: boolean }>;
  /** Ids of jobs that a host has answered with. */
  readonly jobs: ReadonlySet<string>;
  /** Choices that were made. */
  readonly answers: number;
  /** Installs what the load needs. */
  prepare(host: TestHost): Promise<void>;
  /** Gives work and answers what waits until the host is gone or the signal is aborted. Never throws. */
  work(host: TestHost, random: () => number, signal: AbortSignal): Promise<void>;
  /** Answers what waits until all has ended. */
  finish(host: TestHost): Promise<void>;
}

export function createFaultLoad(): FaultLoad {
  const runs = new Map<string, { cancelled: boolean }>();
  const jobs = new Set<string>();
  const failedOnce = new Set<string>();
  /** Numbers of runs that were asked for and not answered yet. */
  const asked = new Set<number>();
  let answers = 0;
  let next = 0;
  const site = startSite((_, path) => {
    if (path === "/list/carrel.yaml") return new Response(LIST_MANIFEST);
    if (path === "/list/mod.ts") return new Response(LIST_CODE);
    if (path.startsWith(FLAKY) && !failedOnce.has(path)) {
      failedOnce.add(path);
      return new Response("", { status: 503 });
    }
    const words = `The page ${path} has a paragraph that is long enough to be read as an article. `;
    return new Response(
      `<!doctype html><title>${path}</title><article><p>${words.repeat(12)}</p></article>`,
      { headers: { "content-type": "text/html" } },
    );
  });

  /** Asked again in the next life of a host that died before its answer: then the same run answers. */
  async function startRun(host: TestHost, random: () => number, n = next++): Promise<void> {
    asked.add(n);
    const folder = n % 3 === 0 ? FLAKY : "/page/";
    const started = await host.fetch("/api/workflows/run", {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": `run-${n}` },
      body: JSON.stringify({
        yaml: WORKFLOW,
        inputs: { name: `n${n}`, url: `${site.url}${folder}${n}` },
      }),
    });
    const run = await started.json();
    if (!started.ok) throw new Error(`cannot start a run: ${JSON.stringify(run)}`);
    asked.delete(n);
    if (!runs.has(run.id)) runs.set(run.id, { cancelled: false });
    if (random() > 0.1) return;
    await new Promise((resolve) => setTimeout(resolve, random() * 300));
    runs.get(run.id)!.cancelled = true;
    await (await host.fetch(`/api/runs/${run.id}`, { method: "DELETE" })).body?.cancel();
  }

  async function giveOthers(host: TestHost): Promise<void> {
    const n = next++;
    const urls = Array.from({ length: LIST_ITEMS }, (_, i) => `${site.url}/item/${n}-${i}`);
    jobs.add((await host.upload(`${n}.list`, urls.join("\n"), "text/x-list")).id);
    const { items } = await host.get("/api/content?limit=2");
    if (items.length === 0) return;
    const { job } = await host.post("/api/content/export", {
      source_ids: items.map((item: Json) => item.id),
      format: "ebook",
      parameters: { title: `Book ${n}` },
    });
    jobs.add(job.id);
  }

  /** Says how many runs are open. */
  async function answer(host: TestHost): Promise<number> {
    let open = 0;
    for (const id of runs.keys()) {
      const run = ended.has(id) ? undefined : await host.get(`/api/runs/${id}`);
      if (run === undefined) continue;
      if (END_STATUSES.includes(run.status)) {
        ended.add(id);
        continue;
      }
      open++;
      const isWay = (step: Json) => step.path === "way" && step.question !== null;
      if (!run.steps.some(isWay)) continue;
      const made = await host.fetch(`/api/runs/${id}/interact`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ step: "way", choice: Number(id.charCodeAt(10) % 2) }),
      });
      await made.body?.cancel();
      if (made.ok) answers++;
    }
    return open;
  }
  const ended = new Set<string>();

  return {
    site,
    runs,
    jobs,
    get answers() {
      return answers;
    },
    async prepare(host) {
      const { consent } = await host.post("/api/plugins/install", {
        url: `${site.url}/list/carrel.yaml`,
      });
      if (consent) await host.post(`/api/plugins/consents/${consent.id}`, { decision: "grant" });
      await startRun(host, () => 0.9);
      await giveOthers(host);
      await this.finish(host);
    },
    async work(host, random, signal) {
      const others = random() < 0.3;
      try {
        for (const n of [...asked]) await startRun(host, random, n);
        if (others) await giveOthers(host);
        while (!signal.aborted) {
          if (await answer(host) < MOST_OPEN) await startRun(host, random);
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
      } catch (error) {
        // The host was killed in the middle of an answer; anything else is a fault of its own.
        if (!signal.aborted) await new Promise((resolve) => setTimeout(resolve, 50));
        if (!signal.aborted) throw error;
      }
    },
    async finish(host) {
      const deadline = Date.now() + 240_000;
      for (const n of [...asked]) await startRun(host, () => 0.9, n);
      for (;;) {
        await answer(host);
        let open = 0;
        for (
          const status of ["pending", "queued", "running", "waiting", "retrying", "cancelling"]
        ) {
          open += (await host.get(`/api/jobs?status=${status}&limit=1`)).items.length;
        }
        if (open === 0) return;
        if (Date.now() > deadline) throw new Error("there are still open jobs after four minutes");
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    },
    [Symbol.asyncDispose]: () => site[Symbol.asyncDispose](),
  };
}
