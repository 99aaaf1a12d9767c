import { useCallback, useSyncExternalStore } from "react";
import { useHub } from "../context";

/** Whether a call of this device is open; renders again only when that changes. */
export function useIsCalling(deviceId: string): boolean {
  const { requests } = useHub();
  const read = useCallback(() => {
    for (const r of requests.values()) {
      if (r.device_id === deviceId && r.state === "open") return true;
    }
    return false;
  }, [requests, deviceId]);
  return useSyncExternalStore(requests.subscribe, read);
}
