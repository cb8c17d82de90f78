// deno-lint-ignore-file no-regex-spaces -- columns are what is tested
import assert from "node:assert/strict";
import { type Allowed, decideConsent, flagOf, granted } from "./consent.ts";
import { EXIT } from "./errors.ts";
import { createStyle } from "./format.ts";
import { CONSENT } from "./testing/samples.ts";
import { testIo } from "./testing/io.ts";
import type { ConsentJson } from "./wire.ts";

const style = createStyle(false);

function decide(
  options: {
    consent?: ConsentJson;
    answers?: (string | undefined)[];
    terminal?: boolean;
    allowed?: Allowed;
    yes?: boolean;
    replace?: boolean;
    signal?: AbortSignal;
  },
) {
  const io = testIo({ terminal: options.terminal ?? true, answers: options.answers ?? [] });
  const decision = decideConsent(options.consent ?? CONSENT, {
    io,
    style,
    width: 80,
    allowed: options.allowed ?? {},
    yes: options.yes ?? false,
    replace: options.replace,
    signal: options.signal ?? new AbortController().signal,
  });
  return { io, decision };
}

Deno.test("decideConsent() asks for each permission in plain words and grants just the ones allowed", async () => {
  const { io, decision } = decide({ answers: ["y", "", "yes"] });
  assert.deepEqual(await decision, ["net:arxiv.org:443"]);
  assert.equal(io.asked.length, 3);
  assert.match(io.asked[2]!, /with 1 of 2 permissions\?/);
  const shown = io.errText();
  assert.match(shown, /! It reads your environment and can send to arxiv\.org\./);
  assert.match(shown, /medium  Send requests to arxiv\.org \(port 443\)\n +it says: the paper/);
  assert.match(shown, /low     Read the environment variable HOME\n +it gives no reason/);
});

Deno.test("decideConsent() grants nothing when nobody says yes", async () => {
  assert.deepEqual(await decide({ answers: ["n", "no", "y"] }).decision, []);
  assert.equal(await decide({ answers: ["y", "y", "n"] }).decision, undefined);
  assert.equal(await decide({ answers: ["y"] }).decision, undefined);
  assert.equal(await decide({ answers: ["y", "y"] }).decision, undefined);
  const all = decide({ answers: ["Y", " yes ", "y"] });
  assert.equal((await all.decision)?.length, 2);
  assert.match(all.io.asked[2]!, /all 2 permissions/);
});

Deno.test("decideConsent() asks nothing and denies all when there is no terminal", async () => {
  const { io, decision } = decide({ terminal: false, allowed: { env: ["HOME"] } });
  await assert.rejects(decision, {
    exit: EXIT.consent,
    code: "consent_required",
    hint: /--yes, and .* --allow-net=arxiv\.org:443 --allow-env=HOME$/,
  });
  assert.deepEqual(io.asked, []);
  const none = { ...CONSENT, permissions: [], warnings: [] };
  await assert.rejects(decide({ terminal: false, consent: none }).decision, { hint: /--yes$/ });
});

Deno.test("decideConsent() with --yes grants just what the flags name", async () => {
  assert.deepEqual(await decide({ yes: true, terminal: false }).decision, []);
  assert.deepEqual(
    await decide({ yes: true, allowed: { net: ["arxiv.org"], env: ["env:HOME"] } }).decision,
    ["net:arxiv.org:443", "env:HOME"],
  );
});

Deno.test("decideConsent() with --yes says who the plugin is, what it is handed and what is odd, all the same", async () => {
  const { io, decision } = decide({ yes: true, terminal: false });
  await decision;
  const shown = io.errText();
  assert.match(shown, /Sample import\.sample 1\.0\.0[\s\S]*from file:\/\/\/plugins\/sample/);
  assert.match(shown, /unverified: not signed/);
  assert.match(
    shown,
    /handed it without being granted anything:\n {2}· Read files of the type text\/x-/,
  );
  assert.match(shown, /! It reads your environment and can send to arxiv\.org\./);
});

