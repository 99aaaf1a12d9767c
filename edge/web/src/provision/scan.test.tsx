import { fireEvent, screen, waitFor } from "@testing-library/react";
import { afterEach, describe, expect, test, vi } from "vitest";
import { renderInHub } from "../testing";
import { ScanLabel } from "./ScanLabel";

const hash = "ab".repeat(32);

afterEach(() => {
  vi.unstubAllGlobals();
  document.documentElement.classList.remove("scroll-locked");
});

function withCamera(codes: string[]): { stopped: () => number } {
  let stopped = 0;
  vi.stubGlobal("BarcodeDetector", class {
    detect = async () => codes.splice(0, 1).map((rawValue) => ({ rawValue }));
  });
  const stream = { getTracks: () => [{ stop: () => stopped++ }] };
  vi.stubGlobal("navigator", { ...navigator, mediaDevices: { getUserMedia: async () => stream } });
  vi.spyOn(HTMLMediaElement.prototype, "play").mockResolvedValue();
  Object.defineProperty(HTMLVideoElement.prototype, "srcObject", { configurable: true, set() {} });
  return { stopped: () => stopped };
}

describe("ScanLabel", () => {
  test("fills in what the camera reads, passes over other codes, and lets the camera go", async () => {
    const { stopped } = withCamera(["https://example.test", JSON.stringify({ hardware_id: "OB-1", key_hash: hash })]);
    const use = vi.fn<() => Promise<void>>(async () => {});
    renderInHub(<ScanLabel open onOpenChange={() => {}} onLabel={use} />);
    await waitFor(() => expect((screen.getByLabelText("Hardware id") as HTMLInputElement).value).toBe("OB-1"));
    await waitFor(() => expect(stopped()).toBeGreaterThan(0));
    fireEvent.click(screen.getByRole("button", { name: "Let it in" }));
    await waitFor(() => expect(use).toHaveBeenCalledWith({ hardwareId: "OB-1", keyHash: hash }));
  });

  test("takes what is typed where there is no camera to be used", async () => {
    const use = vi.fn<() => Promise<void>>(async () => {});
    renderInHub(<ScanLabel open onOpenChange={() => {}} onLabel={use} />);
    expect(screen.getByText(/cannot be used here/)).toBeTruthy();
    fireEvent.change(screen.getByLabelText("Hardware id"), { target: { value: "OB-2" } });
    fireEvent.click(screen.getByRole("button", { name: "Let it in" }));
    expect(screen.getByText(/has 64 digits/)).toBeTruthy();
    expect(use).not.toHaveBeenCalled();
    fireEvent.change(screen.getByLabelText("Key hash"), { target: { value: hash.toUpperCase() } });
    fireEvent.click(screen.getByRole("button", { name: "Let it in" }));
    await waitFor(() => expect(use).toHaveBeenCalledWith({ hardwareId: "OB-2", keyHash: hash }));
  });
});
