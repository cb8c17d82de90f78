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

/** A site as a job is granted it: `${source.site}`. */
export interface SiteOfJob {
  readonly host: string;
  readonly port: number;
  readonly site: string;
  /** Set for a private address: it stands for itself alone, on its port. */
  readonly private: object | undefined;
}

/** Whether a grant for the site reaches a URL: the hosts of the site, on the web's ports and its own. */
export function siteReaches(site: SiteOfJob, url: URL): boolean {
  const port = url.port === "" ? (url.protocol === "https:" ? 443 : 80) : Number(url.port);
  if (site.private !== undefined) return url.hostname === site.host && port === site.port;
  return siteOf(url.hostname) === site.site && [443, 80, site.port].includes(port);
}
