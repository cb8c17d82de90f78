/** Whether a plugin answers: asked in a runner, with the settings that it has. */
import { z } from "zod";
import type { Health } from "../../sdk/types.ts";
import type { Pool, RunnerSpec } from "../../sandbox/types.ts";

/** How long a plugin may take to say how it is, milliseconds. */
export const HEALTH_TIMEOUT_MS = 10_000;

const healthSchema = z.object({
  status: z.enum(["healthy", "unhealthy", "unknown"]),
  message: z.string().max(2000).optional(),
});

/** Starts or borrows a runner and asks. Whatever goes wrong is the answer, never an error. */
export async function checkHealth(
  spec: () => Promise<RunnerSpec>,
  pool: Pool,
  timeoutMs = HEALTH_TIMEOUT_MS,
): Promise<Health> {
  const controller = new AbortController();
  const { signal } = controller;
  const timer = setTimeout(() => controller.abort(), timeoutMs);
  try {
    await using desk = await pool.acquire(await spec(), { signal });
    if (!desk.methods.includes("healthCheck")) return { status: "healthy" };
    const job = { id: "health", idempotencyKey: "health" };
    return healthSchema.parse(await desk.call("healthCheck", [], { signal, job }));
  } catch (error) {
    if (signal.aborted) {
      return { status: "unhealthy", message: `It did not answer within ${timeoutMs / 1000} s.` };
    }
    if (error instanceof z.ZodError) {
      return { status: "unknown", message: "Its health check answered nothing that can be read." };
    }
    return { status: "unhealthy", message: error instanceof Error ? error.message : String(error) };
  } finally {
    clearTimeout(timer);
  }
}
