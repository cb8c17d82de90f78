/**
 * The audit of one host, in the sql store.
 *
 * Order of writing, and what a power cut leaves: rows are committed (and synced) first, the head is written
 * (and synced) after. So the head may lag behind the table by the rows of the last moment, which is what a
 * crash leaves and no sign of anything; those rows are sealed, and the next start takes them into the head. A
 * head that is **ahead** of the table, or that names another row, cannot come of a crash. At the very first
 * start the head is there before the key: a key without a head means that somebody took the head away.
 *
 * What was wrong with the files at a start is written into the chain before a new head covers it up.
 */
import { type Clock, systemClock } from "../jobs/clock.ts";
import { CarrelError } from "../errors.ts";
import type { SqlStore, Tx } from "../stores/sql.ts";
import type { Audit, AuditEvent } from "./audit.ts";
import { type AuditKey, GENESIS, isSealed, type Link, sealRow } from "./chain.ts";
import { detailsJson, type Mask, plainText } from "./details.ts";
import {
  type AuditFiles,
  claimedRows,
  newKey,
  readHead,
  readKey,
  writeHead,
  writeKey,
} from "./files.ts";
import { createAuditQueue } from "./queue.ts";
import { insertRow, listRows, readLast, readLink, soundRow } from "./rows.ts";
import { verifyChain } from "./verify.ts";

export interface AuditOptions {
  readonly store: SqlStore;
  /** Names the chain; the same at each start on this data folder. @default "local" */
  readonly host?: string | undefined;
  /** See `auditFiles`. */
  readonly files: AuditFiles;
  /** Other hosts that write to the same store. @default none */
  readonly peers?: readonly string[] | undefined;
  /**
   * Whether a new key may be made although there are rows of a lost one: they stay, and cannot be checked any
   * more. @default false
   */
  readonly renewKey?: boolean | undefined;
  /** Replaces secrets that are known to the host, in every text that is written. @default none */
  readonly mask?: Mask | undefined;
  /** From an event to its row, milliseconds; what comes meanwhile shares a commit. @default 100 */
  readonly flushMs?: number | undefined;
  /** Events that wait; more are counted and dropped. @default 8192 */
  readonly maxQueued?: number | undefined;
  readonly clock?: Clock | undefined;
  /** Told of what could not be written; it is tried again. @default console.error */
  readonly report?: ((error: unknown) => void) | undefined;
}

const MAX_NAME = 256;

