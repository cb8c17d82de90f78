import assert from "node:assert/strict";
import { parse } from "yaml";
import { CONFIG_DIR } from "./assets.ts";
import { loadSettings, parseSettings } from "./settings.ts";

Deno.test("parseSettings() fills in every default when the file is empty", () => {
  const settings = parseSettings("", "carrel.yaml");
  assert.equal(settings.http.hostname, "127.0.0.1");
  assert.equal(settings.jobs.concurrency, 8);
  assert.deepEqual(settings.network.allow_private, []);
});

Deno.test("parseSettings() keeps what is said and defaults the rest", () => {
  const settings = parseSettings("network:\n  allow_private: ['127.0.0.1:8080']\n", "carrel.yaml");
  assert.deepEqual(settings.network.allow_private, ["127.0.0.1:8080"]);
  assert.equal(settings.http.port, 7420);
});

Deno.test("parseSettings() takes an order of providers by capability", () => {
  const { capabilities } = parseSettings(
    'capabilities: {text.generate: [generator.a, "*"]}',
    "carrel.yaml",
  );
  assert.deepEqual(capabilities, { "text.generate": ["generator.a", "*"] });
  assert.throws(() => parseSettings("capabilities: {Text: [generator.a]}", "x"), /capabilities/);
});

Deno.test("parseSettings() names file and field when a value is wrong or a key unknown", () => {
  assert.throws(() => parseSettings("http: {port: many}", "x/carrel.yaml"), {
    code: "invalid_config",
    message: /x\/carrel\.yaml.*http\.port/,
  });
  assert.throws(() => parseSettings("htpp: {}", "carrel.yaml"), /htpp/);
  assert.throws(() => parseSettings("http: [", "carrel.yaml"), { code: "invalid_config" });
});

Deno.test("loadSettings() takes the defaults when there is no file", async () => {
  const dir = await Deno.makeTempDir();
  try {
    assert.equal((await loadSettings(dir)).http.port, 7420);
    await Deno.writeTextFile(`${dir}/carrel.yaml`, "http: {port: 1234}");
    assert.equal((await loadSettings(dir)).http.port, 1234);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("parseSettings() reads the limits of plugins and refuses a default above its ceiling", () => {
  const { limits } = parseSettings(
    "limits: {default: {wall_s: 60}, ceiling: {memory_mb: 2048}}",
    "carrel.yaml",
  );
  assert.equal(limits.default.wall_s, 60);
  assert.equal(limits.default.memory_mb, 512);
  assert.equal(limits.ceiling.memory_mb, 2048);
  assert.equal(parseSettings("", "carrel.yaml").limits.ceiling.memory_mb, 4096);
  assert.throws(
    () => parseSettings("limits: {default: {cpu_s: 9}, ceiling: {cpu_s: 3}}", "carrel.yaml"),
    /limits\.default\.cpu_s: 9 is above the ceiling, 3/,
  );
  assert.throws(() => parseSettings("limits: {default: {memry_mb: 9}}", "carrel.yaml"), {
    message: /limits\.default: unknown key: expected one of memory_mb/,
  });
});

Deno.test("config/carrel.yaml names every setting, with its default", async () => {
  const text = await Deno.readTextFile(`${CONFIG_DIR}/carrel.yaml`);
  const [, ...sections] = text.split("\n\n");
  const open = sections.join("\n").replaceAll(/^# ?/gm, "");
  // It must be good as it stands there, with the # taken away.
  parseSettings(open, "carrel.yaml");
  const named: Record<string, unknown> = parse(open);
  /** They show an example, for their default is empty or depends on something. */
  const examples = /^(capabilities|jobs\.rates|plugins)\b/;
  const missing: string[] = [];
  const compare = (value: unknown, said: unknown, path: string) => {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      for (const [key, one] of Object.entries(value)) {
        const below = path === "" ? key : `${path}.${key}`;
        compare(one, (said as Record<string, unknown> | undefined)?.[key], below);
      }
    } else if (said === undefined || !examples.test(path) && String(said) !== String(value)) {
      missing.push(path);
    }
  };
  compare(parseSettings("", "carrel.yaml"), named, "");
  const optional = ["install_policy", "trusted_keys", "registry", "npm_registry"];
  compare(Object.fromEntries(optional.map((key) => [key, ""])), named["plugins"], "plugins");
  assert.deepEqual(missing, []);
});
