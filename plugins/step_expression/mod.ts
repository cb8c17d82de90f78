import { definePlugin } from "@carrel/sdk";
import { evaluateBatch } from "./evaluate.ts";

/** Evaluates JSONata. The host calls `evaluate` itself; it is no capability that others may call. */
export default definePlugin.step({
  capabilities: { evaluate: evaluateBatch },
  healthCheck: () => ({ status: "healthy" }),
});
