/**
 * `deno task docs:security [--check]`: writes docs/security.md from the catalogue of hostile programs, or says
 * whether it is up to date.
 */
import { CATALOGUE, type Row, SURFACES } from "../tests/hostile/catalogue.ts";
import { fromFileUrl } from "./files.ts";

export const SECURITY_DOC = fromFileUrl(new URL("../docs/security.md", import.meta.url).href);

const HEAD = `# What keeps a plugin at its desk

<!-- Written by \`deno task docs:security\` from tests/hostile. Change it there. -->

A plugin is code of a stranger. It runs in a Web Worker inside a process of its own, a **runner**, and
nothing that it says is believed. From the inside out there are these barriers:

| Barrier | Where | Holds |
| --- | --- | --- |
| permissions of the worker | everywhere | files, network, variables, by the grants of this job |
| flags of the process | everywhere | the same once more, and imports, programs, libraries, system information |
| bubblewrap | level \`sandboxed\`, Linux, where \`bwrap\` works | what was not granted is not there at all: no other files, no processes, and no network unless some was granted |
| watchdog | everywhere | memory, processor time and bytes written of the whole process tree, looked at every 50 ms; it kills |
| cgroup | Linux, where one can be made | memory, by the kernel, 64 MiB above the watchdog's limit; from about 150 ms after the start |
| data limit | Linux | address space, 6 GiB above the memory limit: for what neither of the two ended |
| host | everywhere | time of a call, size of answers and of all large ones together, rate and form of messages, services, addresses that no grant opens |

\`carrel doctor\` breaks against each of them on your machine and says which hold. A barrier that is absent
is said there, and the others stand.

Levels of trust differ in how runners are kept. \`sandboxed\` (whatever is installed): a fresh runner for each
job, under bubblewrap. \`restricted\` and \`trusted\`: runners stay warm and serve one job after another of the
same plugin, grants and settings, without bubblewrap. The flags and permissions are the same at every level.

`;

const TAIL = `## What is not protected

- **A hole in V8, in Deno or in the kernel.** A runner is a process of the user that runs Carrel. Under bubblewrap
  such a hole leads into an empty file system first; at the other levels it leads to your files.
- **What you grant.** A plugin that may read your library and send to one host can send your library there. Who
  grants \`public\` grants every public host.
- **The network of a plugin that has some.** Under bubblewrap a plugin with any network grant shares the machine's
  network, held by Deno's permissions alone; so it can be the target of a hole in those.
- **Programs that a plugin starts.** A trusted plugin that was granted \`run\` starts programs outside of all this. Under
  bubblewrap they end with their runner. Without it those that stay below it are killed with it, and on Linux those that
  still carry its mark in their environment; one that detaches itself (\`setsid -f\`) can outlive its runner and Carrel.
- **Private IPv6.** Loopback and the machine's own addresses are denied; Deno takes no IPv6 ranges, so other
  private ones (\`fc00::/7\`, \`fe80::/10\`) are open to a plugin that was granted \`public\` or a name that leads
  there. They are closed where bubblewrap works and the plugin was granted no network.
- **DNS.** Looking up a granted name tells the name server. What is denied is checked after the look-up, at each
  request: a name that changes its address gains nothing.
- **A burst between two looks.** Within 50 ms a plugin can pass its memory limit by what it can touch in that time.
- **A plugin's own code cache.** Deno keeps one for each version, and a plugin can write into it by imports of \`data:\`
  URLs. It counts as disk while the job runs; after each job one above 64 MiB (\`runners.code_cache_mb\`) is removed, and
  no job of a sandboxed version starts in one that is. Until then it holds what its jobs at once may write.
- **Bytes written to a file system in memory.** Linux counts none of them; the data folder should lie on a disk.
- **Bytes written, on a system without /proc.** On macOS memory is estimated and written bytes are not counted; it is
  untried there. Windows is not supported.
- **What a guest can see.** Its own process id, arguments (the path of its socket among them), processor count,
  precise time, the version of Deno; without bubblewrap also the id of the host's process.
- **Its own runner.** A plugin can end, stop or crash its own process, take over its socket by descriptor and forge
  what its runner says. That is its own job's answer, log and progress, and nothing else; a warm runner is kept only
  when every call ended as it should.
- **Warm runners.** At \`restricted\` and \`trusted\` a plugin can remember one job while it does the next of the same
  plugin. It cannot hand anything to another plugin.
- **Secrets that it was given.** They are taken out of logs, errors, answers and events where they stand as they are, in
  base64, in a URL or in JSON. A plugin that wants to tell one can spell it otherwise.
- **The record of permissions.** It is written by the plugin's own process: counts are what it said, and a flood is
  cut. That something was refused is no proof that it was needed; it only decides whether a person is asked.
- **Sub-second fairness.** Two plugins on one core slow each other down.

## What was tried

Each line is a program that runs as a real plugin in a real runner, at every level, with and without bubblewrap
(\`tests/hostile\`); while it runs the host must answer others, and afterwards no process of it may be left. A second
test takes away all that guards a surface, and must see a program get through.
`;

function cell(text: string): string {
  return text.replaceAll("|", "\\|");
}

function tableOf(rows: readonly Row[]): string {
  const lines = rows.map(({ name, got, barrier }) =>
    `| ${[name, got, barrier].map(cell).join(" | ")} |`
  );
  return ["| A plugin … | gets | stopped by |", "| --- | --- | --- |", ...lines].join("\n");
}

export function securityDoc(): string {
  const tables = SURFACES.map((surface) => {
    const rows = CATALOGUE.filter((row) => row.surface === surface);
    return `\n### ${surface[0]!.toUpperCase()}${surface.slice(1)}\n\n${tableOf(rows)}\n`;
  });
  return `${HEAD}${TAIL}\n${CATALOGUE.length} programs.\n${tables.join("")}`;
}

/** As `deno fmt` would have it. */
export async function formatted(markdown: string): Promise<string> {
  const process = new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--quiet", "--ext=md", "-"],
    cwd: fromFileUrl(new URL("..", import.meta.url).href),
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const writer = process.stdin.getWriter();
  await writer.write(new TextEncoder().encode(markdown));
  await writer.close();
  const { success, stdout } = await process.output();
  if (!success) throw new Error("cannot format the document");
  return new TextDecoder().decode(stdout);
}

if (import.meta.main) {
  const text = await formatted(securityDoc());
  if (!Deno.args.includes("--check")) await Deno.writeTextFile(SECURITY_DOC, text);
  else if (await Deno.readTextFile(SECURITY_DOC).catch(() => "") !== text) {
    console.error("docs/security.md is out of date: deno task docs:security");
    Deno.exit(1);
  }
}
