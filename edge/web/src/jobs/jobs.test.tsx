import { act, fireEvent, screen, waitFor } from "@testing-library/react";
import { SendCommand, useDerived, type CommandDraft } from "@obedio/web";
import { jsonResponse } from "@obedio/web/testing";
import { afterEach, expect, test, vi } from "vitest";
import type { Command } from "../api/resources";
import { Hub } from "../hub";
import { at, renderInHub } from "../testing";
import { Progress } from "./Progress";
import { cancellable, countStates, ended, retryable, shownStates } from "./states";
import { useJob } from "./useJobs";

afterEach(() => vi.unstubAllGlobals());

function aCommand(id: string, state: Command["state"], steps: Command["state"][] = [state]): Command {
  return {
    command_id: id, device_id: `btn-${id}`, name: "locate", state, issued_by: { kind: "user", id: "u" }, issued_at: at(0), expires_at: at(60), job_id: "j-1",
    updated_at: at(1), steps: steps.map((s) => ({ state: s, at: at(1) })),
  };
}

test("a job's states say what has ended, what can be tried again and what can be taken back", () => {
  const counts = { queued: 2, sent: 1, acknowledged: 1, succeeded: 5, failed: 2, expired: 1, brand_new: 1 };
  expect([ended(counts), retryable(counts), cancellable(counts)]).toEqual([8, 3, 3]);
  expect(shownStates(counts)).toEqual(["succeeded", "failed", "expired", "acknowledged", "sent", "queued", "brand_new"]);
});

test("the bar of a job is told in words, too", () => {
  renderInHub(<Progress counts={{ succeeded: 3, queued: 1 }} targets={4} />);
  expect(screen.getByRole("img", { name: "3 of 4 have ended, Succeeded: 3, Queued: 1" })).toBeTruthy();
});

function Watched() {
  const { commands } = useJob("j-1");
  return <p data-testid="counts">{JSON.stringify(useDerived(commands, countStates))}</p>;
}

test("a job follows its own commands, and a step that comes late takes none back", async () => {
  vi.stubGlobal("fetch", async (url: string) =>
    url.includes("/results") ? jsonResponse({ items: [aCommand("1", "sent", ["queued", "sent"])], next_cursor: null }) : jsonResponse({ job_id: "j-1", states: {}, targets: 2 }));
  const hub = new Hub();
  const told: Command[] = [];
  const stop = hub.watchJobs((c) => told.push(c));
  renderInHub(<Watched />, { hub });
  const counts = () => screen.getByTestId("counts").textContent;
  await waitFor(() => expect(counts()).toBe('{"sent":1}'));
  act(() => {
    hub.heardCommand(aCommand("1", "succeeded", ["queued", "sent", "succeeded"]));
    hub.heardCommand(aCommand("2", "queued"));
    hub.heardCommand({ ...aCommand("3", "queued"), job_id: "another" });
    hub.heardCommand(aCommand("1", "sent", ["queued", "sent"]));
  });
  expect(counts()).toBe('{"succeeded":1,"queued":1}');
  expect(told).toHaveLength(4);
  stop();
});

test("a command for many is shown once more before it is sent", async () => {
  const sent: CommandDraft[] = [];
  renderInHub(
    <SendCommand
      open onOpenChange={() => {}} device="14 devices" suggestions={["locate"]} ttls={[60_000]} presetTtl={60_000}
      review={{ text: (d) => <p>{`Send ${d.name} to 14 devices?`}</p>, send: "Send to 14 devices" }}
      send={async (d) => void sent.push(d)}
    />,
  );
  fireEvent.click(screen.getByRole("button", { name: "locate" }));
  fireEvent.click(screen.getByRole("button", { name: "Review" }));
  expect(screen.getByText("Send locate to 14 devices?")).toBeTruthy();
  expect(sent).toEqual([]);
  fireEvent.click(screen.getByRole("button", { name: "Back" }));
  expect((screen.getByLabelText("Command") as HTMLInputElement).value).toBe("locate");
  fireEvent.click(screen.getByRole("button", { name: "Review" }));
  await act(async () => fireEvent.click(screen.getByRole("button", { name: "Send to 14 devices" })));
  expect(sent).toEqual([{ name: "locate", ttl_ms: 60_000 }]);
});
