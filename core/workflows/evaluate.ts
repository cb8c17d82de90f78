/**
 * Resolves templates in the runners of the plugin `step.expression`. Equal expressions over the same scope
 * are sent once; a scope is cut down to the parts that its expression can reach, and a part that many scopes share
 * is written out and sent once a call.
 */
import { type Pool, SandboxError } from "../../sandbox/types.ts";
import { createBreather } from "../breathe.ts";
import { CarrelError, type ErrorCode } from "../errors.ts";
import { type Json, plainJson, PlainJsonError } from "../plain_json.ts";
import type { Plugins } from "../plugins/plugins.ts";
import { readExpression } from "./check_expression.ts";
import { WORKFLOW_LIMITS } from "./definition.ts";
import {
  createParts,
  keyOf,
  numbered,
  type Part,
  partsOf,
  release,
  type ScopeParts,
  textOf,
} from "./evaluate_parts.ts";
import { lookUpPath } from "./evaluate_path.ts";
import type { Expressions, Resolved, Scope } from "./expressions.ts";
import { eachText, fillTemplate, isPlain, splitText } from "./templates.ts";

export const EXPRESSION_PLUGIN = "step.expression";

export interface ExpressionsParts {
  readonly plugins: Pick<Plugins, "runnerSpec">;
  readonly pool: Pick<Pool, "acquire">;
}

/** Characters of all parts of scopes in one call; a larger scope is refused. */
const BATCH_CHARS = 8 * WORKFLOW_LIMITS.json_bytes;
/** Expressions of one call: together they have the processor time of one. */
const BATCH_TASKS = 200;
const MAX_DEPTH = 32;

interface Task {
  readonly expression: string;
  readonly scope: ScopeParts<Part>;
  value?: unknown;
}

/** A batch to be sent: as the plugin `step.expression` takes it, but for the tasks' own words. */
interface Batch {
  readonly tasks: readonly Task[];
  readonly numbers: ReadonlyMap<Part, number>;
}

export function createExpressions({ plugins, pool }: ExpressionsParts): Expressions {
  async function resolve(
    asked: readonly Resolved[],
    signal: AbortSignal = new AbortController().signal,
  ): Promise<unknown[]> {
    if (asked.every(({ template }) => isPlain(template))) {
      return asked.map(({ template }) => template);
    }
    const breathe = createBreather();
    const tasks = createTasks();
    const found: ReturnType<typeof valuesOf>[] = [];
    for (const { template, scope } of asked) {
      found.push(valuesOf(template, scope, tasks.of));
      await breathe();
    }
    for await (const batch of batches(tasks.all(), breathe)) {
      await evaluate(batch, signal);
      tasks.forget(batch.tasks);
    }
    return asked.map(({ template }, index) => fill(template, found[index]!));
  }

  /** Sets the values of the tasks. */
  async function evaluate({ tasks, numbers }: Batch, signal: AbortSignal): Promise<void> {
    let answer: unknown;
    try {
      const spec = await plugins.runnerSpec(EXPRESSION_PLUGIN);
      await using desk = await pool.acquire(spec, { signal });
      answer = await desk.call("evaluate", [{
        parts: [...numbers.keys()].map(textOf),
        tasks: tasks.map(({ expression, scope }) => ({
          expression,
          scope: numbered(scope, numbers),
        })),
        max_chars: WORKFLOW_LIMITS.json_bytes,
      }], { signal, job: { id: EXPRESSION_PLUGIN, idempotencyKey: EXPRESSION_PLUGIN } });
    } catch (error) {
      const limit = error instanceof SandboxError ? LIMITS[error.code] : undefined;
      if (limit === undefined) throw error;
      // Which of them broke the limit is found out one by one; the others then have all of it.
      if (tasks.length > 1) {
        for (const task of tasks) {
          const own = new Map(partsOf(task.scope).map((part, index) => [part, index]));
          await evaluate({ tasks: [task], numbers: own }, signal);
        }
        return;
      }
      throw wrong(tasks[0]!.expression, limit[0], limit[1], { cause: error });
    }
    take(tasks, answer);
  }

  return { resolve };
}

