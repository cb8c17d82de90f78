/** Writes the JSON Schema of pipeline files beside them: `deno run -P=tool tools/pipeline_schema.ts`. */
import { pipelineSchemaText, SCHEMA_FILE } from "../core/workflows/schema.ts";

if (import.meta.main) {
  const dir = new URL("../config/pipelines/", import.meta.url);
  await Deno.mkdir(dir, { recursive: true });
  await Deno.writeTextFile(new URL(SCHEMA_FILE, dir), pipelineSchemaText());
}
