/** Names of capabilities that may be mistakes. A plugin may provide any name: these are warnings, no problems. */
import { describeCapability, KNOWN_CAPABILITIES } from "../capabilities/contracts.ts";
import { didYouMean } from "./check_names.ts";
import type { Step, WorkflowDefinition } from "./definition.ts";
import { HOST_FUNCTIONS } from "./host_names.ts";
import { branchesOf } from "./tree.ts";

/** `; did you mean "…"?`, or nothing. `offered`: what plugins provide. */
export function capabilityHint(name: string, offered: readonly string[] = []): string {
  const known = new Set([...offered, ...KNOWN_CAPABILITIES, ...HOST_FUNCTIONS]);
  known.delete(name);
  return didYouMean(name, known);
}

export interface CapabilityWarning {
  /** From 1. */
  readonly line: number;
  readonly message: string;
}

/** Calls whose capability is none that is known, and nearly one that is. */
export function capabilityWarnings(definition: WorkflowDefinition): CapabilityWarning[] {
  return callsOf(definition.steps).flatMap(({ capability, line }) => {
    if (describeCapability(capability) !== undefined) return [];
    if (HOST_FUNCTIONS.includes(capability)) return [];
    const hint = capabilityHint(capability);
    if (hint === "") return [];
    return [{ line, message: `call: "${capability}" is no capability that is known${hint}` }];
  });
}

function callsOf(steps: readonly Step[]): { capability: string; line: number }[] {
  return steps.flatMap((step) => [
    ...(step.kind === "call" ? [step] : []),
    ...(step.kind === "foreach" ? callsOf(step.steps) : []),
    ...branchesOf(step, "").flatMap(({ list }) => callsOf(list.steps)),
  ]);
}
