import { fireEvent, screen } from "@testing-library/react";
import { describe, expect, test } from "vitest";
import { aDevice, at, renderInHub } from "../testing";
import { Box, ChooseBox } from "./ChooseBox";
import { devicesCsv } from "./csv";
import { togglePlain } from "./filter";
import { Selection, SelectionProvider } from "./selection";

describe("what is chosen", () => {
  test("is acted on only where the filter shows it", () => {
    const selection = new Selection();
    selection.add(["a", "b", "c"]);
    selection.set("b", false);
    expect(selection.among(["c", "b", "x"])).toEqual(["c"]);
    selection.clear();
    expect(selection.among(["a", "c"])).toEqual([]);
  });

  test("a box chooses its own device, and is not there while nothing is to be chosen", () => {
    const selection = new Selection();
    const { unmount } = renderInHub(<ChooseBox id="btn-1" name="Bedside" />);
    expect(screen.queryByRole("checkbox")).toBeNull();
    unmount();
    renderInHub(<SelectionProvider value={selection}><ChooseBox id="btn-1" name="Bedside" /><ChooseBox id="btn-2" name="Bar" /></SelectionProvider>);
    fireEvent.click(screen.getByRole("checkbox", { name: "Choose Bedside" }));
    expect(selection.among(["btn-1", "btn-2"])).toEqual(["btn-1"]);
    expect((screen.getByRole("checkbox", { name: "Choose Bar" }) as HTMLInputElement).checked).toBe(false);
  });

  test("a box for many says that some are chosen", () => {
    renderInHub(<Box label="All" checked={false} partly onChange={() => {}} />);
    expect((screen.getByRole("checkbox") as HTMLInputElement).indeterminate).toBe(true);
  });
});

test("the table for spreadsheets quotes what needs it, and no text in it is a formula", () => {
  const devices = [
    aDevice({ name: 'The "bar", left', battery: 0, signal_strength: -60, tags: ["spare", "deck"] }),
    aDevice({ device_id: "sns-1", name: "=HYPERLINK(1)", presence: { state: "lost", since: at(1), as_of: at(2) } }),
  ];
  const [head, first, second, end] = devicesCsv(devices).split("\r\n");
  expect(head).toBe("device_id,name,type,room,room_name,state,since,as_of,battery,battery_days_left,signal_strength,via,firmware_version,security_profile,tags");
  expect(first).toBe(`btn-001,"The ""bar"", left",button,cabin-101,Cabin 101,ready,${at(0)},${at(0)},0,,-60,,,button,spare deck`);
  expect(second).toContain(`sns-1,'=HYPERLINK(1),`);
  expect(end).toBe("");
});

test("a term is added to a filter and taken away again", () => {
  expect(togglePlain("type:button", "battery:<20")).toBe("type:button battery:<20");
  expect(togglePlain("battery:<20 type:button", "battery:<20")).toBe("type:button");
});
