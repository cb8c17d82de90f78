/** What is done for a plugin version: its `DENO_DIR`, kept within its bound, and a look at its bundle. */
import { isLarger, makeDenoDir } from "./deno_dir.ts";
import { type RunnerSpec, SandboxError } from "./types.ts";

export interface PreparedVersion {
  /** Absolute path. */
  readonly denoDir: string;
  /** Whether the bundle imports Node's modules. */
  readonly node: boolean;
}

export interface UsedVersion {
  readonly version: PreparedVersion;
  /** The runner is gone: its `DENO_DIR` is looked at, and removed once it is too large and nobody uses it. */
  leave(): void;
}

export interface Versions {
  /**
   * Each runner of a version calls it before it starts. Where a sandboxed one finds the `DENO_DIR` too large, it
   * waits for those that still use it. Throws `SandboxError` for a digest that makes no folder, and when it is
   * aborted.
   */
  prepare(
    spec: Pick<RunnerSpec, "plugin" | "digest" | "bundle" | "trust">,
    signal: AbortSignal,
  ): Promise<UsedVersion>;
  /** Folders may have been removed: each is made anew when it is needed. */
  forget(): void;
  /** Resolves when nothing is looked at any more. */
  settled(): Promise<void>;
}

interface State {
  readonly denoDir: string;
  prepared: Promise<PreparedVersion> | undefined;
  /** Runners that live or start. */
  users: number;
  /** Whether it was found too large. */
  full: boolean;
  /** A look at the folder, in which nobody may start. */
  looking: Promise<void> | undefined;
  /** Those who wait for it to be removed. */
  readonly waiting: Set<() => void>;
}

/** @param cap Bytes of a version's `DENO_DIR` from which on it is made anew. */
export function createVersions(denoDirs: string, cap: number): Versions {
  const states = new Map<string, State>();

  function stateOf(digest: string): State {
    let state = states.get(digest);
    if (state === undefined) {
      state = {
        denoDir: `${denoDirs}/${digest}`,
        prepared: undefined,
        users: 0,
        full: false,
        looking: undefined,
        waiting: new Set(),
      };
      states.set(digest, state);
    }
    return state;
  }

  async function make(state: State, bundle: string): Promise<PreparedVersion> {
    const { denoDir } = state;
    await makeDenoDir(denoDir, cap);
    const code = await Deno.readTextFile(bundle).catch(() => "");
    return { denoDir, node: /["'](node:|process["'])/.test(code) };
  }

  async function look(state: State): Promise<void> {
    try {
      state.full ||= await isLarger(state.denoDir, cap);
      if (state.full && state.users === 0) {
        state.prepared = undefined;
        state.full = false;
        await Deno.remove(state.denoDir, { recursive: true });
      }
    } catch {
      // It was removed with its version, or cannot be: who comes next makes it, or says why not.
      state.prepared = undefined;
    }
  }

  function leave(state: State): void {
    state.users--;
    const looking = (state.looking ?? Promise.resolve()).then(() => look(state)).then(() => {
      if (state.looking !== looking) return; // another one left meanwhile
      state.looking = undefined;
      for (const wake of state.waiting) wake();
    });
    state.looking = looking;
  }

  /** Waits until a look at the folder has ended. */
  function turn({ waiting }: State, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = () => {
        waiting.delete(done);
        signal.removeEventListener("abort", done);
        resolve();
      };
      waiting.add(done);
      signal.addEventListener("abort", done);
    });
  }

  return {
    async prepare({ plugin, digest, bundle, trust }, signal) {
      if (!/^[\w-]+$/.test(digest)) {
        const message = `Cannot start "${plugin}": bad digest "${digest}"`;
        throw new SandboxError("crashed", message, false);
      }
      const state = stateOf(digest);
      while (
        state.looking !== undefined || state.full && state.users > 0 && trust === "sandboxed"
      ) {
        if (signal.aborted) {
          const message = `Cannot start "${plugin}": it was cancelled`;
          throw new SandboxError("cancelled", message, false);
        }
        await turn(state, signal);
      }
      state.users++;
      try {
        const version = await (state.prepared ??= make(state, bundle));
        return { version, leave: () => leave(state) };
      } catch (error) {
        state.prepared = undefined;
        leave(state);
        throw error;
      }
    },
    forget() {
      for (const [digest, state] of states) {
        state.prepared = undefined;
        if (state.users === 0 && state.looking === undefined) states.delete(digest);
      }
    },
    async settled() {
      await Promise.all([...states.values()].map(({ looking }) => looking));
    },
  };
}
