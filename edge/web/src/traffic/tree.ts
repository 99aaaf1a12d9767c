/** A level of the topics that have been seen. */
export interface TopicNode {
  name: string;
  /** The topic as far as this level. */
  path: string;
  /** Messages on this topic and below. */
  count: number;
  /** Messages on this topic itself. */
  own: number;
  children: Map<string, TopicNode>;
}

/** Levels in all; what comes beyond counts at the deepest that is there. */
const mostNodes = 5000;

/** The topics that have been seen, level by level, with how many messages each had. */
export class TopicTree {
  readonly root: TopicNode = node("", "");
  #nodes = 0;

  add(topic: string): void {
    let at = this.root;
    at.count++;
    for (const level of topic.split("/")) {
      let next = at.children.get(level);
      if (!next) {
        if (this.#nodes >= mostNodes) break;
        next = node(level, at === this.root ? level : `${at.path}/${level}`);
        at.children.set(level, next);
        this.#nodes++;
      }
      next.count++;
      at = next;
    }
    at.own++;
  }
}

function node(name: string, path: string): TopicNode {
  return { name, path, count: 0, own: 0, children: new Map() };
}

/** The children of a level, by name, with levels that lead to one other only drawn together: obedio/yacht-1. */
export function branches(of: TopicNode, compare: (a: string, b: string) => number): { label: string; node: TopicNode }[] {
  return [...of.children.values()]
    .map((child) => {
      let label = child.name;
      let at = child;
      while (at.own === 0 && at.children.size === 1) {
        at = [...at.children.values()][0]!;
        label += `/${at.name}`;
      }
      return { label, node: at };
    })
    .sort((a, b) => compare(a.label, b.label));
}
