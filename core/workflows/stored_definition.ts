/**
 * The definition that a run keeps. It may be read weeks later, by another version of the host: its row says which
 * format it has, and it is parsed.
 */
import { z } from "zod";
import { CarrelError } from "../errors.ts";
import type { WorkflowDefinition } from "./definition.ts";

/** Of `definition_json`. One that is written differently gets the next number, and a case in `readDefinition`. */
export const FORMAT = 1;

const template = z.unknown().optional();
const map = z.record(z.string(), z.unknown());
const steps: z.ZodType<unknown[]> = z.lazy(() => z.array(step));

const wait = z.discriminatedUnion("for", [
  z.object({ for: z.literal("choice"), options: template, prompt: template }),
  z.object({
    for: z.literal("approval"),
    role: z.enum(["reader", "editor", "admin"]),
    prompt: template,
  }),
  z.object({ for: z.literal("input"), schema: map, prompt: template }),
  z.object({ for: z.literal("timer"), after: template, until: template }),
  z.object({ for: z.literal("event"), name: z.string(), where: z.string().nullish() }),
]);

const base = z.object({
  id: z.string(),
  line: z.number(),
  title: z.string().nullish(),
  needs: z.array(z.string()).nullish(),
  when: z.string().nullish(),
  optional: z.boolean(),
  attempts: z.number().nullish(),
  timeout: z.number().nullish(),
});

const step = z.discriminatedUnion("kind", [
  base.extend({
    kind: z.literal("call"),
    capability: z.string(),
    with: template,
    provider: template,
  }),
  base.extend({ kind: z.literal("import"), with: template }),
  base.extend({ kind: z.literal("export"), with: template }),
  base.extend({ kind: z.literal("search"), with: template }),
  base.extend({
    kind: z.literal("wait"),
    wait,
    onTimeout: z.object({ value: template }).nullish(),
  }),
  base.extend({
    kind: z.literal("foreach"),
    items: template,
    parallel: z.number(),
    steps,
    collect: template,
  }),
  base.extend({ kind: z.literal("parallel"), branches: z.record(z.string(), steps) }),
  base.extend({ kind: z.literal("if"), condition: z.string(), then: steps, else: steps }),
]);

const definition = z.object({
  name: z.string(),
  title: z.string().nullish(),
  description: z.string().nullish(),
  inputs: z.record(z.string(), map),
  steps,
  outputs: map.nullish(),
  failFast: z.boolean(),
  timeout: z.number().nullish(),
});

/** Throws `conflict` for what this version of the host cannot read. */
export function readDefinition(
  row: { readonly id: string; readonly format: number; readonly definition_json: string },
): WorkflowDefinition {
  try {
    if (row.format > FORMAT) throw new Error("a newer version wrote it");
    const value: unknown = JSON.parse(row.definition_json);
    definition.parse(value);
    return value as WorkflowDefinition;
  } catch (cause) {
    throw new CarrelError(
      "conflict",
      `Cannot read the run "${row.id}": its definition is damaged or newer than this host`,
      { cause },
    );
  }
}