/** What the limits of the plugin mean for an expression. */
const LIMITS: Readonly<Record<string, [code: ErrorCode, why: string]>> = {
  timed_out: ["timed_out", "it does not end in time"],
  cpu_exceeded: ["timed_out", "it does not end in time"],
  out_of_memory: ["out_of_memory", "it takes too much memory"],
  output_exceeded: ["too_large", "its value is too large"],
};

/** The tasks of one call, equal ones once. */
function createTasks() {
  const parts = createParts();
  const tasks = new Map<string, Task>();
  return {
    of(expression: string, scope: Scope): Task {
      if (expression.length > WORKFLOW_LIMITS.expression) {
        const why = `it is longer than ${WORKFLOW_LIMITS.expression} characters`;
        throw wrong(expression, "invalid_expression", why);
      }
      const reached = parts.of(reachable(expression, scope));
      const key = `${expression}\0${keyOf(reached)}`;
      let task = tasks.get(key);
      if (task === undefined) {
        for (const part of partsOf(reached)) part.uses++;
        tasks.set(key, task = { expression, scope: reached });
      }
      return task;
    },
    all: () => tasks.values(),
    /** Lets the texts go that no later task needs. */
    forget(done: readonly Task[]): void {
      for (const { scope } of done) for (const part of partsOf(scope)) release(part);
    },
  };
}

/** Values by expression: those that are known at once, and tasks for the others. */
function valuesOf(
  template: Resolved["template"],
  scope: Scope,
  taskOf: (expression: string, scope: Scope) => Task,
): ReadonlyMap<string, { readonly value?: unknown }> {
  const values = new Map<string, { readonly value?: unknown }>();
  eachText(template, (text) => {
    const { parts, unclosed } = splitText(text);
    if (unclosed !== undefined) {
      throw wrong(text.slice(unclosed), "invalid_expression", 'it has no "}" at its end');
    }
    for (const part of parts) {
      if (typeof part === "string" || values.has(part.source)) continue;
      values.set(part.source, lookUpPath(part.source, scope) ?? taskOf(part.source, scope));
    }
  });
  return values;
}

/** The part of a scope that an expression can reach. */
function reachable(expression: string, scope: Scope): Partial<Scope> {
  const read = readExpression(expression);
  if ("problem" in read) {
    const { at, message } = read.problem;
    throw wrong(expression, "invalid_expression", message, { position: at });
  }
  const { uses } = read;
  if (uses.allSteps) return scope;
  const roots = new Set(uses.roots.map(({ name }) => name));
  const { steps, ...rest } = scope;
  return {
    // `run` says what time it is.
    ...Object.fromEntries(
      Object.entries(rest).filter(([name]) => name === "run" || roots.has(name)),
    ),
    steps: !roots.has("steps") ? {} : Object.fromEntries(
      uses.steps.filter(({ name }) => Object.hasOwn(steps, name))
        .map(({ name }) => [name, steps[name]]),
    ),
  };
}

/** Tasks as they fit into one call; what they share counts once. A text is made when its turn comes. */
async function* batches(
  tasks: Iterable<Task>,
  breathe: () => Promise<void> | undefined,
): AsyncGenerator<Batch> {
  let batch: Task[] = [];
  let numbers = new Map<Part, number>();
  let chars = 0;
  for (const task of tasks) {
    let own = 0;
    let more = 0;
    for (const part of partsOf(task.scope)) {
      const { length } = textOf(part);
      own += length;
      if (!numbers.has(part)) more += length;
      await breathe();
    }
    if (own > BATCH_CHARS) {
      const why = `what it sees is larger than ${BATCH_CHARS} bytes`;
      throw wrong(task.expression, "too_large", why);
    }
    if (batch.length === BATCH_TASKS || (batch.length > 0 && chars + more > BATCH_CHARS)) {
      yield { tasks: batch, numbers };
      [batch, numbers, chars, more] = [[], new Map(), 0, own];
    }
    batch.push(task);
    chars += more;
    for (const part of partsOf(task.scope)) {
      if (!numbers.has(part)) numbers.set(part, numbers.size);
    }
  }
  if (batch.length > 0) yield { tasks: batch, numbers };
}

