/** One measured figure of `deno task bench`. */
export interface Figure {
  /** Area and what is measured, for example `runner: spawn to first answer, p50`. */
  readonly name: string;
  readonly value: number;
  /** `ms`, `µs`, `calls/s`, `MiB`, … */
  readonly unit: string;
  readonly target: number;
  /** On which side of the target the value must be. */
  readonly compare: "<=" | ">=";
  /** What the machine could do at best, or a peer does, measured in the same run, same unit. */
  readonly floor?: { readonly name: string; readonly value: number } | undefined;
  /** Value over floor. */
  readonly ratio?: number | undefined;
}

/** Whether the value is on the right side of its target. */
export function holds({ value, target, compare }: Figure): boolean {
  return compare === "<=" ? value <= target : value >= target;
}

/** The figure with its ratio to the floor. */
export function figure(given: Omit<Figure, "ratio">): Figure {
  return given.floor && given.floor.value !== 0
    ? { ...given, ratio: given.value / given.floor.value }
    : given;
}

/** The value below which the share `p` of the samples lies: `quantile(xs, 0.5)` is the median. */
export function quantile(samples: readonly number[], p: number): number {
  const sorted = [...samples].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * p))] ?? NaN;
}

export const median = (samples: readonly number[]): number => quantile(samples, 0.5);
