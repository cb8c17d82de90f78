import assert from "node:assert/strict";
import { PluginError, type PluginErrorCode } from "./errors.ts";
import { fetchSource, type FetchSourceOptions } from "./fetch.ts";

/** Serves on a free port until it is disposed. */
function serve(handler: (request: Request) => Response | Promise<Response>) {
  const ended = new AbortController();
  const server = Deno.serve({
    hostname: "127.0.0.1",
    port: 0,
    signal: ended.signal,
    onListen: () => {},
    onError: () => new Response(null, { status: 500 }),
  }, handler);
  return {
    url: `http://127.0.0.1:${server.addr.port}`,
    port: server.addr.port,
    async [Symbol.asyncDispose]() {
      ended.abort();
      await server.finished;
    },
  };
}

async function failure(url: string, options: FetchSourceOptions = {}): Promise<PluginError> {
  try {
    await fetchSource(url, options);
  } catch (error) {
    assert.ok(error instanceof PluginError, String(error));
    return error;
  }
  throw new assert.AssertionError({ message: `${url} was fetched` });
}

async function fails(
  url: string,
  code: PluginErrorCode,
  retryable: boolean,
  options: FetchSourceOptions = {},
): Promise<PluginError> {
  const error = await failure(url, options);
  assert.equal(error.code, code, error.message);
  assert.equal(error.retryable, retryable);
  assert.match(error.message, /^Cannot fetch ".*": .*\.$/);
  return error;
}

Deno.test("fetchSource() brings bytes, media type and the last address when the server redirects", async () => {
  await using server = serve((request) => {
    const { pathname } = new URL(request.url);
    if (pathname === "/old") {
      return new Response(null, { status: 301, headers: { location: "/new" } });
    }
    assert.equal(request.headers.get("user-agent"), "Carrel/0.1");
    assert.equal(request.headers.get("accept"), "text/html");
    return new Response("grüße", { headers: { "content-type": "text/html; charset=UTF-8" } });
  });
  const raw = await fetchSource(`${server.url}/old#part`, { accept: "text/html" });
  assert.equal(new TextDecoder().decode(raw.bytes), "grüße");
  assert.equal(raw.mediaType, "text/html; charset=UTF-8");
  assert.equal(raw.url, `${server.url}/new`);
});

Deno.test("fetchSource() calls the bytes application/octet-stream when the server names no type", async () => {
  await using server = serve(() => new Response(new Uint8Array([1, 2])));
  const raw = await fetchSource(server.url);
  assert.equal(raw.mediaType, "application/octet-stream");
  assert.deepEqual(raw.bytes, new Uint8Array([1, 2]));
});

Deno.test("fetchSource() takes an empty body as no bytes", async () => {
  await using server = serve(() => new Response(null, { status: 204 }));
  assert.equal((await fetchSource(server.url)).bytes.length, 0);
});

Deno.test("fetchSource() refuses what is no http address", async () => {
  for (const url of ["no address", "file:///etc/passwd", "ftp://example.org/a", "data:,a", ""]) {
    await fails(url, "invalid_url", false);
  }
});

Deno.test("fetchSource() refuses a redirect to another scheme", async () => {
  await using server = serve(() =>
    new Response(null, { status: 302, headers: { location: "file:///etc/passwd" } })
  );
  await fails(server.url, "invalid_url", false);
});

Deno.test("fetchSource() fails with the status, and whether a retry can help, when the answer is an error", async () => {
  await using server = serve((request) =>
    new Response("sorry", { status: Number(new URL(request.url).pathname.slice(1)) })
  );
  for (
    const [status, retryable] of [
      [400, false],
      [401, false],
      [403, false],
      [404, false],
      [408, true],
      [410, false],
      [425, true],
      [429, true],
      [500, true],
      [503, true],
    ] as const
  ) {
    const error = await fails(`${server.url}/${status}`, "http_error", retryable);
    assert.deepEqual(error.data, { status });
    assert.ok(error.message.includes(`HTTP ${status}`));
  }
});

Deno.test("fetchSource() gives up when redirects go in a circle", async () => {
  let requests = 0;
  await using server = serve((request) => {
    requests++;
    const to = new URL(request.url).pathname === "/a" ? "/b" : "/a";
    return new Response(null, { status: 302, headers: { location: to } });
  });
  await fails(`${server.url}/a`, "too_many_redirects", false);
  assert.equal(requests, 2);
});

