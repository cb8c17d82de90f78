/** Importing saved web pages, whole path (HTTP, jobs, runner, stores), against the bare libraries. */
import { startHost } from "../core/app.ts";
import { type Figure, median } from "./figure.ts";

const PAGES = new URL("../../shared/data/webpages", import.meta.url).pathname;
const ROUNDS = 5;

export async function figures(): Promise<Figure[]> {
  const names = [...Deno.readDirSync(PAGES)].map((entry) => entry.name);
  const site = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, (request) => {
    const name = new URL(request.url).pathname.slice(1);
    return new Response(Deno.readFileSync(`${PAGES}/${name}/source.html`), {
      headers: { "content-type": "text/html; charset=utf-8" },
    });
  });
  const origin = `127.0.0.1:${site.addr.port}`;
  const dataDir = await Deno.makeTempDir();
  const whole: number[] = [];
  const bare: number[] = [];
  try {
    await using host = await startHost({ dataDir, port: 0, allowPrivate: [origin] });
    const call = async (path: string, body?: unknown) => {
      const response = await fetch(`${host.url}${path}`, {
        headers: { authorization: `Bearer ${host.token}`, "content-type": "application/json" },
        ...(body === undefined ? {} : { method: "POST", body: JSON.stringify(body) }),
      });
      return await response.json();
    };
    // The first round bundles the plugin and fills the code cache: an installation does that once.
    for (let round = 0; round <= ROUNDS; round++) {
      const start = performance.now();
      const { jobs } = await call("/api/content/import", {
        urls: names.map((name) => `http://${origin}/${name}`),
        collection: `round-${round}`,
      });
      for (const job of jobs) {
        const events = await fetch(`${host.url}/api/jobs/${job.id}/events`, {
          headers: { authorization: `Bearer ${host.token}` },
        });
        await events.text();
      }
      const elapsed = performance.now() - start;
      for (const job of jobs) {
        const { status, error } = await call(`/api/jobs/${job.id}`);
        if (status !== "completed") {
          throw new Error(`${job.input.url}: ${status} ${error?.message}`);
        }
      }
      if (round > 0) {
        whole.push(elapsed);
        bare.push(await runBare());
      }
    }
  } finally {
    await site.shutdown();
    await Deno.remove(dataDir, { recursive: true });
  }
  const ratio = median(whole.map((value, i) => value / bare[i]!));
  return [{
    name: `import ${names.length} saved pages, by bare libraries`,
    value: ratio,
    unit: "×",
    target: 2,
    compare: "<=",
  }, {
    name: `import ${names.length} saved pages, whole path`,
    value: median(whole),
    unit: "ms",
    target: 2 * median(bare),
    compare: "<=",
    floor: { name: "bare libraries in one process", value: median(bare) },
  }];
}

async function runBare(): Promise<number> {
  const script = new URL("./bare_pages.ts", import.meta.url).pathname;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--quiet", "--allow-read", "--allow-env", script, PAGES],
    stderr: "inherit",
  }).output();
  return Number(new TextDecoder().decode(stdout));
}
