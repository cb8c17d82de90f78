/** The steps of a definition in their order, so that those of a run stand in it and those to come are known. */

/** A step as its definition has it, whether it comes from a file or from a server. */
interface DefinedStep {
  readonly id: string;
  readonly kind: string;
  readonly title?: string | null | undefined;
  readonly steps?: readonly DefinedStep[] | undefined;
  readonly branches?: Readonly<Record<string, readonly DefinedStep[]>> | undefined;
  readonly then?: readonly DefinedStep[] | undefined;
  readonly else?: readonly DefinedStep[] | undefined;
}

export interface OutlineStep {
  /** As in a run, with `[]` for each item: `languages[].translate`. */
  readonly path: string;
  readonly kind: string;
  readonly title: string | undefined;
}

/** Each step, what is in a container behind it. */
export function outlineOf(definition: unknown): OutlineStep[] {
  const outline: OutlineStep[] = [];
  const visit = (steps: readonly DefinedStep[], prefix: string) => {
    for (const step of steps) {
      const path = prefix + step.id;
      outline.push({ path, kind: step.kind, title: step.title ?? undefined });
      if (step.kind === "foreach") visit(step.steps ?? [], `${path}[].`);
      const branches = { ...step.branches, then: step.then ?? [], else: step.else ?? [] };
      for (const [name, list] of Object.entries(branches)) {
        if (list.length > 0) outline.push({ path: `${path}.${name}`, kind: "branch", title: name });
        visit(list, `${path}.${name}.`);
      }
    }
  };
  visit((definition as { steps?: readonly DefinedStep[] } | null)?.steps ?? [], "");
  return outline;
}

/** The path of a step of a run, as an outline has it. */
export function outlinePath(path: string): string {
  return path.replaceAll(/\[\d+\]/g, "[]");
}
