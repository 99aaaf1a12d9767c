import { expect, test } from "vitest";
import { sentencesIn } from "./sentences.mjs";

test("a sentence in a component is found, however it is written", () => {
  const found = sentencesIn("a.tsx", `
    const a = <p>Plain words</p>;
    const b = <p>{"In braces"}</p>;
    const c = <p>{open ? "Close it" : t("open")}</p>;
    const d = <p>{n && \`\${n} devices\`}</p>;
    const e = <input aria-label="Read out" placeholder={"Shown"} />;
    const f = <Field label={first ? "Name" : t("name")} />;
    const g = <p>{"About " + name}</p>;
  `);
  expect(found).toEqual(["2: Plain words", "3: In braces", "4: Close it", "5: devices", "6: Read out", "6: Shown", "7: Name", "8: About"]);
});

test("classes, keys, values and signs are none", () => {
  expect(sentencesIn("a.tsx", `
    const a = <p className="flex gap-2" data-state={on ? "on" : "off"}>{t("calls.title")} · {\`×\${n}\`} {state === "open" && <b>{n}</b>}</p>;
    const b = <Link to="/mqtt/devices" title="">{name}</Link>;
  `)).toEqual([]);
});
