/** The two pages of the host itself. They load nothing from elsewhere. */

export function landingPage(version: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Carrel</title>
<link rel="icon" href="/api/docs/favicon-32x32.png">
<style>
  :root { color-scheme: light dark; --line: color-mix(in srgb, currentColor 18%, transparent); }
  body { max-width: 42rem; margin: 12vh auto 4rem; padding: 0 1.5rem; font: 1.05rem/1.6 Charter, Georgia, serif; }
  h1 { margin: 0; font-size: 2.6rem; font-weight: 500; }
  h2 { margin: 2.5rem 0 .5rem; font-size: 1.15rem; }
  small { opacity: .6; }
  pre { padding: .9rem 1.1rem; overflow-x: auto; border: 1px solid var(--line); border-radius: .5rem; font-size: .85rem; line-height: 1.5; }
  a { color: inherit; text-underline-offset: .2em; }
  ul { padding-left: 1.2rem; }
</style>
<h1>Carrel</h1>
<small>version ${escapeHtml(version)}</small>
<p>A self-hosted knowledge library. Documents come in through sandboxed plugins, become searchable, and go out
as new works that say of every passage where it came from.</p>
<h2>Look around</h2>
<ul>
  <li><a href="/api/docs">The API, as a page to try it</a></li>
  <li><a href="/api/openapi.json">The same as an OpenAPI document</a></li>
  <li><a href="/readyz">Whether the stores answer</a></li>
</ul>
<h2>Use your token</h2>
<p>The host showed an admin token when it was first started; <code>carrel token</code> makes others. Send it
with each request:</p>
<pre>curl -H "Authorization: Bearer $CARREL_TOKEN" \\
     -H "Content-Type: application/json" \\
     -d '{"url": "https://example.org/"}' \\
     <span>http://localhost:PORT</span>/api/content/import

curl -H "Authorization: Bearer $CARREL_TOKEN" \\
     "<span>http://localhost:PORT</span>/api/search?q=example"</pre>
<p>A token never stands in a URL. For event streams in a browser, <code>POST /api/tickets</code> gives a ticket
that is good for one minute.</p>
</html>
`;
}

export function docsPage(): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Carrel: the API</title>
<link rel="icon" href="/api/docs/favicon-32x32.png">
<link rel="stylesheet" href="/api/docs/swagger-ui.css">
<body>
<div id="api"></div>
<script src="/api/docs/swagger-ui-bundle.js"></script>
<script src="/api/docs/start.js"></script>
</body>
</html>
`;
}

/** Starts Swagger UI. Without `validatorUrl` it would ask a server on the internet about this one. */
export const docsScript = `SwaggerUIBundle({
  url: "/api/openapi.json",
  dom_id: "#api",
  deepLinking: true,
  validatorUrl: null,
  presets: [SwaggerUIBundle.presets.apis],
});
`;

function escapeHtml(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
