import { jsonResponse, renderWithin } from "@obedio/web/testing";
import { ApiClient, Batcher, Clock, sizeOf } from "@obedio/web";
import { createMemoryHistory, createRootRoute, createRouter, RouterProvider } from "@tanstack/react-router";
import { act, fireEvent, screen, within } from "@testing-library/react";
import type uPlot from "uplot";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import type { SiteTraffic, SyncState } from "../api/resources";
import { ConsoleProvider } from "../context";
import { FleetConsole } from "../fleet-console";
import { en } from "../messages/en";
import { SiteData } from "../site-data";
import { now } from "../testing";
import { BucketTime } from "./BucketTime";
import { dataOf } from "./TrafficChart";
import { TopTalkers } from "./TopTalkers";
import { TrafficTab } from "./TrafficTab";
import { TrafficTable } from "./TrafficTable";

// There is no canvas here; a test moves the pointer by the chart's own hook.
const drawn = vi.hoisted(() => ({ options: [] as uPlot.Options[] }));
vi.mock("uplot", () => ({
  default: class {
    constructor(options: uPlot.Options) {
      drawn.options.push(options);
    }
    setSize() {}
    destroy() {}
  },
}));

const at = (hours: number) => new Date(now + hours * 3_600_000).toISOString();
const counts = (n: number) => ({ messages_in: n, messages_out: 2 * n, bytes_in: 100 * n, bytes_out: 0, dropped: 0, denied: 0, reconnects: 0 });
const traffic: SiteTraffic = {
  site_id: "yacht-1", from: at(-3), to: at(0), bucket: "hour", group: "device", as_of: at(0), hours: 3, held: 2, totals: counts(7), left_out: 0,
  buckets: [
    { at: at(-3), hours: 1, held: 1, counts: counts(3) },
    { at: at(-2), hours: 1, held: 0 },
    { at: at(-1), hours: 1, held: 1, counts: counts(4) },
  ],
  top: [
    { key: "watch-1", name: "Bridge watch", known: true, totals: counts(4) },
    { key: "", known: false, totals: counts(2) },
    { key: "~other", known: false, totals: counts(1) },
  ],
  others: counts(1),
  gaps: [{ from: at(-2), to: at(-1) }],
};

function show(element: React.ReactNode) {
  const router = createRouter({ routeTree: createRootRoute({ component: () => element }), history: createMemoryHistory() });
  return renderWithin(<RouterProvider router={router as never} />, { messages: en, clock: new Clock(() => now) });
}

describe("Traffic", () => {
  test("a time that is not known is a hole in the chart, not a zero", () => {
    const { lines, known } = dataOf(traffic.buckets);
    expect(lines.map((l) => l.values)).toEqual([[3, null, 4], [6, null, 8]]);
    expect(known).toEqual([1, 0, 1]);
  });

  test("the table says what is not known, the newest first", async () => {
    show(<TrafficTable traffic={traffic} />);
    const rows = within(await screen.findByTestId("traffic-table")).getAllByRole("row").slice(1);
    expect(rows.map((row) => row.dataset["known"])).toEqual(["true", "false", "true"]);
    expect(rows[0]!.textContent).toContain("400 B");
    expect(rows[1]!.textContent).toContain(en["traffic.gap"]);
    expect(rows[1]!.textContent).not.toContain("0 B");
  });

  test("a device leads to its page, what has no name says why, and the rest is summed up", async () => {
    const chosen = vi.fn();
    show(<TopTalkers siteId="yacht-1" traffic={traffic} group="device" onGroup={chosen} />);
    const link = await screen.findByRole("link", { name: "Bridge watch" });
    expect(link.getAttribute("href")).toBe("/sites/yacht-1/devices/watch-1");
    for (const text of [en["traffic.key.unknown"], en["traffic.key.other"], en["traffic.others"]]) expect(screen.getByText(text)).toBeTruthy();
    fireEvent.click(screen.getByRole("button", { name: en["traffic.group.room"] }));
    expect(chosen).toHaveBeenCalledWith("room");
  });

  test("midnight is the beginning of its day", async () => {
    show(<BucketTime at={new Date(2026, 2, 1).toISOString()} day={false} />);
    expect((await screen.findByText(/Mar/)).textContent).toMatch(/^Sun.* 1 Mar.*00:00$/);
  });

  test("sizes are short", () => {
    expect([0, 999, 1000, 999_600, 9_240_000, 154_321_000, 5e12].map((n) => sizeOf(n))).toEqual([
      { value: 0, unit: "B" }, { value: 999, unit: "B" }, { value: 1, unit: "kB" }, { value: 1, unit: "MB" }, { value: 9.2, unit: "MB" }, { value: 154, unit: "MB" }, { value: 5000, unit: "GB" },
    ]);
  });
});

