/**
 * Which plugins serve a capability, and in which order.
 *
 * 1. A caller that asks for a plugin by name gets that one or an error: who names a model wants no other.
 * 2. The operator's list (`capabilities` in `config/carrel.yaml`) names all that may serve, first to last; `"*"`
 *    stands for those that it does not name. Without `"*"` no other plugin gets the text.
 * 3. Among those that no list names: the operator's `priority` in `config/plugins.yaml` (lower first), then
 *    built-in ones, since a plugin that was installed for something else should not be sent other people's texts
 *    unasked, then by id.
 * 4. One that the circuit breaker has set aside goes to the end.
 *
 * A plugin that turns out to lack a permission is passed over like one that is down. Only where nobody else can
 * serve, or it was asked for by name, is a person asked for the permission.
 */
import { notSetUp } from "../plugins/config.ts";
import type { Plugin } from "../plugins/plugins.ts";

/** By capability, plugin ids and `"*"`. */
export type CapabilityOrder = Readonly<Record<string, readonly string[]>>;

/** A list stands in for a capability that the operator's file does not name. */
export const DEFAULT_ORDER: CapabilityOrder = {
  // It only repeats sentences: the last resort of a library without a model.
  "text.generate": ["*", "generator.extractive"],
};

const OTHERS = "*";

export interface Ranked {
  readonly plugin: Plugin;
  /** Why it does not serve: it is off, or the operator's list leaves it out. */
  readonly out: string | undefined;
}

/** @param providers those that provide the capability, enabled or not, best first by priority */
export function rank(
  name: string,
  providers: readonly Plugin[],
  operator: CapabilityOrder,
): readonly Ranked[] {
  const list = listOf(operator, name) ?? listOf(DEFAULT_ORDER, name) ?? [OTHERS];
  const others = providers.filter(({ id }) => !list.includes(id));
  const named = (id: string) => providers.filter((plugin) => plugin.id === id);
  const listed = [...new Set(list)].flatMap((id) => id === OTHERS ? others : named(id));
  const left = providers.filter((plugin) => !listed.includes(plugin));
  return [
    ...listed.map((plugin) => ({ plugin, out: whyOff(plugin) })),
    ...left.map((plugin) => ({
      plugin,
      out: whyOff(plugin) ?? "the operator's order leaves it out",
    })),
  ];
}

function listOf(order: CapabilityOrder, name: string): readonly string[] | undefined {
  return Object.hasOwn(order, name) ? order[name] : undefined;
}

/** Why a plugin cannot be started; undefined for one that can. */
export function whyOff({ state, enabled, manifest, config }: Plugin): string | undefined {
  if (state === "quarantined") return "it was set aside after crashes";
  if (!enabled) return "it is disabled";
  const unset = manifest === undefined ? undefined : notSetUp(manifest, config);
  return unset === undefined ? undefined : `it is not set up: ${unset.replace(/\.$/, "")}`;
}
