/** What an import job starts from. Plain JSON: it is kept in the job's row. */

export interface ImportInput {
  /** The URL, or `upload:<digest>`. */
  readonly url: string;
  readonly upload?: Download | undefined;
  readonly collection: string;
  /** Laid over what the plugin finds. */
  readonly metadata?: Readonly<Record<string, unknown>> | undefined;
  /** Whether the operator chose the plugin: then no other one takes its place. */
  readonly pinned: boolean;
  /** Of an item of a list. */
  readonly within?: {
    /** 1 for an item of what was asked for, 2 for an item of that. */
    readonly depth: number;
    /** How many items it may have in turn. */
    readonly room: number;
  } | undefined;
  /** What was imported has been deleted for good: of the input, nothing but this is left. */
  readonly deleted?: true | undefined;
}

/** The bytes of a source, stored. */
export interface Download {
  readonly digest: string;
  readonly size: number;
  /** As declared; what the bytes are is found out when they are read. */
  readonly mediaType: string;
  readonly name: string;
  /** Where they came from in the end. */
  readonly url: string;
}

/** Names equal work: an import of the same thing, by the same plugin, for the same person. */
export function importFlightKey(plugin: string, input: ImportInput, user: string): string {
  const { url, collection, metadata } = input;
  return JSON.stringify(["import", plugin, url, collection, metadata ?? null, user]);
}
