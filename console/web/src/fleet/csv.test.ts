import { describe, expect, test } from "vitest";
import { parseSites } from "./csv";

describe("parseSites", () => {
  test("reads columns by their names, quotes, and lists of tags", () => {
    const { rows, wrong } = parseSites('\uFEFFname,site_id,tags,zone\r\n"M/Y ""Aurelia"", II",yacht-2,"charter; med",Europe/Paris\r\n\r\n,hotel-7,,\r\n');
    expect(wrong).toEqual([]);
    expect(rows.map((r) => r.site)).toEqual([
      { site_id: "yacht-2", name: 'M/Y "Aurelia", II', tags: ["charter", "med"], zone: "Europe/Paris" }, { site_id: "hotel-7", name: "hotel-7" },
    ]);
  });
  test("names the line of what is wrong and takes the rest", () => {
    const { rows, wrong } = parseSites("site_id,link_profile\na,economy\nb c,\na,\nd,fast\ne,");
    expect(rows.map((r) => r.site.site_id)).toEqual(["a", "e"]);
    expect(wrong).toEqual([{ line: 3, what: "id" }, { line: 4, what: "twice" }, { line: 5, what: "profile" }]);
  });
  test("a file without ids is none", () => expect(parseSites("name\nAurelia").wrong).toEqual([{ line: 1, what: "header" }]));
});
