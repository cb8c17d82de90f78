/**
 * The bootstrap inside the worker. Makes the surroundings that libraries expect, loads the plugin's
 * bundle, and leaves the rest to guest_rpc.ts.
 */
import { createGuest } from "./guest_rpc.ts";
import { addPreludes, type PreludeOptions } from "./preludes.ts";

const { bundle, ...surroundings } = JSON.parse(self.name) as PreludeOptions & { bundle: string };
const scope = globalThis as unknown as {
  postMessage(data: unknown): void;
  onmessage: (event: MessageEvent<Uint8Array>) => void;
  addEventListener(
    type: "unhandledrejection",
    listener: (event: PromiseRejectionEvent) => void,
  ): void;
};
const post = scope.postMessage.bind(scope);

addPreludes(surroundings);

const guest = createGuest({
  // Computed: a literal import would be checked against the process's permissions, not the worker's.
  load: () => import(bundle),
  send(block) {
    // The whole buffer behind a view would be cloned.
    post(block.byteLength === block.buffer.byteLength ? block : block.slice());
  },
});

scope.onmessage = (event) => guest.receive(event.data);
scope.addEventListener("unhandledrejection", (event) => {
  event.preventDefault();
  guest.stray(event.reason);
});
