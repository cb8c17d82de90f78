import assert from "node:assert/strict";
import type { CarrelError } from "../errors.ts";
import { createNetwork, type Network } from "./private.ts";

/** A resolver that knows a few names, so that no test depends on a name server. */
const NAMES: Record<string, string[]> = {
  "public.example": ["93.184.216.34"],
  "inside.example": ["10.0.0.5"],
  "mixed.example": ["93.184.216.34", "10.0.0.5"],
  "mapped.example": ["::ffff:10.0.0.5"],
  "cloud.example": ["169.254.169.254"],
  "six.example": ["fd12::1"],
  "loop.example": ["127.0.0.1"],
};

const lookup = (host: string) =>
  NAMES[host] === undefined ? Promise.reject(new Error("ENOTFOUND")) : Promise.resolve(NAMES[host]);

const network = (...allowPrivate: string[]) => createNetwork({ allowPrivate, lookup });

const refusal = (code: string, words: RegExp) => (error: unknown) => {
  assert.equal((error as CarrelError).code, code);
  assert.match((error as CarrelError).message, words);
  return true;
};

Deno.test("checkSource() passes public hosts, with site and port", async () => {
  const net = await network();
  assert.deepEqual(await net.checkSource("HTTPS://Public.Example./a?b#c"), {
    url: "https://public.example/a?b",
    host: "public.example",
    port: 443,
    site: "public.example",
    private: undefined,
  });
  assert.equal((await net.checkSource("http://public.example:8080/")).port, 8080);
  assert.equal((await net.checkSource("http://1.1.1.1/")).port, 80);
});

Deno.test("checkSource() passes a name that does not resolve: fetching it says so", async () => {
  const { host } = await (await network()).checkSource("https://nowhere.example/");
  assert.equal(host, "nowhere.example");
});

Deno.test("checkSource() gives up on a resolver that never answers", async () => {
  const { promise, resolve } = Promise.withResolvers<readonly string[]>();
  const net = await createNetwork({ lookup: () => promise, timeoutMs: 1 });
  assert.equal((await net.checkSource("https://slow.example/")).private, undefined);
  resolve([]);
});

Deno.test("checkSource() refuses what is not a fetchable URL", async () => {
  const net = await network();
  const urls = [
    "",
    "nonsense",
    "file:///etc/passwd",
    "ftp://public.example/",
    "javascript:1",
    "http://a,b.example/",
    "http://[2606:4700::1]/",
    `https://public.example/${"x".repeat(9000)}`,
  ];
  for (const url of urls) {
    await assert.rejects(net.checkSource(url), refusal("invalid_url", /^Cannot import/), url);
  }
});

Deno.test("checkSource() refuses a URL with a password and does not repeat it", async () => {
  const net = await network();
  await assert.rejects(net.checkSource("https://ann:hunter2@public.example/"), (error) => {
    assert.doesNotMatch((error as Error).message, /hunter2/);
    return refusal("invalid_url", /user name or password/)(error);
  });
});

Deno.test("checkSource() refuses private addresses in every notation and says how to open them", async () => {
  const net = await network();
  const hosts = [
    "127.0.0.1",
    "127.1",
    "2130706433",
    "0x7f.1",
    "0177.0.0.1",
    "0",
    "[::1]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[fd00::1]",
    "10.1.2.3",
    "192.168.0.1",
    "inside.example",
    "mixed.example",
    "mapped.example",
    "six.example",
  ];
  for (const host of hosts) {
    await assert.rejects(
      net.checkSource(`http://${host}/`),
      refusal("private_address", /--allow-private \S+:80\.$/),
      host,
    );
  }
});

Deno.test("checkSource() lets an opened host pass, on its port alone, pinned to its addresses", async () => {
  const net = await network("127.0.0.1:8080", "inside.example:443", "[::1]:9000");
  const { private: grant } = await net.checkSource("http://127.0.0.1:8080/x");
  assert.deepEqual(grant, { host: "127.0.0.1", port: 8080, addresses: ["127.0.0.1"] });
  assert.deepEqual((await net.checkSource("https://inside.example/")).private?.addresses, [
    "10.0.0.5",
  ]);
  assert.deepEqual((await net.checkSource("http://[::1]:9000/")).private?.addresses, ["::1"]);
  for (
    const url of ["http://127.0.0.1:8081/", "http://inside.example/", "http://loop.example:8080/"]
  ) {
    await assert.rejects(net.checkSource(url), refusal("private_address", /--allow-private/), url);
  }
});

Deno.test("checkSource() refuses an opened name that has moved to another private address", async () => {
  let address = "10.0.0.5";
  const net = await createNetwork({
    allowPrivate: ["moving.example:80"],
    lookup: () => Promise.resolve([address]),
  });
  assert.ok((await net.checkSource("http://moving.example/")).private);
  address = "10.0.0.6";
  await assert.rejects(
    net.checkSource("http://moving.example/"),
    refusal("private_address", /moving\.example:80 was opened, but led elsewhere/),
  );
});

Deno.test("createNetwork() never opens metadata addresses", async () => {
  for (const entry of ["169.254.169.254:80", "cloud.example:80", "[fd00:ec2::254]:80"]) {
    await assert.rejects(network(entry), refusal("invalid_config", /metadata/), entry);
  }
  await assert.rejects(
    (await network()).checkSource("http://169.254.169.254/latest"),
    refusal("private_address", /metadata address, which hands out credentials\.$/),
  );
});

Deno.test("createNetwork() refuses an entry that is not host:port", async () => {
  const entries = [
    "localhost",
    "127.0.0.1",
    "*.example:80",
    "http://a:80",
    "a:0",
    "a:99999",
    "a:80/x",
    "",
  ];
  for (const entry of entries) {
    await assert.rejects(network(entry), refusal("invalid_config", /expected host:port/), entry);
  }
});

Deno.test("protect() keeps the host's own API shut, opened or not", async () => {
  const check = (net: Network, url: string) =>
    assert.rejects(net.checkSource(url), refusal("private_address", /Carrel itself/), url);
  const net = await network("127.0.0.1:8081");
  net.protect(7420);
  await check(net, "http://127.0.0.1:7420/");
  await check(net, "http://loop.example:7420/");
  await check(net, "http://0.0.0.0:7420/");
  const own = Deno.networkInterfaces().find(({ family, address }) =>
    family === "IPv4" && !address.startsWith("127.")
  );
  if (own !== undefined) await check(net, `http://${own.address}:7420/`);
  assert.ok((await net.checkSource("http://127.0.0.1:8081/")).private);

  const opened = await network("127.0.0.1:7420");
  assert.throws(() => opened.protect(7420), refusal("invalid_config", /Carrel itself/));
  assert.equal(opened.privateGrant("127.0.0.1", 7420), undefined);
  await check(opened, "http://127.0.0.1:7420/");
});

Deno.test("createNetwork() resolves with the system's resolver unless told otherwise", async () => {
  const net = await createNetwork({ allowPrivate: ["localhost:8080"] });
  const grant = net.privateGrant("localhost", 8080);
  assert.ok(grant?.addresses.some((address) => address === "127.0.0.1" || address === "::1"));
});

Deno.test("privateGrant() of an opened name that resolves to nothing private is none", async () => {
  const net = await network("nowhere.example:80", "public.example:80");
  assert.equal(net.privateGrant("nowhere.example", 80), undefined);
  assert.equal(net.privateGrant("public.example", 80), undefined);
  assert.equal((await net.checkSource("http://public.example/")).private, undefined);
});
