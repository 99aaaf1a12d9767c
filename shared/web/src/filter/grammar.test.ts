import { describe, expect, test } from "vitest";
import { compileFilter, formatTerms, hasTerm, parseTerms, toggleTerm, type FilterSchema } from "./grammar";

interface Thing {
  state: string;
  room: string;
  battery?: number;
  tags: string[];
  name: string;
}

const schema: FilterSchema<Thing> = {
  fields: {
    state: { kind: "text", read: (t) => t.state },
    room: { kind: "text", read: (t) => t.room },
    battery: { kind: "number", read: (t) => t.battery },
    tag: { kind: "text", read: (t) => t.tags },
  },
  text: (t) => [t.name, t.room],
};
const things: Thing[] = [
  { state: "ready", room: "cabin-101", battery: 85, tags: [], name: "Bedside button" },
  { state: "lost", room: "cabin-102", battery: 9, tags: ["spare"], name: "Wall button" },
  { state: "late", room: "bridge", tags: ["spare", "new"], name: "Two words" },
  { state: "ready", room: "cabin-1", battery: 0, tags: [], name: "c" },
];
const found = (filter: string) => things.flatMap((t, i) => (compileFilter(schema, filter).matches(t) ? [i] : []));

describe("compileFilter", () => {
  test.each([
    ["", [0, 1, 2, 3]],
    ["state:lost", [1]],
    ["state:lost,late", [1, 2]],
    ["state:READY", [0, 3]],
    ["room:cabin-1*", [0, 1, 3]],
    ["room:*10*", [0, 1]],
    ["battery:<20", [1, 3]],
    ["battery:<=9", [1, 3]],
    ["battery:>=85", [0]],
    ["battery:0", [3]],
    ["battery:85%", [0]],
    ["-tag:spare", [0, 3]],
    ["tag:spare -state:lost", [2]],
    ["button", [0, 1]],
    ['"two words"', [2]],
    ["-button", [2, 3]],
    ["state:ready battery:<20", [3]],
    ["state:ready state:lost", []],
    ["room:cabin.101", []],
  ])("%j finds %j", (filter, expected) => expect(found(filter)).toEqual(expected));

  test("an unknown battery matches no comparison, but its negation", () => {
    expect(found("battery:>0 ")).not.toContain(2);
    expect(found("-battery:>0")).toContain(2);
  });

  test("names what is wrong and goes on with the rest", () => {
    const filter = compileFilter(schema, "stat:lost room: battery:low state:lost");
    expect(filter.faults).toEqual([
      { kind: "unknown", word: "stat" },
      { kind: "value", word: "room" },
      { kind: "number", word: "battery" },
    ]);
    expect(things.filter(filter.matches)).toEqual([things[1]]);
  });

  test("takes unfinished input while somebody types", () => {
    for (const input of ["-", '"', "state:", "state:lo", 'room:"ca', "a-", "battery:<"]) {
      expect(() => compileFilter(schema, input)).not.toThrow();
    }
  });

  test("is not fooled by names that every object has", () => {
    expect(compileFilter(schema, "constructor:x").faults).toEqual([{ kind: "unknown", word: "constructor" }]);
  });
});

describe("chips", () => {
  test("add to the alternatives of a field and take away again", () => {
    let filter = toggleTerm("word", "state", "lost");
    expect(filter).toBe("word state:lost");
    filter = toggleTerm(filter, "state", "late");
    expect(filter).toBe("word state:lost,late");
    expect(hasTerm(filter, "state", "late")).toBe(true);
    filter = toggleTerm(filter, "state", "lost");
    expect(filter).toBe("word state:late");
    expect(toggleTerm(filter, "state", "late")).toBe("word");
  });

  test("leave terms that they do not mean as they are", () => {
    const text = '-state:lost battery:<20 room:"a b",c* "two words"';
    expect(formatTerms(parseTerms(text))).toBe(text);
    expect(hasTerm(text, "state", "lost")).toBe(false);
  });
});
