/**
 * Figures of an overlay as a graph: degrees, distances, clustering, components.
 *
 * @module
 */

/** An undirected graph by compressed adjacency lists; an edge is a link that both ends have. */
export class Graph {
  /** Nodes. */
  readonly size: number;
  /** Directed links that the other end lacks. */
  readonly oneSided: number;
  readonly #starts: Int32Array;
  readonly #edges: Int32Array;

  /** Takes who has whom in view; links to nodes that are not listed do not count. */
  constructor(nodes: readonly { readonly id: string; readonly links: readonly string[] }[]) {
    const index = new Map(nodes.map(({ id }, i) => [id, i]));
    const neighbors = nodes.map(({ links }) => links.map((id) => index.get(id) ?? -1));
    const starts = new Int32Array(nodes.length + 1);
    const edges: number[] = [];
    let oneSided = 0;
    neighbors.forEach((list, i) => {
      for (const j of list) {
        if (j < 0) continue;
        if (neighbors[j]!.includes(i)) edges.push(j);
        else oneSided++;
      }
      starts[i + 1] = edges.length;
    });
    this.size = nodes.length;
    this.oneSided = oneSided;
    this.#starts = starts;
    this.#edges = Int32Array.from(edges);
  }

  /** Undirected edges. */
  get edges(): number {
    return this.#edges.length / 2;
  }

  /** The neighbours of a node. */
  of(node: number): Int32Array {
    return this.#edges.subarray(this.#starts[node]!, this.#starts[node + 1]!);
  }

  /** Nodes by degree. */
  degrees(): number[] {
    const counts: number[] = [];
    for (let i = 0; i < this.size; i++) {
      const degree = this.of(i).length;
      while (counts.length <= degree) counts.push(0);
      counts[degree]!++;
    }
    return counts;
  }

  /** Mean over the nodes of the share of their pairs of neighbours that are neighbours too. */
  clustering(): number {
    let sum = 0;
    for (let i = 0; i < this.size; i++) {
      const list = this.of(i);
      if (list.length < 2) continue;
      let closed = 0;
      for (let a = 0; a < list.length; a++) {
        const others = this.of(list[a]!);
        for (let b = a + 1; b < list.length; b++) if (others.includes(list[b]!)) closed++;
      }
      sum += 2 * closed / (list.length * (list.length - 1));
    }
    return sum / this.size;
  }

  /** Distances from `from` in hops; -1 where there is no way. */
  distances(from: number): Int16Array {
    const distance = new Int16Array(this.size).fill(-1);
    const queue = new Int32Array(this.size);
    let end = 1;
    queue[0] = from;
    distance[from] = 0;
    for (let at = 0; at < end; at++) {
      const node = queue[at]!;
      for (const next of this.of(node)) {
        if (distance[next]! >= 0) continue;
        distance[next] = distance[node]! + 1;
        queue[end++] = next;
      }
    }
    return distance;
  }

  /** Mean and largest distance, over the ways from the given nodes. */
  paths(from: Iterable<number>): { mean: number; most: number } {
    let sum = 0, count = 0, most = 0;
    for (const node of from) {
      for (const distance of this.distances(node)) {
        if (distance <= 0) continue;
        sum += distance;
        count++;
        if (distance > most) most = distance;
      }
    }
    return { mean: sum / count, most };
  }

  /** Connected components among the nodes that `alive` names (default: all), largest first. */
  components(alive?: Uint8Array): number[][] {
    const seen = new Uint8Array(this.size);
    const components: number[][] = [];
    for (let i = 0; i < this.size; i++) {
      if (seen[i] || (alive && !alive[i])) continue;
      const members = [i];
      seen[i] = 1;
      for (const node of members) {
        for (const next of this.of(node)) {
          if (seen[next] || (alive && !alive[next])) continue;
          seen[next] = 1;
          members.push(next);
        }
      }
      components.push(members);
    }
    return components.sort((a, b) => b.length - a.length);
  }
}
