/**
 * `host.json` in the data folder: how the command line finds the host that runs on it. Readable by its owner
 * only, for it holds an admin token of this start; whoever reads it checks it against the folder's lock.
 */
import { z } from "zod";

const schema = z.object({
  pid: z.number().int(),
  url: z.string(),
  port: z.number().int(),
  token: z.string(),
  started: z.string(),
});

export type HostFile = z.infer<typeof schema>;

const pathOf = (dataDir: string) => `${dataDir}/host.json`;

/** Written whole or not at all. */
export async function writeHostFile(dataDir: string, host: HostFile): Promise<void> {
  const temporary = `${pathOf(dataDir)}.${host.pid}.tmp`;
  await Deno.writeTextFile(temporary, JSON.stringify(host), { mode: 0o600 });
  await Deno.rename(temporary, pathOf(dataDir));
}

/** Undefined where there is none, or none that makes sense. */
export async function readHostFile(dataDir: string): Promise<HostFile | undefined> {
  try {
    return schema.parse(JSON.parse(await Deno.readTextFile(pathOf(dataDir))));
  } catch {
    return undefined;
  }
}

export async function removeHostFile(dataDir: string): Promise<void> {
  await Deno.remove(pathOf(dataDir)).catch(() => {});
}
