/** What tests of the library's rows share: a store in memory, and imports without their job. */
import { SQL_MIGRATIONS_DIR } from "../assets.ts";
import type { Job } from "../jobs/job.ts";
import { openSqlite } from "../stores/sqlite.ts";
import type { SqlStore } from "../stores/sql.ts";
import { chunkMarkdown } from "./chunks.ts";
import type { Actor } from "../auth/actor.ts";
import { saveContent, type Saved } from "./save_content.ts";

export const actor: Actor = { user: "user_1", role: "admin" };
export const plugin = { id: "import.text", version: "1.0.0", digest: "d".repeat(64) };
export const job = { id: "import_1", kind: "import", user: "user_1", attempt: 1 } as Job;

export const openStore = () => openSqlite(":memory:", { migrationsDir: SQL_MIGRATIONS_DIR });

/** A paragraph long enough to be a passage of its own. */
export const paragraph = (words: string) => `${words} ${"and so on ".repeat(25)}`.trim();

export interface SaveOptions {
  /** Of the original. */
  readonly digest?: string;
  readonly title?: string;
  readonly textDigest?: string;
  /** What the request says of it. */
  readonly metadata?: Readonly<Record<string, unknown>>;
}

/** Saves a Markdown text as if it had been imported from a URL. */
export async function save(
  sql: SqlStore,
  url: string,
  markdown: string,
  options: SaveOptions = {},
): Promise<Saved> {
  const { digest = "a".repeat(64), title = "Notes", textDigest = "b".repeat(64) } = options;
  const passages = await chunkMarkdown(markdown);
  return await sql.transaction((tx) =>
    saveContent(tx, {
      input: { url, collection: "default", pinned: false, metadata: options.metadata },
      download: { digest, size: 3, mediaType: "text/markdown", name: "notes.md", url },
      mediaType: "text/markdown",
      extracted: {
        type: "document",
        title,
        markdown,
        metadata: { authors: ["Ann"], language: "en", licence: "MIT" },
        warnings: ["one"],
      },
      passages,
      text: { digest: textDigest, size: markdown.length },
      plugin,
    }, job)
  );
}
