/** The command line: which words it knows, and what runs behind each. */
import { Command, CommanderError } from "commander";
import type { Builder } from "./args.ts";
import type { Io } from "./io.ts";
import { EXIT, type ExitCode, usageError } from "./errors.ts";
import { createStyle, wantsColours } from "./format.ts";
import { type GlobalOptions, report, withSession } from "./session.ts";
import { addCapability } from "./commands/capability.ts";
import { addArtifact } from "./commands/artifact.ts";
import { addContent } from "./commands/content.ts";
import { addDoctor } from "./commands/doctor.ts";
import { addEvents } from "./commands/events.ts";
import { addExport } from "./commands/export.ts";
import { addImport } from "./commands/import.ts";
import { addJob } from "./commands/job.ts";
import { addPipeline } from "./commands/pipeline.ts";
import { addPlugin } from "./commands/plugin.ts";
import { addProvenance } from "./commands/provenance.ts";
import { addRun } from "./commands/run.ts";
import { addSchedule } from "./commands/schedule.ts";
import { addSearch } from "./commands/search.ts";
import { addServe } from "./commands/serve.ts";
import { addToken } from "./commands/token.ts";
import { addWorkflow } from "./commands/workflow.ts";

const EXIT_HELP = `
Exit codes:
  0    done
  1    failed: what failed is said with its code and what to do next
  2    the command line was wrong
  3    a plugin asks for permissions that nobody granted
  4    the server cannot be reached, or the data folder is locked
  130  interrupted

Environment:
  CARREL_DATA    the data folder, when --data is not given
  CARREL_CONFIG  the configuration folder, when --config is not given
  CARREL_TOKEN   the token for --url
  NO_COLOR       no colours

A command talks to the server that runs on the data folder; if none does, it is one itself for as long as it needs.`;

/**
 * Throws a usage error for an argument or option that is there and empty, such as an unset variable of a script:
 * as a path it would be the folder that one is in, as an id the list of all things.
 */
function refuseEmpty(command: Command, args: readonly unknown[], options: object): void {
  const refuse = (what: string) => {
    throw usageError(`Cannot run "carrel ${pathOf(command)}": ${what} is empty.`);
  };
  command.registeredArguments.forEach((argument, i) => {
    if ([args[i]].flat().includes("")) refuse(`<${argument.name()}>`);
  });
  for (const [name, value] of Object.entries(options)) {
    if (value === "") refuse(`--${name.replaceAll(/[A-Z]/g, (c) => `-${c.toLowerCase()}`)}`);
  }
}

/** The words of a command: `job list`. */
function pathOf(command: Command): string {
  const above = command.parent;
  return above?.parent ? `${pathOf(above)} ${command.name()}` : command.name();
}

/** Builds the program; `done` is told each action's exit code. */
export function buildProgram(io: Io, version: string, done: (exit: ExitCode) => void): Command {
  const program = new Command("carrel");
  program
    .description("A knowledge library whose every importer and exporter is a plugin in a sandbox.")
    .version(version, "-V, --version", "the version")
    .option("--data <folder>", "the data folder")
    .option("--config <folder>", "the configuration folder, for a server that this command starts")
    .option("--url <url>", "talk to the server at this address")
    .option("--token-file <file>", "a file that holds the token for --url")
    .option("--json", "answer with JSON")
    .option("--quiet", "only the answer: no progress, no notes")
    .addHelpText("after", EXIT_HELP)
    .showHelpAfterError("carrel help shows every command.")
    .configureHelp({ sortSubcommands: false, showGlobalOptions: true })
    .configureOutput({
      writeOut: (text) => io.out.write(text),
      writeErr: (text) => io.err.write(text),
      getOutHelpWidth: () => Math.min(100, io.size().columns),
      getErrHelpWidth: () => Math.min(100, io.size().columns),
      getOutHasColors: () => wantsColours(io.terminal.out, io.env),
      getErrHasColors: () => wantsColours(io.terminal.err, io.env),
    })
    .exitOverride();

  const builder: Builder = {
    program,
    action: (handler) => async (...all) => {
      const command = all.at(-1) as Command;
      const args = all.slice(0, -2);
      const options = command.optsWithGlobals();
      done(
        await withSession(
          io,
          options as GlobalOptions,
          (session) => {
            refuseEmpty(command, args, options);
            return handler(session, options as never, ...args as never);
          },
        ),
      );
    },
  };
  addServe(builder);
  addImport(builder);
  addExport(builder);
  addSearch(builder);
  addContent(builder);
  addArtifact(builder);
  addJob(builder);
  addSchedule(builder);
  addEvents(builder);
  addPipeline(builder);
  addWorkflow(builder);
  addRun(builder);
  addPlugin(builder);
  addCapability(builder);
  addProvenance(builder);
  addToken(builder);
  addDoctor(builder, version);
  program.command("version").description("show the version")
    .action(builder.action(async (session) => {
      session.print(`carrel ${version} (deno ${Deno.version.deno}, v8 ${Deno.version.v8})`);
      session.answer({ version, deno: Deno.version.deno, v8: Deno.version.v8 });
    }));
  return program;
}

/** Runs the command line; returns the exit code. Nothing here ends the process. */
export async function run(args: readonly string[], io: Io, version: string): Promise<ExitCode> {
  let exit: ExitCode = EXIT.ok;
  const program = buildProgram(io, version, (code) => {
    exit = code;
  });
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    const style = createStyle(wantsColours(io.terminal.err, io.env));
    return report(io, { json: args.includes("--json"), style }, false, error);
  }
  return exit;
}
