import { useSyncExternalStore } from "react";

/** Whether this page opens without the hub and can be installed, or why not. */
export type WorkerState =
  | "starting"
  /** The page opens without the hub. */
  | "ready"
  /** Plain HTTP: no browser allows it. */
  | "plain"
  /** The browser does not trust the certificate; a warning that was clicked away does not help. */
  | "untrusted"
  /** The browser has none, or has them switched off. */
  | "none"
  | "failed";

/** The browser's offer to install the page as an app. */
interface InstallPrompt extends Event {
  prompt(): Promise<unknown>;
}

let state: WorkerState = "starting";
let offer: InstallPrompt | undefined;
const readers = new Set<() => void>();

function change(next: WorkerState): void {
  state = next;
  for (const reader of readers) reader();
}

/** Registers the worker; called once, when the page has its first render behind it. */
export async function registerWorker(): Promise<void> {
  addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault();
    offer = event as InstallPrompt;
    for (const reader of readers) reader();
  });
  addEventListener("appinstalled", () => {
    offer = undefined;
    for (const reader of readers) reader();
  });
  change(await register());
}

async function register(): Promise<WorkerState> {
  if (!isSecureContext) return "plain";
  if (!("serviceWorker" in navigator)) return "none";
  try {
    await navigator.serviceWorker.register("/sw.js");
    return "ready";
  } catch (error) {
    // The browser says so for a certificate that it does not trust, and only then here.
    return error instanceof DOMException && error.name === "SecurityError" ? "untrusted" : "failed";
  }
}

const subscribe = (reader: () => void) => {
  readers.add(reader);
  return () => readers.delete(reader);
};

export function useWorkerState(): WorkerState {
  return useSyncExternalStore(subscribe, () => state);
}

/** Asks the person to install the app; undefined when the browser does not offer it. */
export function useInstall(): (() => void) | undefined {
  const held = useSyncExternalStore(subscribe, () => offer);
  return (
    held &&
    (() => {
      offer = undefined;
      void held.prompt().catch(() => {});
      for (const reader of readers) reader();
    })
  );
}

/** Whether the page runs as an app of its own already. */
export const isInstalled = (): boolean => matchMedia("(display-mode: standalone)").matches;
