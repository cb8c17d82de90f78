/** What is done once for a plugin version: its `DENO_DIR`, and a look at its bundle. */
import { makeDenoDir } from "./deno_dir.ts";
import { type RunnerSpec, SandboxError } from "./types.ts";

export interface PreparedVersion {
  /** Absolute path. */
  readonly denoDir: string;
  /** Whether the bundle imports Node's modules. */
  readonly node: boolean;
}

export interface Versions {
  /** Throws `SandboxError` for a digest that makes no folder. */
  prepare(spec: Pick<RunnerSpec, "plugin" | "digest" | "bundle">): Promise<PreparedVersion>;
  /** Folders may have been removed: each is made anew when it is needed. */
  forget(): void;
}

export function createVersions(denoDirs: string): Versions {
  const prepared = new Map<string, Promise<PreparedVersion>>();

  async function make(
    { plugin, digest, bundle }: Pick<RunnerSpec, "plugin" | "digest" | "bundle">,
  ) {
    if (!/^[\w-]+$/.test(digest)) {
      throw new SandboxError("crashed", `Cannot start "${plugin}": bad digest "${digest}"`, false);
    }
    const denoDir = `${denoDirs}/${digest}`;
    await makeDenoDir(denoDir);
    const code = await Deno.readTextFile(bundle).catch(() => "");
    return { denoDir, node: /["'](node:|process["'])/.test(code) };
  }

  return {
    prepare(spec) {
      const { digest } = spec;
      let done = prepared.get(digest);
      if (!done) {
        done = make(spec);
        prepared.set(digest, done);
        done.catch(() => prepared.delete(digest));
      }
      return done;
    },
    forget: () => prepared.clear(),
  };
}
