/** Which servers a fetch may speak to, and what the runner that speaks to one is granted. */
import { type Grants, NO_GRANTS } from "../../../sandbox/types.ts";
import { CarrelError } from "../../errors.ts";
import type { CheckedSource, Network } from "../../network/private.ts";

/** One server and one port, or nothing at all. */
export function grantsFor(place: CheckedSource | undefined): Grants {
  if (place === undefined) return NO_GRANTS;
  return place.private === undefined
    ? { ...NO_GRANTS, net: [`${place.host}:${place.port}`] }
    : { ...NO_GRANTS, private: [place.private] };
}

/**
 * Whether a URL may be asked: https to the public; http only to a private address that the operator
 * opened; and from a public server never on to a private one, opened or not.
 */
export async function checkPlace(
  network: Network,
  url: string,
  from: CheckedSource | undefined,
): Promise<CheckedSource> {
  let place: CheckedSource;
  try {
    place = await network.checkSource(url);
  } catch (error) {
    if (!(error instanceof CarrelError)) throw error;
    const message = error.message.replace(/^Cannot import/, "Cannot fetch");
    throw new CarrelError(error.code, message, {
      ...(error.details === undefined ? {} : { details: error.details }),
      cause: error,
    });
  }
  if (place.private !== undefined && from !== undefined && from.private === undefined) {
    throw new CarrelError(
      "private_address",
      `Cannot fetch "${from.url}": it leads to the private address ${place.host}, where a public server has nothing to send us.`,
      { details: { host: place.host, port: place.port } },
    );
  }
  const secure = place.url.startsWith("https:");
  if (!secure && (place.private === undefined || from?.url.startsWith("https:"))) {
    throw new CarrelError(
      "invalid_url",
      from === undefined
        ? `Cannot fetch "${place.url}": plugins are fetched over https only, so that nobody on the way can change them.`
        : `Cannot fetch "${from.url}": it leads to "${place.url}", which is not https.`,
    );
  }
  return place;
}
