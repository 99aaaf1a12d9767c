import type { Span } from "../time/span";

const short: Record<Span["unit"], string> = { s: "s", min: "min", h: "h", d: "d", wk: "wk" };
const kurz: Record<Span["unit"], string> = { s: "s", min: "min", h: "h", d: "T", wk: "Wo" };

/** A span of time as it is written in each language: "3 min", "2 d". */
export const spanIn = {
  en: (span: Span) => `${span.count} ${short[span.unit]}`,
  de: (span: Span) => `${span.count} ${kurz[span.unit]}`,
};
