/** Where the parts of a YAML file stand. */
import { isMap, isNode, isScalar, type Node, type YAMLMap } from "yaml";

/** Finds the value at a path, and where it begins; for a missing one where the nearest thing around it does. */
export function createPlaces(root: unknown) {
  const tables = new WeakMap<YAMLMap, ReadonlyMap<string, YAMLMap["items"][number]>>();

  /** Of a map that is asked about: its keys are searched once, not for each problem. */
  function tableOf(map: YAMLMap): ReadonlyMap<string, YAMLMap["items"][number]> {
    let table = tables.get(map);
    if (table === undefined) {
      table = new Map(map.items.map((item) => [keyOf(item.key), item]));
      tables.set(map, table);
    }
    return table;
  }

  return (path: readonly PropertyKey[]): { readonly node: unknown; readonly offset: number } => {
    let node: unknown = root;
    let offset = startOf(node) ?? 0;
    for (const step of path) {
      if (isMap(node)) {
        const pair = tableOf(node as YAMLMap).get(String(step));
        if (pair === undefined) return { node: undefined, offset };
        // The key's place, not the value's: an empty or a nested value begins on another line.
        offset = startOf(pair.key) ?? offset;
        node = pair.value;
      } else {
        const items: unknown = (node as { items?: unknown } | null)?.items;
        node = Array.isArray(items) ? items[Number(step)] : undefined;
        offset = startOf(node) ?? offset;
      }
    }
    return { node, offset };
  };
}

/** The key of the plain value: `null` makes an empty one. */
export function keyOf(key: unknown): string {
  return isScalar(key) ? String(key.value ?? "") : String(key ?? "");
}

/** Where a node begins. */
export function startOf(node: unknown): number | undefined {
  return isNode(node) ? (node as Node).range?.[0] : undefined;
}
