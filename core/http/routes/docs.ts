/** The OpenAPI document, the page that shows it, and the landing page. */
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { z } from "@hono/zod-openapi";
import type { Api } from "../api.ts";
import { docsPage, docsScript, landingPage } from "../pages.ts";
import { json } from "./common.ts";

const html = { "text/html": { schema: z.string() } };

/** Scripts and styles from this host only; Swagger UI sets styles and data: images itself. */
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/** The files of Swagger UI that the page needs, with their types. */
const DOCS_FILES = {
  "swagger-ui.css": "text/css; charset=utf-8",
  "swagger-ui-bundle.js": "text/javascript; charset=utf-8",
  "favicon-32x32.png": "image/png",
} as const;

/** Where Swagger UI's files lie. */
function swaggerFolder(): string {
  return dirname(createRequire(import.meta.url).resolve("swagger-ui-dist/package.json"));
}

export function addDocsRoutes(api: Api): void {
  const { app, host } = api;

  api.route("open", {
    method: "get",
    path: "/",
    tags: ["docs"],
    summary: "What this is",
    responses: { 200: { description: "A page", content: html } },
  }, () => page(landingPage(host.version)));

  api.route("open", {
    method: "get",
    path: "/api/docs",
    tags: ["docs"],
    summary: "This API as a page to try it",
    responses: { 200: { description: "A page", content: html } },
  }, () => page(docsPage()));

  api.route("open", {
    method: "get",
    path: "/api/docs/{file}",
    tags: ["docs"],
    summary: "The files of that page",
    request: {
      params: z.object({
        file: z.enum(["start.js", "swagger-ui.css", "swagger-ui-bundle.js", "favicon-32x32.png"]),
      }),
    },
    responses: {
      200: {
        description: "The file",
        content: { "application/octet-stream": { schema: z.any().openapi({ format: "binary" }) } },
      },
    },
  }, async (c) => {
    const { file } = c.req.valid("param");
    const headers = { "cache-control": "max-age=3600", "content-security-policy": PAGE_POLICY };
    if (file === "start.js") {
      return new Response(docsScript, {
        headers: { ...headers, "content-type": "text/javascript; charset=utf-8" },
      });
    }
    const bytes = await Deno.readFile(join(swaggerFolder(), file));
    return new Response(bytes, { headers: { ...headers, "content-type": DOCS_FILES[file] } });
  });

  const anySchema = z.record(z.string(), z.unknown());
  let document: Record<string, unknown> | undefined;
  api.route("open", {
    method: "get",
    path: "/api/openapi.json",
    tags: ["docs"],
    summary: "This API as an OpenAPI 3.1 document",
    responses: { 200: { description: "The document", content: json(anySchema) } },
  }, (c) => {
    document ??= {
      ...app.getOpenAPI31Document({
        openapi: "3.1.0",
        info: {
          title: "Carrel",
          version: host.version,
          description:
            "A self-hosted knowledge library. Long work answers 202 with a job; errors are RFC 9457 problem documents with a stable `code`.",
          license: { name: "MIT" },
        },
        servers: [{ url: "/" }],
      }),
    };
    return c.json(document, 200);
  });
}

function page(text: string): Response {
  return new Response(text, {
    headers: {
      "content-type": "text/html; charset=utf-8",
      "content-security-policy": PAGE_POLICY,
    },
  });
}
