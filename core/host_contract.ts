/** What the command line needs of a host that it starts itself; `core/app.ts` provides it. */

export interface StartOptions {
  readonly dataDir: string;
  /** `carrel.yaml`, `plugins.yaml`, `registry.yaml`, `pipelines`. @default the folder `config` of the program */
  readonly configDir?: string | undefined;
  /** @default "127.0.0.1" */
  readonly hostname?: string | undefined;
  /** 0 takes a free one. @default 0 */
  readonly port?: number | undefined;
  /** `host:port` of private addresses that imports may reach. */
  readonly allowPrivate?: readonly string[] | undefined;
  /** Third-party plugins stay off. @default false */
  readonly safeMode?: boolean | undefined;
  readonly log?: ((line: string) => void) | undefined;
}

export interface RunningHost extends AsyncDisposable {
  readonly url: string;
  readonly port: number;
  /** An admin token of this start, never stored but in `host.json`. */
  readonly token: string;
  /** At the first start of a library only: shown once. */
  readonly adminToken?: string | undefined;
  /** Settles when the host has stopped. */
  readonly finished: Promise<void>;
  shutdown(): Promise<void>;
}
