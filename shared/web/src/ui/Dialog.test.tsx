import { fireEvent, screen, waitFor } from "@testing-library/react";
import { useState } from "react";
import { expect, test } from "vitest";
import { renderWithin } from "../testing";
import { Dialog } from "./Dialog";

function Opener() {
  const [open, setOpen] = useState(false);
  return (
    <>
      <button type="button" onClick={() => setOpen(true)}>Open</button>
      <Dialog open={open} onOpenChange={setOpen} title="Shore link"><button type="button">Inside</button></Dialog>
    </>
  );
}

test("a dialog has a name, closes with Escape, gives the focus back, and writes no style element", async () => {
  renderWithin(<Opener />);
  const styles = document.querySelectorAll("style").length;
  const opener = screen.getByRole("button", { name: "Open" });
  opener.focus();
  fireEvent.click(opener);
  const dialog = screen.getByRole("dialog", { name: "Shore link" });
  expect(dialog.contains(document.activeElement)).toBe(true);
  expect(document.documentElement.classList.contains("scroll-locked")).toBe(true);
  expect(document.querySelectorAll("style").length).toBe(styles);
  fireEvent.keyDown(dialog, { key: "Escape" });
  await waitFor(() => expect(document.activeElement).toBe(opener));
  expect(document.documentElement.classList.contains("scroll-locked")).toBe(false);
});
