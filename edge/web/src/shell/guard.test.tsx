import { screen } from "@testing-library/react";
import { expect, test } from "vitest";
import { aSession, renderInHub } from "../testing";
import { Guard } from "./Guard";

test("who may not see a page is told what it needs, and nothing of it is read", () => {
  const { rerender } = renderInHub(<Guard needs="security.read"><p>secret</p></Guard>);
  expect(screen.queryByText("secret")).toBeNull();
  expect(screen.getByTestId("view-forbidden").textContent).toContain("security.read");
  rerender(null);
  renderInHub(<Guard needs="security.read"><p>secret</p></Guard>, { session: aSession(["security.read"]) });
  expect(screen.getByText("secret")).toBeTruthy();
});
