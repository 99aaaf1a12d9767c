import { jsonResponse } from "@obedio/web/testing";
import { act, fireEvent, screen, waitFor } from "@testing-library/react";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { beforeEach, describe, expect, test, vi } from "vitest";
import { renderInHub } from "../testing";
import { useEditor } from "./useEditor";

interface View {
  name: string;
  etag: string;
}

const asked: { method: string; ifMatch: string | undefined; body: unknown }[] = [];
let held: View;

beforeEach(() => {
  asked.length = 0;
  held = { name: "one", etag: '"v1"' };
  vi.stubGlobal("fetch", async (_: string, init: RequestInit) => {
    const headers = init.headers as Record<string, string>;
    if (init.method === "GET") return jsonResponse(held);
    const body = JSON.parse(String(init.body)) as { name: string };
    asked.push({ method: init.method!, ifMatch: headers["If-Match"], body });
    if (headers["If-Match"] !== held.etag) return jsonResponse({ title: "Precondition failed" }, { status: 412 });
    held = { name: body.name, etag: '"v3"' };
    return jsonResponse(held);
  });
});

function Form() {
  const editor = useEditor<View, { name: string }>({
    path: "/things", id: "a", blank: { name: "" }, draftOf: ({ name }) => ({ name }), bodyOf: (d) => d, newBodyOf: (d) => d,
  });
  if (!editor.draft) return null;
  return (
    <>
      <input aria-label="name" value={editor.draft.name} onChange={(e) => editor.set({ name: e.target.value })} />
      <output>{`${editor.dirty ? "dirty" : "clean"} ${editor.theirs?.name ?? "-"}`}</output>
      <button onClick={() => void editor.save()}>save</button>
      <button onClick={() => void editor.overwrite()}>overwrite</button>
      <button onClick={editor.takeTheirs}>take</button>
    </>
  );
}

async function edit() {
  renderInHub(<QueryClientProvider client={new QueryClient()}><Form /></QueryClientProvider>);
  const name = await screen.findByLabelText("name");
  fireEvent.change(name, { target: { value: "mine" } });
  expect(screen.getByRole("status").textContent).toBe("dirty -");
}

const click = (name: string) => act(async () => void fireEvent.click(screen.getByText(name)));
const says = (text: string) => waitFor(() => expect(screen.getByRole("status").textContent).toBe(text));

describe("useEditor", () => {
  test("saves under the ETag that was read", async () => {
    await edit();
    await click("save");
    await says("clean -");
    expect(asked).toEqual([{ method: "PUT", ifMatch: '"v1"', body: { name: "mine" } }]);
  });

  test("shows what somebody else has saved meanwhile, and writes over it only when told to", async () => {
    await edit();
    held = { name: "theirs", etag: '"v2"' };
    await click("save");
    await says("dirty theirs");
    await click("overwrite");
    await says("clean -");
    expect(asked.map((a) => a.ifMatch)).toEqual(['"v1"', '"v2"']);
    expect(held.name).toBe("mine");
  });

  test("gives the draft up for theirs", async () => {
    await edit();
    held = { name: "theirs", etag: '"v2"' };
    await click("save");
    await says("dirty theirs");
    await click("take");
    await says("clean -");
    expect((screen.getByLabelText("name") as HTMLInputElement).value).toBe("theirs");
  });
});
