/** Sites: the registrable domain behind a host name, by the Public Suffix List. */
import { getDomain } from "tldts";

/**
 * The registrable domain of a host name: `example.co.uk` for `www.example.co.uk`. Suffixes under which
 * anyone may register count as suffixes (`alice.github.io` and `bob.github.io` are two sites). Undefined
 * for an address, a name of one label, and a suffix itself: there the host stands for itself alone.
 */
export function registrableDomain(host: string): string | undefined {
  return getDomain(host, { allowPrivateDomains: true }) ?? undefined;
}

/** What jobs that speak to the same operator share: the registrable domain, or else the host. */
export function siteOf(host: string): string {
  return registrableDomain(host) ?? host;
}
