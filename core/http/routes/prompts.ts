/** What jobs wait for: permissions that their plugins need and were not granted. */
import { z } from "@hono/zod-openapi";
import type { GrantRequest } from "../../plugins/plugins.ts";
import type { Prompt } from "../../prompts/prompts.ts";
import type { Api } from "../api.ts";
import { permissionJson } from "../plugin_json.ts";
import { decisionSchema, permissionSchema } from "../schemas.ts";
import { idParam, json } from "./common.ts";

const promptSchema = z.object({
  id: z.string(),
  job: z.string(),
  plugin: z.string(),
  name: z.string(),
  permissions: z.array(permissionSchema),
  asked: z.string(),
  /** When silence counts as no. */
  expires: z.string(),
}).openapi("Prompt");

type PromptJson = z.infer<typeof promptSchema>;

export function addPromptRoutes(api: Api): void {
  const { prompts } = api.host;

  api.route("admin", {
    method: "get",
    path: "/api/plugins/prompts",
    tags: ["plugins"],
    summary: "List the permissions that jobs wait for",
    responses: {
      200: { description: "Prompts", content: json(z.object({ items: z.array(promptSchema) })) },
    },
  }, (c) => c.json({ items: prompts.list().map(promptJson) }, 200));

  api.route("admin", {
    method: "get",
    path: "/api/plugins/prompts/{id}",
    tags: ["plugins"],
    summary: "A prompt that waits",
    request: { params: idParam },
    responses: { 200: { description: "The prompt", content: json(promptSchema) } },
  }, (c) => c.json(promptJson(prompts.get(c.req.valid("param").id)), 200));

  api.route("admin", {
    method: "post",
    path: "/api/plugins/prompts/{id}",
    tags: ["plugins"],
    summary: "Answer a prompt",
    description:
      "`grant` grants the permissions in `grants`, for `once` (one start of its runner), this `job`, `until` a time or `always`, and the job goes on; `deny` ends it. A `grant` that names nothing is refused.",
    request: { params: idParam, body: { required: true, content: json(decisionSchema) } },
    responses: {
      200: { description: "Answered", content: json(z.object({ job: z.string() })) },
    },
  }, async (c) => {
    const { id } = c.req.valid("param");
    const { decision, grants, duration, until } = c.req.valid("json");
    const { job } = prompts.get(id);
    const given = grants.map((one): GrantRequest => {
      const grant = typeof one === "string" ? { key: one } : one;
      return { ...grant, duration: grant.duration ?? duration, until: grant.until ?? until };
    });
    await prompts.decide(id, decision === "grant" ? given : undefined, c.get("actor").user);
    return c.json({ job }, 200);
  });
}

function promptJson({ permissions, ...prompt }: Prompt): PromptJson {
  return { ...prompt, permissions: permissions.map(permissionJson) };
}
