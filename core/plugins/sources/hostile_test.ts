/** Servers and networks that mean harm. */
import assert from "node:assert/strict";
import { gzip, tar } from "./testing/archives.ts";
import {
  createKit,
  failsWith,
  filesHandler,
  packageTgz,
  PLUGIN,
  under,
  yaml,
} from "./testing/kit.ts";

Deno.test("fetchPlugin() ends a circle of redirects, in one server and over several", async () => {
  await using kit = await createKit();
  const one = kit.serve((_, url) =>
    Response.redirect(`${url.origin}/${Number(url.pathname.slice(1, 2)) + 1}.tgz`)
  );
  await assert.rejects(
    kit.fetch(`${one.url}/0.tgz`),
    failsWith("too_many_redirects", /more than 5 times/),
  );
  assert.equal(one.asked.length, 6);
  const there = kit.serve(() => Response.redirect(`${back.url}/x.tgz`));
  const back: typeof there = kit.serve(() => Response.redirect(`${there.url}/x.tgz`));
  await assert.rejects(
    kit.fetch(`${there.url}/x.tgz`, { limits: { redirects: 3 } }),
    failsWith("too_many_redirects", /more than 3 times/),
  );
  assert.equal(there.asked.length + back.asked.length, 4);
});

Deno.test("fetchPlugin() follows a redirect to a server that is open, and to no other", async () => {
  await using kit = await createKit();
  const target = kit.serve(filesHandler({ "/x.tgz": await packageTgz() }));
  const from = kit.serve(() => Response.redirect(`${target.url}/x.tgz`));
  const plugin = await kit.fetch(`${from.url}/p-1.0.0.tgz`);
  assert.equal(plugin.origin, `${from.url}/p-{version}.tgz`);
  const only = { allowPrivate: [from.host] };
  await assert.rejects(
    kit.fetch(`${from.url}/x.tgz`, { network: only }),
    failsWith("private_address", /private address/),
  );
  assert.equal(target.asked.length, 1);
  for (const to of ["http://169.254.169.254/x", "http://10.0.0.1/x", "http://[::1]:9/x"]) {
    const lure = kit.serve(() => Response.redirect(to));
    await assert.rejects(
      kit.fetch(`${lure.url}/x.tgz`),
      failsWith("private_address", /address/),
      to,
    );
  }
  const down = kit.serve(() => Response.redirect("http://93.184.216.34/x.tgz"));
  await assert.rejects(kit.fetch(`${down.url}/x.tgz`), failsWith("invalid_url", /not https/));
});

Deno.test("fetchPlugin() reaches no private address that was not opened, however it is written", async () => {
  await using kit = await createKit();
  const server = kit.serve(filesHandler(under("/p/")));
  const port = server.host.split(":")[1];
  for (
    const host of [
      "127.0.0.1",
      "localhost",
      "127.1",
      "2130706433",
      "0x7f000001",
      "[::1]",
      "[::ffff:127.0.0.1]",
      "0.0.0.0",
    ]
  ) {
    for (const scheme of ["http", "https", "git+http"]) {
      await assert.rejects(
        kit.fetch(`${scheme}://${host}:${port}/p/carrel.yaml`, { network: {} }),
        failsWith("private_address", /private address/),
        `${scheme} ${host}`,
      );
    }
  }
  assert.equal(kit.started(), 0);
  assert.deepEqual(server.asked, []);
});

Deno.test("fetchPlugin() fetches over plain http from no public server", async () => {
  await using kit = await createKit();
  await assert.rejects(
    kit.fetch("http://93.184.216.34/carrel.yaml"),
    failsWith("invalid_url", /over https only/),
  );
  assert.equal(kit.started(), 0);
});

