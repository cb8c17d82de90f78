import { createHash } from "node:crypto";
import type { Plugins } from "../plugins/plugins.ts";

/**
 * Names the code and the settings that a stage runs with, SHA-256 in hex: a checkpoint made with others is
 * not taken by a later attempt.
 */
export async function stageDigest(
  plugins: Pick<Plugins, "bundleDigest" | "get">,
  plugin: string,
): Promise<string> {
  const code = await plugins.bundleDigest(plugin);
  const { config } = plugins.get(plugin);
  return createHash("sha256").update(JSON.stringify([code, config])).digest("hex");
}
