/** `carrel token`: who else may use the library. */
import { Option } from "commander";
import type { Builder } from "../args.ts";
import { usageError } from "../errors.ts";
import { table, when } from "../format.ts";

interface CreateOptions {
  readonly name: string;
  readonly role: string;
  readonly expires?: string;
}

export function addToken({ program, action }: Builder): void {
  const token = program.command("token").description("list, create and revoke tokens of the API");

  token.command("list").description("list tokens")
    .action(action(async (session) => {
      const { client } = await session.connect();
      const list = await client.tokens();
      session.answer(list);
      const { width, style } = session;
      const columns = [
        { title: "id" },
        { title: "name", flexible: true },
        { title: "role" },
        { title: "made", paint: style.dim },
        { title: "last used", paint: style.dim },
        { title: "ends", paint: style.dim },
      ];
      const rows = list.items.map((item) => [
        item.id,
        item.name,
        item.role,
        when(item.created),
        when(item.last_used),
        when(item.expires),
      ]);
      for (const line of table(columns, rows, { width, style })) session.print(line);
    }));

  token.command("create").description("make a token; it is shown this once")
    .requiredOption("--name <name>", "what it is for")
    .addOption(
      new Option("--role <role>", "what it may do").choices(["reader", "editor", "admin"])
        .default("reader"),
    )
    .option("--expires <date>", "when it ends, for example 2030-01-31")
    .action(action(async (session, options: CreateOptions) => {
      let expires: string | undefined;
      if (options.expires !== undefined) {
        const time = Date.parse(options.expires);
        if (Number.isNaN(time)) throw usageError(`"${options.expires}" is no date.`);
        expires = new Date(time).toISOString();
      }
      const { client } = await session.connect();
      const made = await client.createToken({
        name: options.name,
        role: options.role,
        ...(expires === undefined ? {} : { expires }),
      });
      session.answer(made);
      session.print(made.token);
      session.note(session.style.dim(`${made.id}, ${made.role}. It is shown this once.`));
    }));

  token.command("revoke").description("take tokens back").argument("<id...>")
    .action(action(async (session, _options, ids: string[]) => {
      const { client } = await session.connect();
      for (const id of ids) {
        await client.revokeToken(id);
        session.print(`revoked ${id}`);
      }
      session.answer({ revoked: ids });
    }));
}
