// Helpers for the tests of all three workspaces; not part of any build.
import { cleanup, render } from "@testing-library/react";
import type { ReactNode } from "react";
import { afterEach } from "vitest";
import type { Messages } from "./i18n/catalogue";
import { LanguageProvider } from "./i18n/context";
import { Clock } from "./time/clock";
import { ClockProvider } from "./time/hooks";
import { ToastProvider } from "./ui/Toasts";

afterEach(cleanup);

const noMessages: Messages = {};

/** Renders in English with language, clock and toasts around it, in UTC. */
export function renderWithin(node: ReactNode, options: { clock?: Clock; messages?: Messages } = {}) {
  const messages = options.messages ?? noMessages;
  const texts = { en: messages, de: messages };
  const wrap = (inner: ReactNode) => (
    <LanguageProvider language="en" timeZone="UTC" texts={texts}>
      <ClockProvider clock={options.clock ?? new Clock()}>
        <ToastProvider>{inner}</ToastProvider>
      </ClockProvider>
    </LanguageProvider>
  );
  const result = render(wrap(node));
  return { ...result, rerender: (next: ReactNode) => result.rerender(wrap(next)) };
}

/** A JSON answer, as our programs give it. */
export function jsonResponse(body: unknown, init: ResponseInit & { type?: string } = {}): Response {
  const { type = "application/json", ...rest } = init;
  return new Response(JSON.stringify(body), { ...rest, headers: { "Content-Type": type, ...rest.headers } });
}

/** A text/event-stream whose frames the test writes. */
export class FakeStream {
  readonly response: Response;
  #controller!: ReadableStreamDefaultController<Uint8Array>;

  constructor() {
    const body = new ReadableStream<Uint8Array>({ start: (controller) => void (this.#controller = controller) });
    this.response = new Response(body, { headers: { "Content-Type": "text/event-stream" } });
  }

  write(text: string): void {
    this.#controller.enqueue(new TextEncoder().encode(text));
  }

  event(name: string, data: unknown, id: string): void {
    this.write(`event: ${name}\ndata: ${JSON.stringify(data)}\nid: ${id}\n\n`);
  }

  /** The line is cut. */
  cut(): void {
    this.#controller.error(new TypeError("network"));
  }
}
