import { useEffect, useState } from "react";
import { useHub } from "../context";
import { LiveTraffic } from "./live";

/** The live view while the page is open. */
export function useLiveTraffic(): LiveTraffic {
  const hub = useHub();
  const [live] = useState(() => {
    const url = new URL(hub.api.url("/traffic/live"), location.href);
    url.protocol = url.protocol === "https:" ? "wss:" : "ws:";
    return new LiveTraffic({ url: url.href, batcher: hub.batcher, onRefused: () => void hub.session.restore() });
  });
  useEffect(() => live.start(), [live]);
  return live;
}
