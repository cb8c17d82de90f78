import type { CapabilityPlugin, HookPlugin, SchedulerPlugin } from "./capabilities.ts";
import type { ExportPlugin, ImportPlugin } from "./types.ts";

/** What a plugin's entry module exports as default: its kind and the functions of it. */
export type DefinedPlugin =
  | { readonly kind: "import"; readonly methods: ImportPlugin }
  | { readonly kind: "export"; readonly methods: ExportPlugin }
  | { readonly kind: "scheduler"; readonly methods: SchedulerPlugin }
  | {
    readonly kind: "generator" | "step" | "hook";
    /** By capability, or for a hook by event. */
    // deno-lint-ignore no-explicit-any -- each has its own types
    readonly methods: Readonly<Record<string, (input: any, ctx: any) => unknown>>;
  };

/**
 * Declares a plugin. The entry module's default export is the result:
 *
 * ```ts
 * export default definePlugin.import({ extract(raw, ctx) { … } });
 * ```
 */
export const definePlugin = {
  import: (methods: ImportPlugin): DefinedPlugin => ({ kind: "import", methods }),
  export: (methods: ExportPlugin): DefinedPlugin => ({ kind: "export", methods }),
  generator: (plugin: CapabilityPlugin): DefinedPlugin => offering("generator", plugin),
  step: (plugin: CapabilityPlugin): DefinedPlugin => offering("step", plugin),
  scheduler: (methods: SchedulerPlugin): DefinedPlugin => ({ kind: "scheduler", methods }),
  hook: ({ events, healthCheck }: HookPlugin): DefinedPlugin => ({
    kind: "hook",
    methods: { ...events, ...(healthCheck && { healthCheck }) },
  }),
} as const;

function offering(
  kind: "generator" | "step",
  { capabilities, healthCheck }: CapabilityPlugin,
): DefinedPlugin {
  return { kind, methods: { ...capabilities, ...(healthCheck && { healthCheck }) } };
}
