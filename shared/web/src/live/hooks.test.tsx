import { act, render } from "@testing-library/react";
import { expect, test } from "vitest";
import { Batcher } from "./batch";
import { Collection } from "./collection";
import { sortKeys, useItem, useSortedKeys } from "./hooks";

interface Item {
  id: string;
  rank: number;
}
const byRank = (a: Item, b: Item) => a.rank - b.rank;
const all = () => true;
function make(...ranks: number[]) {
  const items = new Collection<Item>({ key: (i) => i.id, batcher: new Batcher() });
  ranks.forEach((rank, i) => items.upsert({ id: `i${i}`, rank }));
  return items;
}

test("sortKeys gives the same order from any order of before", () => {
  const items = make(3, 1, 2, 5, 4);
  const expected = ["i1", "i2", "i0", "i4", "i3"];
  for (const before of [[], ["i3", "i0"], ["gone", "i1"], expected]) {
    expect(sortKeys(items, before, all, byRank, false)).toEqual(expected);
  }
  expect(sortKeys(items, expected, (i) => i.rank > 2, byRank, true)).toEqual(["i3", "i4", "i0"]);
});

test("compares about once per item when almost nothing has changed", () => {
  const items = make(...Array.from({ length: 5000 }, (_, i) => (i * 7919) % 5000));
  const order = sortKeys(items, [], all, byRank, false);
  items.upsert({ id: order[10]!, rank: 4000.5 });
  let compared = 0;
  sortKeys(items, order, all, (a, b) => (compared++, byRank(a, b)), false);
  expect(compared).toBeLessThan(6000);
});

test("a change of one item renders its row alone, and the list only when the order changes", () => {
  const items = make(1, 2, 3);
  const rows: Record<string, number> = {};
  let lists = 0;
  let shown: readonly string[] = [];
  function Row({ id }: { id: string }) {
    rows[id] = (rows[id] ?? 0) + 1;
    return <li>{useItem(items, id)?.rank}</li>;
  }
  function List({ ids }: { ids: readonly string[] }) {
    lists++;
    shown = ids;
    return null;
  }
  const MemoList = ({ ids }: { ids: readonly string[] }) => (seen !== ids ? ((seen = ids), (<List ids={ids} />)) : null);
  let seen: readonly string[] | undefined;
  function Page() {
    const ids = useSortedKeys(items, all, byRank);
    return <MemoList ids={ids} />;
  }
  render(<><Page /><Row id="i0" /><Row id="i1" /></>);
  act(() => items.upsert({ id: "i0", rank: 1.5 }));
  expect(rows).toEqual({ i0: 2, i1: 1 });
  expect(lists).toBe(1);
  act(() => items.upsert({ id: "i0", rank: 9 }));
  expect(shown).toEqual(["i1", "i2", "i0"]);
  expect(lists).toBe(2);
});
