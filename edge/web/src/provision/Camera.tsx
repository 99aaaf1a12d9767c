import { useEffect, useRef } from "react";
import { useT } from "../context";
import { provision } from "../messages/provision";
import { scan } from "./scanner";

/** The camera's picture, read until it has gone from the page. */
export function Camera({ onText, onFailed }: { onText: (text: string) => void; onFailed: () => void }) {
  const t = useT(provision);
  const video = useRef<HTMLVideoElement>(null);
  const told = useRef({ onText, onFailed });
  useEffect(() => {
    told.current = { onText, onFailed };
  });
  useEffect(() => {
    const ending = new AbortController();
    scan(video.current!, (text) => told.current.onText(text), ending.signal).catch(() => {
      if (!ending.signal.aborted) told.current.onFailed();
    });
    return () => ending.abort();
  }, []);
  return (
    <div className="relative overflow-hidden rounded-card border border-line bg-ink-950">
      {/* A live picture has no words to write down. */}
      {/* oxlint-disable-next-line jsx-a11y/media-has-caption */}
      <video ref={video} muted playsInline aria-label={t("label.picture")} className="aspect-square w-full object-cover" />
      <div aria-hidden className="pointer-events-none absolute inset-[18%] rounded-card border-2 border-accent-fg" />
    </div>
  );
}
