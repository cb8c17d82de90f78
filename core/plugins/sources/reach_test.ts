import assert from "node:assert/strict";
import { createNetwork } from "../../network/private.ts";
import { checkPlace, grantsFor } from "./reach.ts";
import { failsWith } from "./testing/kit.ts";

const NAMES: Record<string, string[]> = {
  "public.example": ["93.184.216.34"],
  "other.example": ["93.184.216.35"],
  "inside.example": ["10.0.0.5"],
};
const network = await createNetwork({
  allowPrivate: ["inside.example:443", "inside.example:80", "127.0.0.1:8080"],
  lookup: (host) => Promise.resolve(NAMES[host] ?? []),
});
const check = async (url: string, from?: string) =>
  await checkPlace(
    network,
    url,
    from === undefined ? undefined : await checkPlace(network, from, undefined),
  );

Deno.test("checkPlace() passes https, and http to private addresses that are open", async () => {
  assert.equal((await check("https://public.example/x")).host, "public.example");
  assert.equal((await check("http://inside.example/x")).private?.addresses[0], "10.0.0.5");
  assert.equal((await check("http://127.0.0.1:8080/x")).port, 8080);
  await assert.rejects(
    check("http://public.example/x"),
    failsWith("invalid_url", /over https only/),
  );
  await assert.rejects(
    check("https://127.0.0.1/x"),
    failsWith("private_address", /^Cannot fetch .*--allow-private 127\.0\.0\.1:443/),
  );
});

Deno.test("checkPlace() follows to other public servers, and from the inside to the inside", async () => {
  assert.ok(await check("https://other.example/y", "https://public.example/x"));
  assert.ok(await check("http://127.0.0.1:8080/y", "http://inside.example/x"));
  assert.ok(await check("https://inside.example/y", "http://127.0.0.1:8080/x"));
  assert.ok(await check("https://public.example/y", "https://inside.example/x"));
});

Deno.test("checkPlace() lets no redirect into the private network, nor out of https", async () => {
  await assert.rejects(
    check("https://inside.example/y", "https://public.example/x"),
    failsWith("private_address", /leads to the private address inside\.example/),
  );
  await assert.rejects(
    check("http://inside.example/y", "https://inside.example/x"),
    failsWith("invalid_url", /leads to "http:\/\/inside\.example\/y", which is not https/),
  );
  await assert.rejects(
    check("http://public.example/y", "https://public.example/x"),
    failsWith("invalid_url", /not https/),
  );
  await assert.rejects(
    check("file:///etc/passwd", "https://public.example/x"),
    failsWith("invalid_url", /only http and https/),
  );
});

Deno.test("grantsFor() grants one host on one port and nothing else", async () => {
  const { net, private: opened, ...others } = grantsFor(await check("https://public.example/x"));
  assert.deepEqual([net, opened], [["public.example:443"], []]);
  assert.ok(Object.values(others).every((value) => value === false || (value as []).length === 0));
  const inside = grantsFor(await check("http://127.0.0.1:8080/x"));
  assert.deepEqual([inside.net, inside.private], [[], [
    { host: "127.0.0.1", port: 8080, addresses: ["127.0.0.1"] },
  ]]);
  assert.deepEqual(grantsFor(undefined).net, []);
});