Deno.test("decideConsent() with --yes takes no stranger in the place of a plugin, but for --replace", async () => {
  const consent: ConsentJson = {
    ...CONSENT,
    kind: "replace",
    before: { version: "1.0.0", origin: "https://plugins.example/sample" },
  };
  const { io, decision } = decide({ consent, yes: true, allowed: { env: ["HOME"] } });
  await assert.rejects(decision, {
    exit: EXIT.consent,
    code: "consent_required",
    message: /not the plugin of this id that is installed, from https:\/\/plugins\.example\/sample/,
    hint: /add: --replace$/,
  });
  assert.deepEqual(io.asked, []);
  const replace = decide({ consent, yes: true, replace: true, allowed: { env: ["HOME"] } });
  assert.deepEqual(await replace.decision, ["env:HOME"]);
  const asked = decide({ consent, answers: ["d", "y"] });
  assert.deepEqual(await asked.decision, []);
  assert.match(asked.io.asked[1]!, /^Delete import\.sample 1\.0\.0 and install import\.sample/);
  await assert.rejects(decide({ consent, terminal: false }).decision, { hint: /--yes --replace/ });
});

Deno.test("decideConsent() with --yes and no flag grants a job nothing: that is a mistake", async () => {
  const consent: ConsentJson = { ...CONSENT, kind: "request" };
  await assert.rejects(decide({ consent, yes: true }).decision, {
    exit: EXIT.usage,
    hint: /--allow-net=arxiv\.org:443 --allow-env=HOME\n.*--deny$/,
  });
});

Deno.test("decideConsent() does not call a built-in plugin signed", async () => {
  const consent: ConsentJson = { ...CONSENT, kind: "request", origin: "builtin", verified: true };
  const { io, decision } = decide({ consent, answers: ["n", "n"] });
  await decision;
  assert.match(io.errText(), /built in: it comes with Carrel/);
  assert.doesNotMatch(io.errText(), /key that you trust/);
});

Deno.test("decideConsent() does not ask again for what the flags grant", async () => {
  const { io, decision } = decide({ allowed: { env: ["HOME"] }, answers: ["n", "y"] });
  assert.deepEqual(await decision, ["env:HOME"]);
  assert.equal(io.asked.length, 2);
  const none = decide({ consent: { ...CONSENT, permissions: [] }, answers: ["y"] });
  assert.deepEqual(await none.decision, []);
  assert.match(none.io.asked[0]!, /^Install import\.sample 1\.0\.0\? /);
});

Deno.test("granted() refuses a flag that names nothing the plugin asks for", () => {
  assert.throws(() => granted(CONSENT, { net: ["evil.org:443"] }), {
    exit: EXIT.usage,
    hint: /--allow-net=arxiv\.org:443/,
  });
  assert.throws(() => granted({ ...CONSENT, permissions: [] }, { env: ["X"] }), {
    hint: "It asks for nothing.",
  });
});

Deno.test("decideConsent() shows what a plugin says of itself without its escape sequences", async () => {
  const [first] = CONSENT.permissions;
  const consent = {
    ...CONSENT,
    description: "\x1b[8mhidden",
    permissions: [{ ...first!, reason: "fine\x1b[2K\rlow  nothing at all", risk: "high" as const }],
  };
  const { io, decision } = decide({ consent, answers: [] });
  assert.equal(await decision, undefined);
  // deno-lint-ignore no-control-regex
  assert.doesNotMatch(io.errText(), /[\x00-\x09\x0b-\x1f]/);
});

Deno.test("flagOf() quotes what a shell would take apart", () => {
  const [first] = CONSENT.permissions;
  assert.equal(flagOf({ ...first!, value: "*.arxiv.org:443" }), "--allow-net='*.arxiv.org:443'");
  assert.equal(flagOf({ ...first!, value: "a'b $x" }), `--allow-net='a'\\''b $x'`);
  assert.equal(flagOf({ ...first!, permission: "strange", value: "x" }), "--allow-strange=x");
});

Deno.test("decideConsent() takes one word for all that follow", async () => {
  const all = decide({ answers: ["a", "y"] });
  assert.deepEqual(await all.decision, ["net:arxiv.org:443", "env:HOME"]);
  assert.equal(all.io.asked.length, 2);
  const none = decide({ answers: ["d", "y"] });
  assert.deepEqual(await none.decision, []);
});

Deno.test("decideConsent() asks again when the answer is neither yes nor no", async () => {
  const { io, decision } = decide({ answers: ["sure", "y", "n", "ja", "yes"] });
  assert.deepEqual(await decision, ["net:arxiv.org:443"]);
  assert.match(io.errText(), /Please answer y, n, a or d; “sure” is neither/);
});
