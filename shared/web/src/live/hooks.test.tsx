import { act, render } from "@testing-library/react";
import { memo } from "react";
import { expect, test, vi } from "vitest";
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
  const row = vi.fn<(id: string) => void>();
  const list = vi.fn<(ids: readonly string[]) => void>();
  function Row({ id }: { id: string }) {
    row(id);
    return <li>{useItem(items, id)?.rank}</li>;
  }
  const List = memo(function List({ ids }: { ids: readonly string[] }) {
    list(ids);
    return null;
  });
  function Page() {
    return <List ids={useSortedKeys(items, all, byRank)} />;
  }
  render(<><Page /><Row id="i0" /><Row id="i1" /></>);
  act(() => items.upsert({ id: "i0", rank: 1.5 }));
  expect(row.mock.calls.flat()).toEqual(["i0", "i1", "i0"]);
  expect(list).toHaveBeenCalledTimes(1);
  act(() => items.upsert({ id: "i0", rank: 9 }));
  expect(list).toHaveBeenCalledTimes(2);
  expect(list).toHaveBeenLastCalledWith(["i1", "i2", "i0"]);
});
