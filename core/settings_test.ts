import assert from "node:assert/strict";
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
