import { expect, test } from "vitest";
import { parseClaim } from "./claim";

const claim = { version: 1, claim: "abc", expires_at: "2026-03-01T12:00:00Z", fleet_root_sha256: "ab", site_id: "yacht-1", url: "https://console.example:9443" };

test("a claim file is read, and what is none is not", () => {
  expect(parseClaim(`${JSON.stringify(claim)}\n`)).toEqual(claim);
  for (const wrong of ["", "[]", "{}", JSON.stringify({ ...claim, url: "" }), JSON.stringify({ ...claim, version: "1" })]) {
    expect(parseClaim(wrong), wrong).toBeUndefined();
  }
});