Deno.test("fetchSource() gives up when redirects never end", async () => {
  let requests = 0;
  await using server = serve(() =>
    new Response(null, { status: 307, headers: { location: `/${++requests}` } })
  );
  await fails(server.url, "too_many_redirects", false);
  assert.equal(requests, 11);
});

Deno.test("fetchSource() refuses at once when the announced size is too large", async () => {
  await using server = serve(() =>
    new Response(endless(), { headers: { "content-length": `${2 ** 31}` } })
  );
  const error = await fails(server.url, "too_large", false, { maxBytes: 1024 * 1024 });
  assert.match(error.message, /larger than 1 MiB/);
});

Deno.test("fetchSource() cuts a body of two gigabytes at the limit and closes the connection", async () => {
  const cancelled = Promise.withResolvers<void>();
  let sent = 0;
  await using server = serve(() =>
    new Response(endless(2 ** 31, (bytes) => sent = bytes, () => cancelled.resolve()))
  );
  await fails(server.url, "too_large", false, { maxBytes: 1024 * 1024 });
  await cancelled.promise;
  assert.ok(sent < 64 * 1024 * 1024, `the server could send ${sent} bytes`);
});

Deno.test("fetchSource() counts what a compressed body unfolds to", async () => {
  const zeros = new Blob([new Uint8Array(4 * 1024 * 1024)]).stream();
  const packed = await new Response(zeros.pipeThrough(new CompressionStream("gzip"))).bytes();
  await using server = serve(() =>
    new Response(packed, { headers: { "content-encoding": "gzip" } })
  );
  assert.ok(packed.length < 10_000);
  await fails(server.url, "too_large", false, { maxBytes: 1024 * 1024 });
});

Deno.test("fetchSource() takes a body of exactly the limit and says how far it is", async () => {
  await using server = serve(() => new Response(new Uint8Array(1000)));
  const seen: [number, number | undefined][] = [];
  const { bytes } = await fetchSource(server.url, {
    maxBytes: 1000,
    onProgress: (read, total) => seen.push([read, total]),
  });
  assert.equal(bytes.length, 1000);
  assert.deepEqual(seen.at(-1), [1000, 1000]);
});

Deno.test("fetchSource() fails retryably when the server says nothing", async () => {
  const release = Promise.withResolvers<void>();
  await using server = serve(async () => {
    await release.promise;
    return new Response("late");
  });
  try {
    const error = await fails(server.url, "fetch_failed", true, { timeoutMs: 50 });
    assert.match(error.message, /said nothing/);
  } finally {
    release.resolve();
  }
});

Deno.test("fetchSource() fails retryably when the body stops half way", async () => {
  const cancelled = Promise.withResolvers<void>();
  await using server = serve(() =>
    new Response(
      new ReadableStream({
        start: (controller) => controller.enqueue(new Uint8Array(10)),
        cancel: () => cancelled.resolve(),
      }),
    )
  );
  await fails(server.url, "fetch_failed", true, { timeoutMs: 100 });
  await cancelled.promise;
});

Deno.test("fetchSource() throws the signal's reason when it is aborted", async () => {
  const asked = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  await using server = serve(async () => {
    asked.resolve();
    await release.promise;
    return new Response("late");
  });
  const aborted = new AbortController();
  const fetching = fetchSource(server.url, { signal: aborted.signal });
  await asked.promise;
  aborted.abort(new Error("cancelled by a test"));
  await assert.rejects(fetching, { message: "cancelled by a test" });
  release.resolve();
  await assert.rejects(
    fetchSource(server.url, { signal: AbortSignal.abort(new Error("before it began")) }),
    { message: "before it began" },
  );
});

Deno.test("fetchSource() fails retryably when nobody listens or the connection breaks", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const served = (async () => {
    const connection = await listener.accept();
    await connection.read(new Uint8Array(1024));
    await connection.write(
      new TextEncoder().encode("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf"),
    );
    connection.close();
  })();
  await fails(`http://127.0.0.1:${port}`, "fetch_failed", true);
  await served;
  listener.close();
  const refused = await fails(`http://127.0.0.1:${port}`, "fetch_failed", true);
  assert.match(refused.message, /refuses connections/);
});

