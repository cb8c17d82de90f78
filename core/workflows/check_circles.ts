/** Circles in a graph, each node in one of them at most: enough to say what is wrong. */
export function findCircles<T>(nodes: readonly T[], next: (node: T) => readonly T[]): T[][] {
  const circles: T[][] = [];
  const done = new Set<T>();
  for (const start of nodes) {
    // The way from `start` to where the search is, each with what of its followers is left.
    const way: { node: T; left: T[] }[] = [];
    const enter = (node: T) => way.push({ node, left: [...next(node)] });
    if (!done.has(start)) enter(start);
    while (way.length > 0) {
      const { node, left } = way.at(-1)!;
      const follower = left.shift();
      if (follower === undefined) {
        done.add(node);
        way.pop();
        continue;
      }
      const at = way.findIndex((entry) => entry.node === follower);
      if (at >= 0) {
        const circle = way.slice(at).map((entry) => entry.node);
        if (!circle.some((member) => done.has(member))) {
          circles.push(circle);
          circle.forEach((member) => done.add(member));
        }
      } else if (!done.has(follower)) enter(follower);
    }
  }
  return circles;
}