/** Opens the audit, and makes its key at the first start. Throws `invalid_config` when the key is lost. */
export async function createAudit(options: AuditOptions): Promise<Audit> {
  const { store, files, host = "local" } = options;
  const clock = options.clock ?? systemClock;
  const report = options.report ?? ((error) => console.error(error));
  const mask = options.mask ?? ((text) => text);
  const timestamp = () => new Date(clock.now()).toISOString();
  const { key, head, anomalies } = await openFiles(options, host, timestamp);

  /** Known to be committed: rows go on behind it even if somebody cuts the table off. */
  let floor: Link = head ?? GENESIS;
  let exported = floor.seq;
  const inOrder = new WeakMap<Tx, Promise<void>>();

  function prepare(event: AuditEvent): PreparedEvent {
    const name = (text: string | undefined) =>
      text === undefined ? null : plainText(mask(text), MAX_NAME);
    return {
      host,
      time: timestamp(),
      event: plainText(event.event, MAX_NAME),
      plugin: name(event.plugin),
      digest: name(event.digest),
      actor: name(event.actor ?? "host"),
      job: name(event.job),
      details_json: detailsJson(event, mask),
    };
  }

  /**
   * What the next row ties itself to. In the embedded store the writer's lock keeps others out between this
   * and the insert; in any other one the primary key turns a race into a transaction that fails, never into
   * a fork.
   */
  async function nextLink(tx: Tx): Promise<Link> {
    const last = await readLast(tx, host);
    if (last === undefined || last.seq < floor.seq) return floor;
    const row = soundRow(last.row);
    // A row that somebody put at the end must not lend its seal to ours.
    return row !== undefined && isSealed(key, row)
      ? { seq: last.seq, hash: row.hash }
      : { seq: last.seq, hash: floor.hash };
  }

  async function insert(tx: Tx, link: Link, event: PreparedEvent): Promise<Link> {
    const row = { ...event, seq: link.seq + 1, previous: link.hash };
    const hash = sealRow(key, row);
    await insertRow(tx, { ...row, hash });
    return { seq: row.seq, hash };
  }

  async function write(events: readonly PreparedEvent[]): Promise<void> {
    const end = await store.transaction(async (tx) => {
      let link = await nextLink(tx);
      for (const event of events) link = await insert(tx, link, event);
      return link;
    });
    if (end.seq > floor.seq) floor = end;
  }

  /** From the table, not from memory: what joined a transaction counts only if that was committed. */
  async function exportHead(): Promise<void> {
    const last = await readLast(store.db, host);
    if (last === undefined || last.seq <= exported) return;
    const row = soundRow(last.row);
    // Nothing is vouched for that the host has not written.
    if (row === undefined || !isSealed(key, row)) return;
    await writeHead(files.headFile, key, { host, seq: row.seq, hash: row.hash, time: timestamp() });
    exported = row.seq;
    floor = { seq: row.seq, hash: row.hash };
  }

  await settleStart();

  const queue = createAuditQueue<PreparedEvent>({
    write,
    after: exportHead,
    lost: ({ count, first, last }) =>
      prepare({ event: "audit.overflow", details: { count, first, last } }),
    timestamp,
    flushMs: options.flushMs ?? 100,
    max: options.maxQueued ?? 8192,
    clock,
    report,
  });

  async function settleStart(): Promise<void> {
    const last = await readLast(store.db, host);
    if (last !== undefined && last.seq > floor.seq) {
      const { hash } = last.row;
      floor = { seq: last.seq, hash: typeof hash === "string" ? hash : GENESIS.hash };
    }
    if (anomalies.length > 0) {
      await write(anomalies.map((what) => prepare({ event: "audit.anomaly", details: { what } })));
    }
    // Also a head that cannot be written is known now, not when it is needed.
    await exportHead();
  }

  async function appendIn(tx: Tx, event: AuditEvent): Promise<void> {
    const ready = prepare(event);
    const before = inOrder.get(tx) ?? Promise.resolve();
    const work = before.then(async () => void await insert(tx, await nextLink(tx), ready));
    // Several at once in one transaction would tie themselves to the same row.
    inOrder.set(tx, work.catch(() => {}));
    await work;
    queue.wake();
  }

  return {
    append(event) {
      try {
        queue.add(prepare(event));
      } catch (error) {
        report(error);
      }
    },
    appendIn,
    flush: () => queue.flush(),
    list: async (filter = {}) => {
      await queue.flush();
      return await listRows(store.db, filter);
    },
    async verify(filter = {}) {
      await queue.flush();
      return await verifyChain({
        ...filter,
        store,
        host,
        files,
        peers: options.peers,
        headAtLeast: exported,
      });
    },
    [Symbol.asyncDispose]: () => queue.close(),
  };
}

type PreparedEvent = Omit<Parameters<typeof sealRow>[1], "seq" | "previous">;

/** Key and head as they lie there, made if this is the first start; and what is wrong with them. */
async function openFiles(
  { store, files, renewKey }: AuditOptions,
  host: string,
  timestamp: () => string,
): Promise<{ key: AuditKey; head: Link | undefined; anomalies: readonly string[] }> {
  const known = await readKey(files.keyFile);
  if (known !== undefined) {
    const head = await readHead(files.headFile, known, host);
    if (head === "missing") return { key: known, head: undefined, anomalies: ["head_missing"] };
    if (head === "invalid") return { key: known, head: undefined, anomalies: ["head_invalid"] };
    const anomaly = await compare(store, host, head);
    return { key: known, head, anomalies: anomaly === undefined ? [] : [anomaly] };
  }
  const lost = await readLast(store.db, host) !== undefined ||
    await claimedRows(files.headFile) > 0;
  if (lost && !renewKey) {
    throw new CarrelError(
      "invalid_config",
      `Cannot open the audit: its key "${files.keyFile}" is missing, but there are rows that were sealed ` +
        `with it. Put the key back. If it is lost for good, start once with CARREL_AUDIT_RENEW=yes: a new key is made, ` +
        `which the audit says from then on; the rows stay, but cannot be checked any more`,
    );
  }
  const key = newKey();
  await writeHead(files.headFile, key, { host, ...GENESIS, time: timestamp() });
  await writeKey(files.keyFile, key);
  return { key, head: undefined, anomalies: lost ? ["key_renewed"] : [] };
}

async function compare(store: SqlStore, host: string, head: Link): Promise<string | undefined> {
  if (head.seq === 0) return undefined;
  const last = await readLast(store.db, host);
  if (last === undefined || last.seq < head.seq) return "tail_missing";
  const row = await readLink(store.db, host, head.seq);
  return row?.hash === head.hash ? undefined : "head_differs";
}
