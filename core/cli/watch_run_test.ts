import assert from "node:assert/strict";
import { CliError } from "./errors.ts";
import { createTransport } from "./transport.ts";
import { watchRun } from "./watch_run.ts";

const run = (status: string, progress = 0) => ({
  type: "run",
  at: "2030-01-01T00:00:00.000Z",
  run: { id: "run_1", status, progress },
});
const step = (path: string, state: string) => ({
  type: "step",
  at: "2030-01-01T00:00:00.000Z",
  run_id: "run_1",
  step: { path, state },
});

/** A transport that is answered by these, one after the other. */
function answered(answers: readonly (() => Response)[]) {
  const left = [...answers];
  const fetch = () => {
    const next = left.shift();
    return next === undefined ? Promise.reject(new TypeError("gone")) : Promise.resolve(next());
  };
  return { http: createTransport({ url: "http://127.0.0.1:1", fetch }), left };
}

const stream = (...events: unknown[]) => () =>
  new Response(
    events.map((event) => `data: ${JSON.stringify(event)}\n\n`).join("") + ": alive\n\n",
  );

async function told(http: Parameters<typeof watchRun>[0]): Promise<string[]> {
  const found = [];
  for await (const event of watchRun(http, "run_1", { pauseMs: 0, tries: 3 })) {
    found.push(
      event.type === "run" ? event.run.status : `${event.step.path} ${event.step.state}`,
    );
  }
  return found;
}

Deno.test("watchRun() says each change once, over connections that break off", async () => {
  const { http, left } = answered([
    stream(run("running"), step("a", "running")),
    () => new Response(null, { status: 503 }),
    stream(run("running"), step("a", "running"), "rubbish", { type: "else" }),
    stream(step("a", "completed"), step("b", "completed"), run("completed", 100)),
    stream(run("failed")),
  ]);
  assert.deepEqual(await told(http), [
    "running",
    "a running",
    "a completed",
    "b completed",
    "completed",
  ]);
  assert.equal(left.length, 1);
});

Deno.test("watchRun() gives up a host that stays away, and one that says no at once", async () => {
  const away = answered([stream(run("running"))]);
  await assert.rejects(told(away.http), {
    code: "unreachable",
    exit: 4,
    hint: /carrel run watch run_1/,
  });
  const no = answered([() => Response.json({ code: "not_found" }, { status: 404 }), stream()]);
  await assert.rejects(told(no.http), (error) => error instanceof CliError && error.status === 404);
  assert.equal(no.left.length, 1);
});

Deno.test("watchRun() goes on at a host that was restarted, once its new token is known, and says what it waits for", async () => {
  const places = [
    { url: "http://127.0.0.1:1", token: "old" },
    // It listens already, and its file is not written yet.
    { url: "http://127.0.0.1:1", token: "old" },
    { url: "http://127.0.0.1:2", token: "new" },
  ];
  const asked: string[] = [];
  let connections = 0;
  const http = createTransport({
    ...places[0]!,
    renew: () => Promise.resolve(places.shift()),
    fetch(target, init) {
      const place = new URL(target as URL).port;
      const token = new Headers(init?.headers).get("authorization");
      asked.push(`${place} ${token}`);
      switch (++connections) {
        case 1:
          return Promise.resolve(stream(run("running"))());
        case 2:
          return Promise.reject(new TypeError("refused"));
        default:
          return Promise.resolve(
            token === "Bearer new"
              ? stream(run("running"), run("completed", 100))()
              : Response.json({ code: "unauthorized" }, { status: 401 }),
          );
      }
    },
  });
  const seen: string[] = [];
  const onAway = (away: boolean) => void seen.push(away ? "away" : "back");
  for await (const event of watchRun(http, "run_1", { pauseMs: 0, tries: 5, onAway })) {
    if (event.type === "run") seen.push(event.run.status);
  }
  assert.deepEqual(seen, ["running", "away", "back", "completed"]);
  const old = "1 Bearer old";
  assert.deepEqual(asked, [old, old, old, old, "2 Bearer new"]);
});
