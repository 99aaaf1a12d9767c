import { screen } from "@testing-library/react";
import { describe, expect, test } from "vitest";
import { renderWithin } from "../testing";
import { Battery, LinkStateBadge, PresenceBadge } from "./badges";
import { linkLook, linkStates, presenceLook, presenceStates } from "./states";

describe("badges", () => {
  test("each state has an icon and a word beside its colour", () => {
    for (const state of presenceStates) {
      const { container, unmount } = renderWithin(<PresenceBadge state={state} />);
      expect(container.querySelector("svg"), state).toBeTruthy();
      expect(container.textContent!.length, state).toBeGreaterThan(2);
      unmount();
    }
  });

  test("only what is known to be well is green", () => {
    expect(presenceStates.filter((s) => presenceLook[s].tone === "ok")).toEqual(["ready"]);
    expect(linkStates.filter((s) => linkLook[s].tone === "ok")).toEqual(["online"]);
  });

  test("what was ready is past and not green; an unknown state is neither", () => {
    const { container } = renderWithin(<><PresenceBadge state="ready" past /><LinkStateBadge state="brand_new" /></>);
    expect(screen.getByText("Was ready")).toBeTruthy();
    expect(screen.getByText("brand new")).toBeTruthy();
    expect(container.querySelector("[class*=text-ok]")).toBeNull();
  });

  test("a battery of 0 is a value; an unknown one shows nothing", () => {
    const { container, rerender } = renderWithin(<Battery percent={0} />);
    expect(container.textContent).toContain("0%");
    expect(screen.getByRole("img", { name: "Battery low, 0%" })).toBeTruthy();
    rerender(<Battery percent={undefined} />);
    expect(container.textContent).not.toContain("%");
  });
});
