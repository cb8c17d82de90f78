/**
 * How a route is made: with the role that it takes, its schemas, and its problems. There is no other way to
 * add one, so that no route is open by oversight.
 */
import { createRoute, OpenAPIHono, type RouteConfig, type RouteHandler } from "@hono/zod-openapi";
import type { MiddlewareHandler } from "hono";
import { CarrelError } from "../errors.ts";
import { readBounded } from "./body.ts";
import { type HttpEnv, type Settings, settingsOf } from "./env.ts";
import type { HttpOptions } from "./env.ts";
import type { HttpHost } from "./host.ts";
import { type Access, accessCheck } from "./middleware/access.ts";
import { problemSchema } from "./schemas.ts";

type PathConfig<P extends string> = Omit<RouteConfig, "path" | "middleware"> & { path: P };

export interface RouteOptions {
  /** Whether a one-time `?ticket=` lets in. @default false */
  readonly ticket?: boolean | undefined;
}

/** A method and a path that is answered. */
export interface KnownRoute {
  readonly method: string;
  /** As in OpenAPI: `/api/jobs/{id}`. */
  readonly path: string;
}

export interface Api {
  readonly app: OpenAPIHono<HttpEnv>;
  readonly host: HttpHost;
  readonly settings: Settings;
  readonly routes: readonly KnownRoute[];
  /** Adds a route whose body, if any, is JSON. */
  route<P extends string, R extends PathConfig<P>>(
    access: Access,
    config: R,
    handler: RouteHandler<R, HttpEnv>,
    options?: RouteOptions,
  ): void;
  /** Adds a route that reads its body itself, from `boundedBody`. */
  rawRoute<P extends string, R extends PathConfig<P>>(
    access: Access,
    config: R,
    handler: (c: Parameters<MiddlewareHandler<HttpEnv>>[0]) => Promise<Response>,
  ): void;
  /** Runs `stream` unless there are too many of them; counts it until its promise settles. */
  countStream(): () => void;
}

export function createApi(host: HttpHost, options: HttpOptions): Api {
  const settings = settingsOf(options);
  const app = new OpenAPIHono<HttpEnv>({
    defaultHook: (result) => {
      if (!result.success) throw invalid(result.target, result.error.issues);
    },
  });
  app.openAPIRegistry.registerComponent("securitySchemes", "token", {
    type: "http",
    scheme: "bearer",
    description:
      "`carrel_…`, as `serve` shows it at its first start and `POST /api/tokens` makes it.",
  });
  app.openAPIRegistry.registerComponent("securitySchemes", "ticket", {
    type: "apiKey",
    in: "query",
    name: "ticket",
    description: "From `POST /api/tickets`: good for one minute, once.",
  });
  const check = accessCheck(host.auth, {
    now: settings.now,
    maxFailures: settings.maxAuthFailures,
  });
  const routes: KnownRoute[] = [];
  let streams = 0;

  function documented<R extends PathConfig<string>>(access: Access, config: R, ticket: boolean): R {
    routes.push({ method: config.method.toUpperCase(), path: config.path });
    const security = access === "open" ? [] : [{ token: [] }, ...(ticket ? [{ ticket: [] }] : [])];
    const note = access === "open" ? "Open to anyone." : `Takes the role \`${access}\`.`;
    return {
      ...config,
      description: config.description === undefined ? note : `${config.description}\n\n${note}`,
      security,
      "x-role": access,
      responses: {
        ...config.responses,
        default: {
          description: "A problem, with a stable code",
          content: { "application/problem+json": { schema: problemSchema } },
        },
      },
    };
  }

  function guard(access: Access, ticket: boolean): MiddlewareHandler<HttpEnv> {
    return async (c, next) => {
      if (access !== "open") c.set("actor", await check(c, { role: access, ticket }));
      await next();
    };
  }

  /** Reads a JSON body within its bound, before the validator reads it without any. */
  const boundJson: MiddlewareHandler<HttpEnv> = async (c, next) => {
    const type = c.req.header("content-type")?.split(";")[0]?.trim().toLowerCase();
    const bytes = await readBounded(c.req.raw, {
      maxBytes: settings.maxJsonBytes,
      idleMs: settings.bodyIdleMs,
    });
    if (type !== "application/json" && (type !== undefined || bytes.length > 0)) {
      throw new CarrelError(
        "unsupported_media_type",
        `Cannot read a body of type "${type ?? "unknown"}": this route takes application/json.`,
      );
    }
    const { method, headers, signal } = c.req.raw;
    c.req.raw = new Request(c.req.raw.url, { method, headers, signal, body: bytes as BodyInit });
    await next();
  };

  return {
    app,
    host,
    settings,
    routes,
    route(access, config, handler, routeOptions = {}) {
      const ticket = routeOptions.ticket ?? false;
      const middleware = [guard(access, ticket)];
      if (config.request?.body !== undefined) middleware.push(boundJson);
      const route = createRoute({ ...documented(access, config, ticket), middleware });
      // The handler was checked against the route as it was given; what is added changes no type of it.
      app.openapi(route as RouteConfig, handler as never);
    },
    rawRoute(access, config, handler) {
      app.openAPIRegistry.registerPath(documented(access, config, false));
      const path = config.path.replaceAll(/\{(.+?)\}/g, ":$1");
      app.on([config.method.toUpperCase()], [path], guard(access, false), handler);
    },
    countStream() {
      if (streams >= settings.maxStreams) {
        throw new CarrelError(
          "unavailable",
          "Cannot open another event stream: too many are open.",
          {
            retryable: true,
          },
        );
      }
      streams++;
      let counted = true;
      return () => {
        if (counted) streams--;
        counted = false;
      };
    },
  };
}

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
  readonly code?: string | undefined;
  readonly keys?: readonly string[] | undefined;
}

/** The failure that says which fields of which part of the request are wrong. */
export function invalid(where: string, issues: readonly Issue[]): CarrelError {
  const found = issues.map((issue) => ({
    field: issue.path.length > 0
      ? issue.path.map(String).join(".")
      : issue.code === "unrecognized_keys"
      ? (issue.keys ?? []).join(", ")
      : where,
    message: issue.message,
  }));
  const first = found[0] ?? { field: where, message: "it is not valid" };
  // That a part as a whole is wrong is said in its own words.
  const what = where === "json" && first.field === where ? "the body" : `"${first.field}"`;
  return new CarrelError("bad_request", `Cannot use ${what}: ${first.message}.`, {
    details: { in: where, field: first.field, issues: found },
  });
}
