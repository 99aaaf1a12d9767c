import { jsonResponse } from "@obedio/web/testing";
import { screen, waitFor } from "@testing-library/react";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { expect, test, vi } from "vitest";
import type { AuditVerification } from "../api/resources";
import { renderInHub } from "../testing";
import { Chain } from "./Chain";

function show(answer: AuditVerification | Response) {
  vi.stubGlobal("fetch", async () => (answer instanceof Response ? answer : jsonResponse(answer)));
  renderInHub(<QueryClientProvider client={new QueryClient({ defaultOptions: { queries: { retry: false } } })}><Chain /></QueryClientProvider>);
}

const whole = { chain: "11112222-x", entries: 1200, head: "ab", ok: true };

test("a whole chain is green, with the number of its entries", async () => {
  show({ ok: true, chains: [whole, { ...whole, chain: "b", entries: 34 }] });
  await waitFor(() => expect(screen.getByTestId("chain").textContent).toContain("Chain whole · 1,234 entries"));
  expect(document.querySelector(".text-ok")).toBeTruthy();
});

test("a broken chain names the entry and what is wrong there", async () => {
  show({ ok: false, chains: [whole, { ...whole, chain: "99998888-y", ok: false, first_bad: 17, what: "the hash does not fit" }] });
  await waitFor(() => expect(screen.getByTestId("chain").textContent).toContain("Entry no. 17 of chain 99998888: the hash does not fit"));
  expect(screen.getByText("Chain broken")).toBeTruthy();
});

test("a chain that could not be checked is not called whole", async () => {
  show(jsonResponse({ title: "Too many requests" }, { status: 429 }));
  await waitFor(() => expect(screen.getByTestId("chain").textContent).toContain("could not be checked"));
});
