/**
 * Whether the audit is what the host has written. Rows are read page by page, with turns of the event loop
 * between: a host goes on working meanwhile.
 *
 * What is found: a row that was changed, taken out, put in or moved; rows cut off at the end, as far as the
 * head vouches for them; another chain, made without the key; a head or key that is missing or another one.
 *
 * What is not: rows written in the moment between their commit and the next head, if they are cut off then
 * (`unvouched`; a crash makes that moment last until the next start). And whoever has the key can write any
 * chain: what he cannot do is to change a head that lies on a disk which he does not reach.
 */
import { setImmediate } from "node:timers";
import type { SqlStore } from "../stores/sql.ts";
import type { Problem, ProblemCode, Verification, VerifyFilter } from "./audit.ts";
import { type AuditKey, GENESIS, type Head, isSealed } from "./chain.ts";
import { type AuditFiles, readHead, readKey } from "./files.ts";
import { foreignHosts, numberOf, readRows, soundRow, type StoredRow } from "./rows.ts";

export interface VerifyOptions extends VerifyFilter {
  readonly store: Pick<SqlStore, "db">;
  readonly host: string;
  readonly files: AuditFiles;
  /** Other hosts that write to the same store; each checks its own chain. @default none */
  readonly peers?: readonly string[] | undefined;
  /** The number that the head must have reached: what the running host knows it has written. @default 0 */
  readonly headAtLeast?: number | undefined;
  /** Rows of one page. @default 100 */
  readonly pageSize?: number | undefined;
}

const MAX_PROBLEMS = 100;

export async function verifyChain(options: VerifyOptions): Promise<Verification> {
  const { store: { db }, host, files, after = 0, peers = [], headAtLeast = 0 } = options;
  const found = createFindings();
  for (const other of await foreignHosts(db, [host, ...peers])) {
    found.add(null, "foreign", `there are rows of "${other}", which does not write here`);
  }
  const key = await readKey(files.keyFile);
  if (key === undefined) {
    // A library that no host has run on yet has nothing: no key, no head, no row.
    const head = await Deno.lstat(files.headFile).then(() => true, () => false);
    if (head || (await readRows(db, host, undefined, 1)).length > 0) {
      found.add(
        null,
        "key_missing",
        `the key "${files.keyFile}" is missing: nothing can be checked`,
      );
    }
    return found.result(0, 0);
  }

  // Before the rows: what is appended meanwhile lies behind it.
  const head = await readHead(files.headFile, key, host);
  checkHeadFile(head, found, headAtLeast);
  const signed = typeof head === "string" ? undefined : head;
  const chain = createChainCheck(key, after, signed, found);
  const rows = await eachRow(options, chain.row);
  chain.end();
  return found.result(rows, Math.max(0, chain.last() - (signed?.seq ?? chain.last())));
}

function checkHeadFile(head: Head | "missing" | "invalid", found: Findings, atLeast: number): void {
  if (head === "missing") {
    found.add(null, "head_missing", "the head is missing: rows may have been cut off at the end");
  } else if (head === "invalid") {
    found.add(null, "head_invalid", "the head is damaged, or was signed with another key");
  } else if (head.seq < atLeast) {
    found.add(
      head.seq,
      "head_stale",
      `the head ends at row ${head.seq}; this host has written one for row ${atLeast}`,
    );
  }
}

/** Reads the rows behind `after`; resolves to their number. */
async function eachRow(
  { store: { db }, host, after = 0, pageSize = 100 }: VerifyOptions,
  visit: (row: StoredRow) => void,
): Promise<number> {
  let rows = 0;
  // From the first of all, not from 1: a row with a number below must not escape.
  let bound = after === 0 ? undefined : String(after);
  for (;;) {
    const page = await readRows(db, host, bound, pageSize);
    page.forEach(visit);
    rows += page.length;
    const next = page.at(-1)?.seq_text;
    // What is no number at all comes last, and there is no way past it.
    if (page.length < pageSize || typeof next !== "string" || !/^-?[\d.]+$/.test(next)) return rows;
    bound = next;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function createChainCheck(key: AuditKey, after: number, head: Head | undefined, found: Findings) {
  let expected = after + 1;
  /** Undefined where the row before tells nothing. */
  let previous: string | undefined = after === 0 ? GENESIS.hash : undefined;
  let headMet = head === undefined || head.seq <= after;

  return {
    row(stored: StoredRow): void {
      const seq = numberOf(stored.seq_text);
      if (seq === undefined) {
        found.add(null, "changed", `a row has the number "${stored.seq_text}", which is none`);
        return;
      }
      if (seq > expected) {
        found.add(expected, "missing", `${span(expected, seq - 1)} missing`);
        previous = undefined;
      }
      expected = seq + 1;
      if (head?.seq === seq) {
        headMet = true;
        if (head.hash !== stored.hash) {
          found.add(seq, "head_differs", `the head vouches for another row ${seq}`);
        }
      }
      const row = soundRow(stored);
      if (row === undefined || !isSealed(key, row)) {
        found.add(seq, "changed", `row ${seq} was changed, or was not written by this host`);
        previous = undefined;
        return;
      }
      if (previous !== undefined && row.previous !== previous) {
        found.add(seq, "out_of_chain", `row ${seq} does not follow the row before it`);
      }
      if (row.event === "audit.anomaly") {
        found.add(seq, "anomaly", `when the host started: ${row.details_json}`);
      }
      previous = row.hash;
    },
    end(): void {
      if (head === undefined || headMet || head.seq === 0) return;
      if (head.seq >= expected) {
        found.add(expected, "tail_missing", `${span(expected, head.seq)} missing at the end`);
      }
    },
    /** The number of the last row. */
    last: () => expected - 1,
  };
}

function span(from: number, to: number): string {
  return from === to ? `row ${from} is` : `rows ${from} to ${to} are`;
}

type Findings = ReturnType<typeof createFindings>;

function createFindings() {
  const problems: Problem[] = [];
  let count = 0;
  return {
    add(seq: number | null, code: ProblemCode, what: string): void {
      count++;
      if (problems.length < MAX_PROBLEMS) problems.push({ seq, code, what });
    },
    result: (rows: number, unvouched: number): Verification => ({
      ok: count === 0,
      rows,
      problems,
      problemCount: count,
      unvouched,
    }),
  };
}
