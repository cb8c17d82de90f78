/** The operator's rates and those that plugins ask for, by class. */
import { siteOf } from "../network/site.ts";
import type { ClassRates, Rate } from "./rate_limits.ts";

export interface RateSettings {
  /** By plugin id. */
  readonly plugin: Readonly<Record<string, Rate>>;
  /** By host name, which stands for its whole site; `default` for those that are not named. */
  readonly site: Readonly<Record<string, Rate>>;
}

/** @param asked what a plugin's manifest asks for; the operator's word goes before it. */
export function classRates(
  settings: RateSettings,
  asked: (plugin: string) => Rate | undefined,
): ClassRates {
  const plugins = new Map(Object.entries(settings.plugin));
  const { default: others, ...named } = settings.site;
  const sites = new Map(Object.entries(named).map(([host, rate]) => [siteOf(host), rate]));
  return (name) => {
    const at = name.indexOf(":");
    const value = name.slice(at + 1);
    switch (name.slice(0, at)) {
      case "plugin":
        return plugins.get(value) ?? asked(value);
      case "site":
        return sites.get(value) ?? others;
      default:
        return undefined;
    }
  };
}
