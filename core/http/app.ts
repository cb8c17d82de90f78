/** The HTTP API as a Hono app. It listens by nothing: see `serve.ts`. */
import type { Hono } from "hono";
import { createApi, type KnownRoute } from "./api.ts";
import type { HttpEnv, HttpOptions } from "./env.ts";
import type { HttpHost } from "./host.ts";
import { CarrelError } from "../errors.ts";
import { hostCheck } from "./middleware/host_check.ts";
import { withRequestId } from "./middleware/request.ts";
import { HttpError, problemResponse, toCarrelError } from "./problem.ts";
import { addArtifactRoutes } from "./routes/artifacts.ts";
import { addCapabilityRoutes } from "./routes/capabilities.ts";
import { addContentRoutes } from "./routes/content.ts";
import { addDocsRoutes } from "./routes/docs.ts";
import { addEventRoutes } from "./routes/events.ts";
import { addHealthRoutes } from "./routes/health.ts";
import { addImportRoute } from "./routes/import.ts";
import { addJobCareRoutes } from "./routes/job_care.ts";
import { addJobRoutes } from "./routes/jobs.ts";
import { addPluginRoutes } from "./routes/plugins.ts";
import { addPromptRoutes } from "./routes/prompts.ts";
import { addProvenanceRoutes } from "./routes/provenance.ts";
import { addRunRoutes } from "./routes/runs.ts";
import { addScheduleRoutes } from "./routes/schedules.ts";
import { addSearchRoutes } from "./routes/search.ts";
import { addTokenRoutes } from "./routes/tokens.ts";
import { addWorkflowRoutes } from "./routes/workflows.ts";

export type { HttpFailure, HttpOptions } from "./env.ts";

/** The app of a host, with every route of the API. */
export function createHttpApp(host: HttpHost, options: HttpOptions = {}): Hono<HttpEnv> {
  const api = createApi(host, options);
  const { app, settings } = api;

  app.use(withRequestId);
  if (settings.checkHost) app.use(hostCheck(settings.extraHosts));

  addImportRoute(api);
  addContentRoutes(api);
  addArtifactRoutes(api);
  addJobRoutes(api);
  if (host.jobCare !== undefined) addJobCareRoutes(api, host.jobCare);
  addWorkflowRoutes(api);
  addRunRoutes(api);
  if (host.capabilities !== undefined) addCapabilityRoutes(api, host.capabilities);
  if (host.eventLog !== undefined) addEventRoutes(api, host.eventLog);
  if (host.schedules !== undefined) addScheduleRoutes(api, host.schedules);
  addSearchRoutes(api);
  addProvenanceRoutes(api);
  // Before the plugins, whose ids stand in the same place.
  addPromptRoutes(api);
  addPluginRoutes(api);
  addTokenRoutes(api);
  addHealthRoutes(api);
  addDocsRoutes(api);

  app.notFound((c) => {
    const { method, path } = c.req;
    const allowed = methodsFor(api.routes, path);
    const error = allowed.length === 0
      ? new CarrelError("not_found", `Cannot find "${path}": there is no such route.`)
      : new HttpError(
        "method_not_allowed",
        `Cannot ${method} "${path}": the route takes ${allowed.join(", ")}.`,
        { allow: allowed.join(", ") },
      );
    return problemResponse(error, c.get("requestId"));
  });
  app.onError((thrown, c) => {
    const { error, expected } = toCarrelError(thrown);
    const requestId = c.get("requestId");
    if (!expected && !c.req.raw.signal.aborted) {
      const { method, path } = c.req;
      settings.onFailure({ requestId, method, path, error: thrown });
    }
    return problemResponse(error, requestId);
  });
  return app;
}

/** The methods that some route answers at this path. */
function methodsFor(routes: readonly KnownRoute[], path: string): string[] {
  const methods = new Set<string>();
  for (const route of routes) {
    const pattern = route.path.replaceAll(/[.]/g, "\\.").replaceAll(/\{.+?\}/g, "[^/]+");
    if (!new RegExp(`^${pattern}$`).test(path)) continue;
    methods.add(route.method);
    if (route.method === "GET") methods.add("HEAD");
  }
  return [...methods].sort();
}
