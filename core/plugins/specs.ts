/** Runners' specs: the bundle checked, grants used up, questions put where a setting has moved. */
import type { RunnerSpec } from "../../sandbox/types.ts";
import { CarrelError } from "../errors.ts";
import type { Secrets } from "../secrets.ts";
import type { Bundler } from "./bundle.ts";
import { type Context, renewEntry } from "./context.ts";
import type { Entry } from "./entry.ts";
import { askAboutPlaces } from "./life.ts";
import type { Locks } from "./locks.ts";
import { makeSpec } from "./runner_spec.ts";
import type { GrantRow } from "./store.ts";

export interface SpecsOptions {
  readonly bundler: Bundler;
  readonly secrets: Secrets;
  /** The host's data folder, real. */
  readonly dataDir: string;
  /** See `SpecContext`. */
  readonly closed?: readonly string[] | undefined;
  readonly locks: Locks;
  /** Takes work that nobody waits for. */
  readonly background: (work: Promise<unknown>) => void;
}

export interface SpecUse {
  /** Whether a runner is started for work: grants for one start count, and are used up. */
  readonly start: boolean;
  /** The plugin's own directory. @default its data folder */
  readonly ownData?: string | undefined;
  readonly source?: string | undefined;
  readonly job?: string | undefined;
}

export interface Specs {
  /** The bundle of a plugin, made or checked once in this process. */
  bundleOf(entry: Entry): Promise<{ readonly digest: string; readonly path: string }>;
  specOf(entry: Entry, use: SpecUse): Promise<RunnerSpec>;
  /** For a health check: with a place of its own, so that it need not wait for jobs. */
  checkSpec(entry: Entry, ownData?: string): Promise<RunnerSpec>;
  saveGrants(entry: Entry, grants: readonly GrantRow[]): Promise<void>;
}

export function createSpecs(context: Context, options: SpecsOptions): Specs {
  const { registry, files, network, now } = context;
  const { bundler, secrets, dataDir, closed, locks, background } = options;
  const ready = new Map<string, Promise<{ digest: string; path: string }>>();
  /** Specs that are the same for every job, as long as nothing about the plugin changes: then its entry is another. */
  const settled = new WeakMap<Entry, RunnerSpec>();

  /** The bundle of a plugin, made or checked once in this process. */
  function bundleOf(entry: Entry): Promise<{ digest: string; path: string }> {
    const { plugin, folder, live } = entry;
    const key = `${plugin.id} ${live?.id ?? ""}`;
    const done = ready.get(key);
    if (done !== undefined) return done;
    const work = folder !== undefined ? builtinBundle(entry, folder) : installedBundle(entry);
    ready.set(key, work);
    // A failure may be mended without a restart: try again next time.
    work.catch(() => ready.delete(key));
    return work;
  }

  async function builtinBundle(entry: Entry, folder: string) {
    const how = { entry: entry.plugin.manifest.entry, packages: true };
    const { digest, path } = await bundler.bundle(folder, how);
    const current = registry.get(entry.plugin.id);
    registry.set({ ...current, plugin: { ...current.plugin, digest } });
    return { digest, path };
  }

  async function installedBundle({ live }: Entry) {
    await files.check(live!);
    return { digest: live!.digest, path: files.bundleOf(live!) };
  }

  async function specOf(entry: Entry, use: SpecUse): Promise<RunnerSpec> {
    const same = use.ownData === undefined && use.source === undefined && settled.get(entry);
    if (same) return same;
    const { id } = entry.plugin;
    const cuts = context.cuts.get(id);
    const bundle = await bundleOf(entry);
    const { ownData = files.dataOf(entry.plugin.id) } = use;
    const made = await makeSpec(
      { ...use, entry, bundle, ownData, nowMs: now() },
      { network, secrets, dataDir, closed },
    );
    const spec: RunnerSpec = { ...made.spec, isCurrent: () => context.cuts.get(id) === cuts };
    if (use.start) await useUp(entry, made.used, use.job);
    if (made.moved.length > 0) {
      background(locks.run(entry.plugin.id, async () => {
        const current = registry.find(entry.plugin.id);
        if (current?.live?.id !== entry.live?.id || current === undefined) return;
        if (hasAsked(context, entry.plugin.id, made.moved)) return;
        await askAboutPlaces(context, current, made.moved, made.places, "host");
      }));
    }
    if (use.ownData === undefined && use.source === undefined && isSettled(entry)) {
      settled.set(entry, spec);
    }
    return spec;
  }

  async function checkSpec(entry: Entry, ownData?: string): Promise<RunnerSpec> {
    const spec = await specOf(entry, { start: false, ownData });
    return { ...spec, limits: { ...spec.limits, concurrency: spec.limits.concurrency + 1 } };
  }

  /** A grant for one start is gone with it; one for the first job that comes is that job's from now on. */
  async function useUp(entry: Entry, used: readonly GrantRow[], job: string | undefined) {
    const changed = used.filter((row) => row.duration === "once" || row.job === "*");
    if (changed.length === 0) return;
    await locks.run(entry.plugin.id, async () => {
      const current = registry.get(entry.plugin.id);
      const same = (a: GrantRow, b: GrantRow) => a.key === b.key && a.job === b.job;
      const left = current.grants.flatMap((row) => {
        if (!changed.some((one) => same(one, row))) return [row];
        return row.duration === "once" || job === undefined ? [] : [{ ...row, job }];
      });
      if (changed.some((one) => !current.grants.some((row) => same(one, row)))) {
        const why = "a grant for one start was used by another one";
        throw new CarrelError("denied", `Cannot start the plugin "${entry.plugin.id}": ${why}.`);
      }
      await saveGrants(current, left);
    });
  }

  async function saveGrants(entry: Entry, grants: readonly GrantRow[]): Promise<void> {
    await context.store.transaction((tx) => tx.saveGrants(entry.plugin.id, grants));
    registry.set(renewEntry(context, entry, { ...entry.stored!, grants }));
  }

  return { bundleOf, specOf, checkSpec, saveGrants };
}

/** Whether neither the time, nor the job, nor a name or path that may lead elsewhere tomorrow, has a say in it. */
function isSettled({ plugin, grants }: Entry): boolean {
  const { net, read, write, run } = plugin.manifest.permissions;
  return net.length + read.length + write.length + run.length === 0 &&
    grants.every(({ duration }) => duration === "always");
}

function hasAsked({ waiting }: Context, plugin: string, keys: readonly string[]): boolean {
  return [...waiting.values()].some(({ row }) =>
    row.plugin === plugin && row.kind === "setting" && keys.every((key) => row.keys?.includes(key))
  );
}
