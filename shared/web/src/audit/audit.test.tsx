import { act, fireEvent, screen, waitFor } from "@testing-library/react";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { ApiClient } from "../api/client";
import { jsonResponse, renderWithin } from "../testing";
import type { Reach } from "../ui/view-state";
import { AuditView } from "./AuditView";
import { auditFilterOf, auditQuery } from "./query";
import type { AuditEntry, AuditFilter, AuditVerification } from "./types";

const entry = (n: number, over: Partial<AuditEntry> = {}): AuditEntry => ({
  chain: "c", n, at: "2026-03-01T12:00:00Z", clock_trusted: true, actor: { kind: "user", id: "u", name: "Mila" }, action: "room.added", target: `room-${n}`, hash: "h", ...over,
});
const good: AuditVerification = { ok: true, chains: [{ chain: "c", entries: 3, head: "abc", ok: true }] };

let verification: () => Response;
let pages: ((url: URL) => Response)[];
let asked: URL[];
beforeEach(() => {
  asked = [];
  pages = [() => jsonResponse({ items: [entry(3), entry(2)], next_cursor: null })];
  verification = () => jsonResponse(good);
});

function show(filter: AuditFilter = {}, reach: Reach = { kind: "live" }) {
  const fetch = vi.fn<typeof globalThis.fetch>(async (path) => {
    const url = new URL(String(path), "http://x");
    if (url.pathname.endsWith("/verify")) return verification();
    asked.push(url);
    return (pages.length > 1 ? pages.shift()! : pages[0]!)(url);
  });
  const onFilter = vi.fn<(filter: AuditFilter) => void>();
  renderWithin(<AuditView api={new ApiClient({ base: "/api/v1", fetch })} path="/audit" filter={filter} onFilter={onFilter} reach={reach} onRetry={() => {}} />);
  return { onFilter };
}
const mark = () => screen.getByTestId("chain").dataset["mark"];

describe("the chain mark", () => {
  test("is green only when every entry was checked", async () => {
    show();
    expect(mark()).toBe("checking");
    await waitFor(() => expect(mark()).toBe("ok"));
    expect(screen.getByTestId("chain").textContent).toContain("3 entries are what was written");
  });

  test("is red with the first entry that is wrong", async () => {
    verification = () => jsonResponse({ ok: false, chains: [{ chain: "c", entries: 1, head: "abc", ok: false, first_bad: 2, what: "it is missing" }] });
    show();
    await waitFor(() => expect(mark()).toBe("broken"));
    expect(screen.getByTestId("chain").textContent).toContain("Entry 2: it is missing");
  });

  test("what could not be checked, and what is empty, is neither", async () => {
    verification = () => jsonResponse({ title: "A limit is reached" }, { status: 429 });
    show();
    await waitFor(() => expect(mark()).toBe("failed"));
    verification = () => jsonResponse({ ok: true, chains: [] });
    fireEvent.click(screen.getByRole("button", { name: "Check again" }));
    await waitFor(() => expect(mark()).toBe("empty"));
  });
});

describe("entries", () => {
  test("come the newest first, older ones on asking, each once", async () => {
    pages = [
      () => jsonResponse({ items: [entry(3), entry(2)], next_cursor: "more" }),
      () => jsonResponse({ items: [entry(2), entry(1)], next_cursor: null }),
    ];
    show();
    fireEvent.click(await screen.findByRole("button", { name: "Show older entries" }));
    await screen.findByText("This is the first entry.");
    expect(screen.getAllByRole("listitem").flatMap((li) => li.dataset["target"] ?? [])).toEqual(["room-3", "room-2", "room-1"]);
    expect(asked[1]!.searchParams.get("cursor")).toBe("more");
  });

  test("older ones that cannot be read leave what is there", async () => {
    pages = [() => jsonResponse({ items: [entry(3)], next_cursor: "more" }), () => jsonResponse({ title: "Not available for now" }, { status: 503 })];
    show();
    fireEvent.click(await screen.findByRole("button", { name: "Show older entries" }));
    await screen.findByText("The older entries could not be read");
    expect(screen.getByText("room-3")).toBeTruthy();
  });

  test("a filter that has found nothing so far can look further back", async () => {
    pages = [() => jsonResponse({ items: [], next_cursor: "more" }), () => jsonResponse({ items: [entry(1)], next_cursor: null })];
    const { onFilter } = show({ target: "room-1" });
    fireEvent.click(await screen.findByRole("button", { name: "Look further back" }));
    await screen.findByText("room-1");
    fireEvent.click(screen.getByRole("button", { name: "Clear the filter" }));
    expect(onFilter).toHaveBeenCalledWith({});
  });

  test("forbidden, empty and failed are said as such", async () => {
    pages = [() => jsonResponse({ title: "Not allowed", permission: "audit.read" }, { status: 403 })];
    show();
    await screen.findByTestId("view-forbidden");
    pages = [() => jsonResponse({ items: [], next_cursor: null })];
    show();
    await screen.findByTestId("view-empty");
    pages = [() => jsonResponse({ title: "The program failed", request_id: "r-1" }, { status: 500 })];
    show();
    expect((await screen.findByTestId("view-error")).textContent).toContain("r-1");
  });

  test("an entry opens with all that binds it, and says when the clock was not trusted", async () => {
    pages = [() => jsonResponse({ items: [entry(1, { clock_trusted: false, detail: { name: "Sauna" } })], next_cursor: null })];
    show();
    fireEvent.click(await screen.findByRole("button", { name: "Entry 1: all that it says" }));
    const whole = screen.getByTestId("audit-entry").textContent;
    expect(whole).toContain("clock not trusted");
    expect(whole).toContain("none: it is the first");
    expect(whole).toContain("Sauna");
  });
});

describe("the filter", () => {
  test("is asked for when typing has settled", async () => {
    vi.useFakeTimers();
    try {
      const { onFilter } = show();
      fireEvent.change(screen.getByLabelText("What"), { target: { value: "si" } });
      fireEvent.change(screen.getByLabelText("What"), { target: { value: "site. " } });
      expect(onFilter).not.toHaveBeenCalled();
      act(() => void vi.advanceTimersByTime(400));
      expect(onFilter.mock.calls).toEqual([[{ action: "site." }]]);
    } finally {
      vi.useRealTimers();
    }
  });

  test("takes from an address only what it knows, and asks for whole days", () => {
    const filter = auditFilterOf({ actor: "Mila", action: "", target: 4, from: "2026-03-01", to: "yesterday", x: "y" });
    expect(filter).toEqual({ actor: "Mila", from: "2026-03-01" });
    const query = auditQuery({ from: "2026-03-01", to: "2026-03-01" });
    expect(Date.parse(String(query["to"])) - Date.parse(String(query["from"]))).toBe(86_400_000);
  });

  test("goes with the export", async () => {
    show({ action: "site." });
    expect(screen.getByRole("link", { name: "Export as CSV, oldest first" }).getAttribute("href")).toBe("/api/v1/audit/export?action=site.&format=csv");
    await screen.findByText("room-3");
  });
});
