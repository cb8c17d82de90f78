// deno-lint-ignore-file no-explicit-any
/** Reading, writing and importing what was not granted. */
import { type Program, REFUSED } from "../program.ts";

/** npm is off, whatever the permissions. */
const NO_NPM = /--no-npm is specified/;
const NOT_LOADED = { loads: false, message: REFUSED.message } as const;

export const programs: Program[] = [
  {
    name: "reads a file",
    attack: ({ canary }) => Deno.readTextFileSync(canary),
    expect: REFUSED,
  },
  {
    name: "lists a directory",
    attack: ({ folder }) => [...Deno.readDirSync(folder)].length,
    expect: REFUSED,
  },
  {
    name: "writes a file",
    attack: ({ folder }) => Deno.writeTextFileSync(`${folder}/written`, "x"),
    expect: REFUSED,
  },
  {
    name: "reads through node:fs",
    attack: async ({ canary }) => (await import("node:fs")).readFileSync(canary, "utf8"),
    expect: REFUSED,
  },
  {
    name: "reads its own process's memory map",
    attack: () => Deno.readTextFileSync("/proc/self/maps"),
    expect: REFUSED,
  },
  {
    name: "is granted the folder of processes in another spelling",
    grants: () => ({ read: ["//proc"] }),
    attack: () => Deno.readTextFileSync("/proc/self/maps"),
    expect: {
      loads: false,
      message: /Cannot grant "\/\/proc": it must be an absolute, plain path/,
    },
    barrier: "host: before anything is started",
  },
  {
    name: "leaves a granted folder by a symbolic link",
    grants: ({ open }) => ({ read: [open], write: [open] }),
    attack: ({ open, canary }) => {
      Deno.symlinkSync(canary, `${open}/link`);
      return Deno.readTextFileSync(`${open}/link`);
    },
    expect: REFUSED,
  },
  {
    name: "leaves a granted folder by dots",
    grants: ({ open }) => ({ read: [open] }),
    attack: ({ open, canary }) => Deno.readTextFileSync(`${open}/../${canary.split("/").at(-1)}`),
    expect: REFUSED,
  },
  {
    name: "writes over its own bundle",
    attack: () =>
      Deno.writeTextFileSync(
        new URL((self as any).name ? JSON.parse((self as any).name).bundle : ""),
        "x",
      ),
    expect: REFUSED,
  },
  {
    name: "static import of a file as text",
    imports: ({ canary }) => `import got from "file://${canary}" with { type: "text" };`,
    attack: () => "loaded",
    expect: NOT_LOADED,
  },
  {
    name: "static import of a file as bytes",
    imports: ({ canary }) => `import got from "file://${canary}" with { type: "bytes" };`,
    attack: () => "loaded",
    expect: { loads: false, message: /unsupported/ },
  },
  {
    name: "static import of a file as JSON",
    imports: ({ canary }) => `import got from "file://${canary}" with { type: "json" };`,
    attack: () => "loaded",
    expect: NOT_LOADED,
  },
  {
    name: "static import of a file as code",
    imports: ({ canary }) => `import * as got from "file://${canary}.js";`,
    attack: () => "loaded",
    expect: NOT_LOADED,
  },
  {
    name: "static import by http",
    imports: ({ port }) => `import "http://127.0.0.1:${port}/x.js";`,
    attack: () => "loaded",
    expect: NOT_LOADED,
  },
  {
    name: "static import by https",
    imports: "import 'https://deno.land/x.js';",
    attack: () => "loaded",
    expect: NOT_LOADED,
  },
  {
    name: "static import from npm",
    imports: "import odd from 'npm:is-odd@3.0.1';",
    attack: () => "loaded",
    expect: { loads: false, message: NO_NPM },
  },
  {
    name: "static import from jsr",
    imports: "import * as path from 'jsr:@std/path@1.0.0';",
    attack: () => "loaded",
    expect: NOT_LOADED,
  },
  {
    name: "literal dynamic import of a file as text",
    imports: ({ canary }) =>
      `globalThis.literal = () => import("file://${canary}", { with: { type: "text" } });`,
    attack: async () => (await (globalThis as any).literal()).default,
    expect: REFUSED,
  },
  {
    name: "dynamic import of a file as text",
    attack: async ({ canary }) => {
      const url = `file://${canary}`;
      return (await import(url, { with: { type: "text" } })).default;
    },
    expect: REFUSED,
  },
  {
    name: "dynamic import by http",
    attack: async ({ port }) => {
      const url = `http://127.0.0.1:${port}/x.js`;
      return Object.keys(await import(url));
    },
    expect: REFUSED,
  },
  {
    name: "dynamic import from npm",
    attack: async () => {
      const name = "npm:is-odd@3.0.1";
      return Object.keys(await import(name));
    },
    expect: { throws: "plugin_error", message: NO_NPM },
  },
  {
    name: "dynamic import of a data URL that imports a file",
    attack: async ({ canary }) => {
      const code = `export { default } from "file://${canary}" with { type: "text" };`;
      const url = `data:application/javascript,${encodeURIComponent(code)}`;
      return (await import(url)).default;
    },
    expect: REFUSED,
  },
  {
    name: "dynamic import of a blob that imports a file",
    attack: async ({ canary }) => {
      const code = `import got from "file://${canary}" with { type: "text" }; export default got;`;
      const url = URL.createObjectURL(new Blob([code], { type: "application/javascript" }));
      return (await import(url)).default;
    },
    expect: REFUSED,
  },
  {
    name: "a nested worker reads a file",
    attack: ({ canary }) => {
      const code = `try { self.postMessage(Deno.readTextFileSync(${JSON.stringify(canary)})); }
        catch (error) { self.postMessage(error.name); }`;
      return nested(code);
      function nested(code: string) {
        return new Promise((resolve) => {
          const url = "data:application/javascript," + encodeURIComponent(code);
          const worker = new Worker(url, { type: "module" });
          worker.onmessage = (event) => resolve(event.data);
          worker.onerror = (event) => {
            event.preventDefault();
            resolve("error");
          };
        });
      }
    },
    expect: { returns: "NotCapable" },
  },
  {
    name: "a nested worker imports a file",
    attack: ({ canary }) => {
      const code =
        `import got from "file://${canary}" with { type: "text" }; self.postMessage(got);`;
      return new Promise((resolve) => {
        const url = "data:application/javascript," + encodeURIComponent(code);
        const worker = new Worker(url, { type: "module" });
        worker.onmessage = (event) => resolve(event.data);
        worker.onerror = (event) => {
          event.preventDefault();
          resolve("error");
        };
      });
    },
    expect: { returns: "error" },
  },
  {
    name: "a nested worker asks for more than its parent has",
    attack: () => {
      const options = { type: "module", deno: { permissions: { read: true, net: true } } };
      return new Worker("data:application/javascript,", options as any) && "started";
    },
    expect: { throws: "plugin_error", message: /escalate|permission/i },
  },
];