Deno.test("fetchSource() fails for good when the name is nobody's, and retryably when that is not sure", async () => {
  const real = globalThis.fetch;
  const answers: [why: string, retryable: boolean, message: RegExp][] = [
    ["Name or service not known", false, /no server of that name/],
    ["nodename nor servname provided, or not known", false, /no server of that name/],
    ["No address associated with hostname", false, /no server of that name/],
    ["No such host is known. (os error 11001)", false, /no server of that name/],
    ["Temporary failure in name resolution", true, /cannot be looked up at the moment/],
  ];
  try {
    for (const [why, retryable, message] of answers) {
      // What Deno throws; which of them it is, is the resolver's word.
      globalThis.fetch = () =>
        Promise.reject(
          new TypeError("fetch failed", {
            cause: new Error(`dns error: failed to lookup address information: ${why}`),
          }),
        );
      const error = await fails("http://nowhere.invalid", "fetch_failed", retryable);
      assert.match(error.message, message);
    }
  } finally {
    globalThis.fetch = real;
  }
});

Deno.test("fetchSource() fails retryably when no secure connection can be made", async () => {
  await using server = serve(() => new Response("plain"));
  await fails(server.url.replace("http:", "https:"), "fetch_failed", true);
});

Deno.test("fetchSource() stops with the new address when a redirect leaves the grants", async () => {
  await using other = serve(() => new Response("secret"));
  await using server = serve(() =>
    new Response(null, { status: 302, headers: { location: `${other.url}/page` } })
  );
  const seen = await inChild(server.url, [`--allow-net=127.0.0.1:${server.port}`]);
  assert.equal(seen.code, "redirected");
  assert.deepEqual(seen.data, { url: `${other.url}/page` });
});

Deno.test("fetchSource() follows a redirect to another host when that is granted", async () => {
  await using other = serve(() => new Response("open"));
  await using server = serve(() =>
    new Response(null, { status: 302, headers: { location: `${other.url}/page` } })
  );
  const seen = await inChild(server.url, [
    `--allow-net=127.0.0.1:${server.port},127.0.0.1:${other.port}`,
  ]);
  assert.deepEqual(seen, { url: `${other.url}/page`, length: 4 });
});

Deno.test("fetchSource() says that an address is private when a deny rule stops it", async () => {
  await using server = serve(() => new Response("secret"));
  const deny = "--deny-net=127.0.0.0/8,[::1]";
  for (const host of ["127.0.0.1", "localhost", "2130706433"]) {
    const url = `http://${host}:${server.port}/`;
    const seen = await inChild(url, [`--allow-net=localhost:${server.port}`, deny]);
    assert.equal(seen.code, "private_address", JSON.stringify(seen));
    assert.match(String(seen.message), /--allow-private [\w.]+:\d+/);
  }
});

Deno.test("fetchSource() says that an address is private when a redirect leads to one", async () => {
  await using server = serve(() =>
    new Response(null, { status: 302, headers: { location: "http://10.0.0.1/admin" } })
  );
  const seen = await inChild(server.url, [
    `--allow-net=127.0.0.1:${server.port}`,
    "--deny-net=10.0.0.0/8",
  ]);
  assert.equal(seen.code, "private_address");
});

/** Fetches in a process with other permissions than ours. */
async function inChild(url: string, flags: readonly string[]): Promise<Record<string, unknown>> {
  const folder = await Deno.makeTempDir();
  try {
    const script = `
      import { fetchSource } from ${JSON.stringify(new URL("./fetch.ts", import.meta.url).href)};
      try {
        const { url, bytes } = await fetchSource(${JSON.stringify(url)});
        console.log(JSON.stringify({ url, length: bytes.length }));
      } catch (error) {
        console.log(JSON.stringify({ ...error, message: error.message }));
      }`;
    await Deno.writeTextFile(`${folder}/main.ts`, script);
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", "--no-prompt", "--no-config", ...flags, `${folder}/main.ts`],
      env: { NO_COLOR: "1" },
    }).output();
    const text = new TextDecoder().decode(stdout);
    assert.notEqual(text, "", new TextDecoder().decode(stderr));
    return JSON.parse(text);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** A body of zeros that is made as it is read. */
function endless(
  size = Infinity,
  onSent: (bytes: number) => void = () => {},
  onCancel: () => void = () => {},
): ReadableStream<Uint8Array> {
  let sent = 0;
  return new ReadableStream({
    pull(controller) {
      if (sent >= size) return controller.close();
      controller.enqueue(new Uint8Array(64 * 1024));
      onSent(sent += 64 * 1024);
    },
    cancel: onCancel,
  });
}
