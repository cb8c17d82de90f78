/**
 * Redirects of a job's URL to another site, seen by the host itself. A plugin that is granted the site of its
 * job's URL and nothing else would otherwise name any site that it wants to send something to.
 */
import { CarrelError } from "../errors.ts";
import type { Network } from "../network/private.ts";
import { siteReaches } from "../network/site.ts";
import { DEFAULT_SOURCE_LIMITS } from "../plugins/sources/fetcher/limits.ts";
import type { Fetcher } from "../plugins/sources/source.ts";

export interface Redirects {
  /**
   * The URL on another site that the servers of `url` send on to. The address is theirs; of what the plugin
   * claims, only the site counts: links that are signed for one request differ each time. Throws `redirected`
   * when the host sees no redirect to that site, and what the request and `checkSource` throw.
   */
  confirm(url: string, claimed: string, signal: AbortSignal): Promise<string>;
}

export interface RedirectsOptions {
  readonly fetcher: Fetcher;
  readonly network: Network;
  /** For one look, which may take several requests, milliseconds. @default 30000 */
  readonly timeMs?: number | undefined;
}

/** Requests of one look: from server to server within the site, and out of it. */
const MAX_HOPS = 10;

export function createRedirects(
  { fetcher, network, timeMs = 30_000 }: RedirectsOptions,
): Redirects {
  return {
    async confirm(url, claimed, signal) {
      const from = await network.checkSource(url);
      const limits = {
        ...DEFAULT_SOURCE_LIMITS,
        // Nothing of an answer is read.
        downloadBytes: 0,
        totalBytes: 0,
        redirects: MAX_HOPS,
        timeMs,
        silenceMs: timeMs / 2,
      };
      await using session = fetcher.open({ network, limits, signal });
      let at = from.url;
      for (let hops = 0; hops < MAX_HOPS; hops++) {
        const next = await session.redirect(at);
        if (next === undefined) throw unseen(url, claimed, "answers it without a redirect");
        if (siteReaches(from, new URL(next))) {
          at = next;
          continue;
        }
        // Also says what is wrong with a private or malformed target.
        const target = await network.checkSource(next);
        if (siteReaches(target, new URL(claimed))) return target.url;
        throw unseen(url, claimed, `sends it to ${target.host}`);
      }
      throw unseen(url, claimed, `sends it on more than ${MAX_HOPS} times`);
    },
  };
}

function unseen(url: string, claimed: string, what: string): CarrelError {
  const { href, host } = new URL(claimed);
  const shown = href.length > 300 ? `${href.slice(0, 300)}…` : href;
  return new CarrelError(
    "redirected",
    `Cannot import "${url}": the plugin says that it leads to "${shown}", but its server, asked without login or script, ${what}. If you trust ${host}, import that address itself.`,
    { details: { url: href } },
  );
}
