import type { ExportPlugin, ImportPlugin } from "./types.ts";

/** What a plugin's entry module exports as default: its kind and the functions of it. */
export type DefinedPlugin =
  | { readonly kind: "import"; readonly methods: ImportPlugin }
  | { readonly kind: "export"; readonly methods: ExportPlugin };

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
} as const;
