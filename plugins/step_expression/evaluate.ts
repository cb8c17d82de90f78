/** Evaluates a batch of JSONata expressions, each over a scope of its own. */
import jsonata from "jsonata";
import { Refused, toJson } from "./plain.ts";

export interface Batch {
  /** JSON texts: what scopes are put together of. */
  readonly parts: readonly string[];
  readonly tasks: readonly {
    readonly expression: string;
    /** By name, which of the parts. */
    readonly scope: {
      readonly roots: Readonly<Record<string, number>>;
      /** They stand in the scope's `steps`. */
      readonly steps: Readonly<Record<string, number>>;
    };
  }[];
  /** The most characters of one value as JSON. */
  readonly max_chars: number;
}

export type Evaluated =
  /** JSON texts, in the order of the tasks. */
  | { readonly values: readonly string[] }
  /** The first task that failed. */
  | {
    readonly failed: {
      readonly task: number;
      readonly code: "invalid_expression" | "timed_out" | "too_large";
      readonly message: string;
      /** From 0, in the expression. */
      readonly position: number | null;
    };
  };

/** What ends an expression before the limits of the runner do, so that the runner can stay. */
const BOUNDS = {
  /** Milliseconds. */
  timeout: 1_500,
  /** Evaluations within each other. */
  stack: 400,
  /** Items that one expression strings together. */
  sequence: 100_000,
} as const;

/** Codes of JSONata for what broke a bound. */
const BROKEN: Readonly<
  Record<string, [code: "invalid_expression" | "timed_out" | "too_large", string]>
> = {
  D1011: ["invalid_expression", `it goes more than ${BOUNDS.stack} levels deep`],
  D1012: ["timed_out", `it takes longer than ${BOUNDS.timeout / 1000} s`],
  D2014: ["too_large", `it makes a list of more than ${BOUNDS.sequence} items`],
  D2015: ["too_large", `it makes a list of more than ${BOUNDS.sequence} items`],
};

interface Focus {
  readonly environment: {
    lookup(name: string): { implementation?: (...args: unknown[]) => unknown } | undefined;
  };
}

export async function evaluateBatch({ parts, tasks, max_chars }: Batch): Promise<Evaluated> {
  const parsed: unknown[] = parts.map((part) => JSON.parse(part));
  const pick = (numbers: Readonly<Record<string, number>>) =>
    Object.fromEntries(Object.entries(numbers).map(([name, part]) => [name, parsed[part]]));
  const clock = { ms: NaN };
  const compiled = new Map<string, jsonata.Expression>();
  const values: string[] = [];
  for (const [task, { expression, scope }] of tasks.entries()) {
    try {
      let ready = compiled.get(expression);
      if (ready === undefined) compiled.set(expression, ready = compile(expression, clock));
      const roots = pick(scope.roots);
      clock.ms = Date.parse((roots["run"] as { started?: string } | undefined)?.started ?? "");
      values.push(toJson(await ready.evaluate({ ...roots, steps: pick(scope.steps) }), max_chars));
    } catch (error) {
      return { failed: { task, ...failure(error) } };
    }
  }
  return { values };
}

/**
 * The expression with a clock that stands still at the run's start, and without what makes two evaluations
 * differ or takes text for code.
 */
function compile(source: string, clock: { readonly ms: number }): jsonata.Expression {
  const expression = jsonata(source, BOUNDS);
  const time = () => {
    if (Number.isFinite(clock.ms)) return clock.ms;
    throw new Refused("invalid_expression", "there is no time: the scope has no run.started");
  };
  expression.registerFunction("millis", time, "<:n>");
  expression.registerFunction(
    "now",
    function (this: jsonata.Focus, picture?: string, timezone?: string) {
      const format = (this as unknown as Focus).environment.lookup("fromMillis")?.implementation;
      return format?.call(this, time(), picture, timezone);
    },
    "<s?s?:s>",
  );
  for (const name of ["eval", "random", "shuffle"]) expression.assign(name, undefined);
  // $toMillis fills what a picture leaves out from the time of its frame.
  expression.assign(
    Symbol.for("jsonata.__createFrame_push") as unknown as string,
    (_outer: unknown, frame: object) => {
      Object.defineProperty(frame, "timestamp", { get: () => new Date(time()), set() {} });
    },
  );
  return expression;
}

function failure(error: unknown) {
  if (error instanceof Refused) {
    return { code: error.code, message: error.message, position: null };
  }
  if (error instanceof RangeError) {
    const message = /stack/i.test(error.message)
      ? `it goes more than ${BOUNDS.stack} levels deep`
      : `its value is too large: ${error.message}`;
    return { code: "invalid_expression" as const, message, position: null };
  }
  const { code, message, position } = (error ?? {}) as Record<string, unknown>;
  const at = typeof position === "number" ? position : null;
  const broken = BROKEN[String(code)];
  if (broken !== undefined) return { code: broken[0], message: broken[1], position: at };
  const text = String(message ?? "it cannot be evaluated").replace(/\.$/, "").slice(0, 1000);
  return { code: "invalid_expression" as const, message: text, position: at };
}