/** Reads what the runner answered, as a stranger's word. */
function take(tasks: readonly Task[], answer: unknown): void {
  const { values, failed } = (answer ?? {}) as { values?: unknown; failed?: unknown };
  if (typeof failed === "object" && failed !== null) {
    const { task, code, message, position } = failed as Record<string, unknown>;
    const { expression } = tasks[Number(task)] ?? tasks[0]!;
    const named = code === "timed_out" || code === "too_large" ? code : "invalid_expression";
    const at = typeof position === "number" ? Math.max(0, Math.floor(position)) : undefined;
    throw wrong(expression, named, String(message).slice(0, 1000), { position: at });
  }
  if (!Array.isArray(values) || values.length !== tasks.length) throw unreadable();
  for (const [index, text] of values.entries()) {
    if (typeof text !== "string" || text.length > 2 * WORKFLOW_LIMITS.json_bytes) {
      throw unreadable();
    }
    let value: unknown;
    try {
      value = JSON.parse(text);
    } catch {
      throw unreadable();
    }
    tasks[index]!.value = plain(value, tasks[index]!.expression);
  }
}

function unreadable(): CarrelError {
  return new CarrelError(
    "invalid_output",
    `Cannot read what "${EXPRESSION_PLUGIN}" answered: it is not what was asked for`,
  );
}

function fill(
  template: Resolved["template"],
  values: ReadonlyMap<string, { readonly value?: unknown }>,
): unknown {
  if (isPlain(template)) return template;
  let left = 2 * WORKFLOW_LIMITS.json_bytes;
  let current = "";
  const spend = (chars: number) => {
    left -= chars;
    if (left < 0) throw wrong(current, "too_large", TOO_LARGE);
  };
  const filled = fillTemplate(template, (source) => {
    current = source;
    return values.get(source)?.value ?? null;
  }, spend);
  return plain(filled, current);
}

const TOO_LARGE = `its value is larger than ${WORKFLOW_LIMITS.json_bytes} bytes`;

/** A copy of its own: what the caller does to it changes no scope. */
function plain(value: unknown, expression: string): Json {
  try {
    const json = plainJson(value, { maxBytes: WORKFLOW_LIMITS.json_bytes, maxDepth: MAX_DEPTH });
    refuseProto(json, expression);
    return json;
  } catch (error) {
    if (!(error instanceof PlainJsonError)) throw error;
    if (/^larger/.test(error.reason)) throw wrong(expression, "too_large", TOO_LARGE);
    throw wrong(expression, "invalid_expression", `its value is no plain data: ${error.message}`);
  }
}

function refuseProto(value: Json, expression: string): void {
  if (typeof value !== "object" || value === null) return;
  if (Object.hasOwn(value, "__proto__")) {
    throw wrong(expression, "invalid_expression", 'its value has a key "__proto__"');
  }
  for (const part of Object.values(value)) refuseProto(part, expression);
}

function wrong(
  expression: string,
  code: ErrorCode,
  why: string,
  { position, cause }: { position?: number | undefined; cause?: unknown } = {},
): CarrelError {
  const shown = expression.length > 200 ? `${expression.slice(0, 199)}…` : expression;
  const where = position === undefined ? "" : ` (at character ${position + 1})`;
  return new CarrelError(code, `Cannot evaluate "${shown}": ${why}${where}`, {
    details: { expression: shown, ...(position === undefined ? {} : { position }) },
    ...(cause === undefined ? {} : { cause }),
  });
}
