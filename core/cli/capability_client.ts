/** The client's half of capabilities. */
import type { Transport } from "./transport.ts";
import type { AcceptedJson } from "./wire.ts";

export interface CapabilityJson {
  readonly name: string;
  readonly description: string | null;
  readonly providers: readonly {
    readonly plugin: string;
    readonly enabled: boolean;
    readonly down: string | null;
  }[];
}

export function createCapabilityClient({ json }: Transport) {
  return {
    list: (): Promise<{ readonly items: readonly CapabilityJson[] }> =>
      json("GET", "/api/capabilities"),
    /** Starts the call; the job's result is what came of it. */
    call: (
      name: string,
      request: {
        readonly input: unknown;
        readonly provider?: string | undefined;
        readonly priority?: number | undefined;
      },
    ): Promise<AcceptedJson> =>
      json("POST", `/api/capabilities/${encodeURIComponent(name)}`, {
        body: request,
        headers: { prefer: "respond-async", "idempotency-key": crypto.randomUUID() },
      }),
  };
}