describe("SiteData", () => {
  const asked: string[] = [];
  beforeEach(() => {
    asked.length = 0;
    vi.stubGlobal("fetch", async (url: string) => {
      asked.push(url);
      return jsonResponse(traffic);
    });
  });

  test("asks for the traffic of its site, and knows the address of the table", async () => {
    const data = new SiteData("yacht 1", new ApiClient({ base: "/api/v1", onUnauthenticated: () => {} }), new Batcher());
    const query = { from: at(-3), bucket: "hour", group: "room" } as const;
    await data.traffic(query, new AbortController().signal);
    expect(asked[0]).toContain("/api/v1/sites/yacht%201/traffic?");
    expect(asked[0]).toContain("group=room");
    expect(data.trafficURL(query)).toContain("format=csv");
    expect(data.trafficURL(query)).toContain("bucket=hour");
  });
});

describe("TrafficTab", () => {
  const asked: string[] = [];
  let fails = false;
  beforeEach(() => {
    asked.length = 0;
    fails = false;
    vi.stubGlobal("fetch", async (url: string) => {
      asked.push(url);
      return fails ? jsonResponse({ title: "away" }, { status: 503, type: "application/problem+json" }) : jsonResponse(traffic);
    });
  });
  afterEach(() => vi.useRealTimers());

  async function open() {
    const console = new FleetConsole();
    const data = new SiteData("yacht-1", console.api, console.batcher);
    show(<ConsoleProvider value={console}><TrafficTab data={data} /></ConsoleProvider>);
    await screen.findByTestId("traffic");
    return data;
  }
  const press = (name: string) => fireEvent.click(screen.getByRole("button", { name }));

  test("what was read never stands under the name of a time that could not be read", async () => {
    await open();
    fails = true;
    press(en["traffic.range.week"]);
    await screen.findByTestId("view-error");
    expect(screen.queryByTestId("traffic")).toBeNull();
    fails = false;
    press(en["traffic.range.day"]);
    await screen.findByTestId("traffic");
  });

  test("what was read of the same time stays when it cannot be read again", async () => {
    await open();
    fails = true;
    press(en["traffic.group.room"]);
    await screen.findByTestId("view-partial");
    expect(screen.getByTestId("traffic")).toBeTruthy();
  });

  test("the point under a pointer is forgotten with its chart", async () => {
    await open();
    act(() => drawn.options.at(-1)!.hooks!.setCursor![0]!({ cursor: { idx: 0 } } as uPlot));
    expect(screen.getByText("3 from, 6 to devices")).toBeTruthy();
    press(en["traffic.range.week"]);
    expect(await screen.findByText("7 from, 14 to devices")).toBeTruthy();
  });

  test("a hundred hours that come at once are read again once", async () => {
    vi.useFakeTimers({ toFake: ["setInterval"] });
    const data = await open();
    const before = asked.length;
    for (let durable = 1; durable <= 100; durable++) {
      data.sync.set({ lanes: [{ lane: 4, name: "summaries", durable }] } as unknown as SyncState);
      await act(() => vi.advanceTimersByTimeAsync(20));
    }
    await vi.waitFor(() => expect(asked.length).toBe(before + 1));
  });
});