Deno.test("fetchPlugin() is not fooled by a name that leads elsewhere when the runner resolves it", async () => {
  await using kit = await createKit();
  const server = kit.serve(filesHandler(under("/p/")));
  const port = server.host.split(":")[1];
  // What the host is told: a public address. What the runner finds: this machine.
  const network = { lookup: () => Promise.resolve(["93.184.216.34"]) };
  for (const kind of ["/p/carrel.yaml", "/p/x.tgz"]) {
    await assert.rejects(
      kit.fetch(`https://localhost:${port}${kind}`, { network }),
      failsWith("private_address", /the address is private/),
    );
  }
  await assert.rejects(
    kit.fetch(`git+https://localhost:${port}/p`, { network }),
    failsWith("private_address", /the address is private/),
  );
  assert.ok(kit.started() >= 3);
  assert.deepEqual(server.asked, []);
});

Deno.test("fetchPlugin() takes modules from the manifest's server and folder only", async () => {
  await using kit = await createKit();
  const other = kit.serve(() => new Response("export default 1;"));
  const code = (specifier: string) => `import "${specifier}"; export default 1;`;
  const server = kit.serve((_, { pathname }) => {
    if (pathname.endsWith("carrel.yaml")) return new Response(yaml("import.sample"));
    if (pathname === "/out/mod.ts") return new Response(code("../../etc/x.ts"));
    if (pathname === "/away/mod.ts") return new Response(code("./away.ts"));
    if (pathname === "/away/away.ts") return Response.redirect(`${other.url}/x.ts`);
    if (pathname === "/absolute/mod.ts") return new Response(code(`${other.url}/x.ts`));
    if (pathname === "/gone/mod.ts") return new Response(code("./gone.ts"));
    return new Response("none", { status: 404 });
  });
  const fetch = (folder: string) => kit.fetch(`${server.url}/${folder}/carrel.yaml`);
  await assert.rejects(fetch("out"), failsWith("unreadable", /mod\.ts imports.*leads out of/));
  await assert.rejects(
    fetch("away"),
    failsWith("redirected", /another server than the manifest's/),
  );
  await assert.rejects(fetch("gone"), failsWith("http_error", /gone\/gone\.ts.*HTTP 404/));
  await fetch("absolute"); // Left to the bundler, which refuses it.
  assert.deepEqual(other.asked, []);
});

Deno.test("fetchPlugin() ends bodies that do not end, and servers that say nothing", async () => {
  await using kit = await createKit();
  const ended = Promise.withResolvers<void>();
  const server = kit.serve((_, { pathname }) => {
    if (pathname === "/silent.tgz") return new Promise<Response>(() => {});
    if (pathname === "/stalled.tgz") {
      return new Response(new ReadableStream({ start: (c) => c.enqueue(new Uint8Array(9)) }));
    }
    return new Response(
      new ReadableStream({
        pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
        cancel: () => ended.resolve(),
      }),
    );
  });
  await assert.rejects(
    kit.fetch(`${server.url}/endless.tgz`, { limits: { downloadBytes: 1_000_000 } }),
    failsWith("too_large", /larger than 1 MiB/),
  );
  await ended.promise;
  for (const name of ["silent", "stalled"]) {
    await assert.rejects(
      kit.fetch(`${server.url}/${name}.tgz`, { limits: { silenceMs: 100 } }),
      failsWith("fetch_failed", /said nothing for 0\.1 seconds/),
    );
    await assert.rejects(
      kit.fetch(`${server.url}/${name}.tgz`, { limits: { timeMs: 500 } }),
      failsWith("timed_out", /longer than 0\.5 s/),
    );
    const controller = new AbortController();
    const fetching = kit.fetch(`${server.url}/${name}.tgz`, { signal: controller.signal });
    controller.abort();
    await assert.rejects(fetching, failsWith("cancelled", /cancelled/));
  }
});

Deno.test("fetchPlugin() refuses bombs, packed by the author or by the server", async () => {
  await using kit = await createKit();
  const zeros = new Uint8Array(32 * 1024 * 1024);
  const bomb = await gzip(tar([{ path: "carrel.yaml", text: zeros }]));
  const server = kit.serve((_, { pathname }) =>
    pathname === "/author.tgz" ? new Response(bomb) : new Response(bomb, {
      headers: { "content-encoding": "gzip", "content-type": "application/gzip" },
    })
  );
  await assert.rejects(
    kit.fetch(`${server.url}/author.tgz`),
    failsWith("too_large", /inflates to more than 200 times/),
  );
  await assert.rejects(
    kit.fetch(`${server.url}/server.tgz`, { limits: { downloadBytes: 4_000_000 } }),
    failsWith("too_large", /larger than 3\.8 MiB/),
  );
});

Deno.test("fetchPlugin() takes an archive that the server unpacked on the way", async () => {
  await using kit = await createKit();
  const packed = await packageTgz();
  const server = kit.serve(() =>
    new Response(packed as BodyInit, { headers: { "content-encoding": "gzip" } })
  );
  const plugin = await kit.fetch(`${server.url}/x.tgz`);
  assert.equal(plugin.files.length, Object.keys(PLUGIN).length);
});

Deno.test("fetchPlugin() bounds the modules of a manifest in number and size", async () => {
  await using kit = await createKit();
  const server = kit.serve((_, { pathname }) => {
    if (pathname.endsWith("carrel.yaml")) return new Response(yaml("import.sample"));
    if (pathname.endsWith(".json")) return new Response("none", { status: 404 });
    const n = Number(/([0-9]+)\.ts$/.exec(pathname)?.[1] ?? 0);
    return new Response(`export * from "./m${n + 1}.ts"; // ${"x".repeat(1000)}`);
  });
  const url = `${server.url}/p/carrel.yaml`;
  await assert.rejects(
    kit.fetch(url, { limits: { files: 20 } }),
    failsWith("too_large", /more than 20 files/),
  );
  await assert.rejects(
    kit.fetch(url, { limits: { fileBytes: 500 } }),
    failsWith("too_large", /mod\.ts.*larger than/),
  );
  await assert.rejects(
    kit.fetch(url, { limits: { totalBytes: 5000 } }),
    failsWith("too_large", /more than 4\.9 KiB/),
  );
  await assert.rejects(
    kit.fetch(url, { limits: { downloadBytes: 5000 } }),
    failsWith("too_large", /more than|larger than/),
  );
});

Deno.test("fetchPlugin() leaves nothing behind when an archive is hostile", async () => {
  await using kit = await createKit();
  const archives: Record<string, [Uint8Array, RegExp]> = {
    traversal: [tar([{ path: "../../x", text: "x" }]), /"\.\.\/\.\.\/x" leads out of the folder/],
    absolute: [tar([{ path: "/tmp/x", text: "x" }]), /"\/tmp\/x" has an absolute path/],
    symlink: [tar([{ path: "lib", type: "2", link: "/etc" }]), /"lib" is a symbolic link/],
    hardlink: [tar([{ path: "x", type: "1", link: "/etc/passwd" }]), /"x" is a hard link/],
    twice: [
      tar([{ path: "carrel.yaml", text: "a" }, { path: "carrel.yaml", text: "b" }]),
      /"carrel\.yaml" is there twice/,
    ],
    noise: [new TextEncoder().encode("<html>Not found</html>"), /ends in the middle/],
  };
  const packed = new Map<string, Uint8Array>();
  for (const [name, [bytes]] of Object.entries(archives)) {
    packed.set(`/${name}.tgz`, await gzip(bytes));
  }
  const server = kit.serve((_, { pathname }) => new Response(packed.get(pathname) as BodyInit));
  for (const [name, [, words]] of Object.entries(archives)) {
    await assert.rejects(kit.fetch(`${server.url}/${name}.tgz`), failsWith("damaged", words), name);
  }
  assert.deepEqual(await Array.fromAsync(Deno.readDir(kit.tempDir)), []);
});
