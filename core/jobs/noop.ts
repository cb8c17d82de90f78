import type { JobHandler } from "./job.ts";

/** Does nothing: what a job costs without its work. */
export const noopHandler: JobHandler = { run: async () => undefined };
