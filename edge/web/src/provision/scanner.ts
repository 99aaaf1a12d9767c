/** The browser's own reader of codes, where it has one (not yet in TypeScript's library). */
interface Detector {
  detect: (source: HTMLVideoElement) => Promise<readonly { rawValue: string }[]>;
}
type DetectorClass = new (options: { formats: readonly string[] }) => Detector;

function detectorClass(): DetectorClass | undefined {
  return (globalThis as { BarcodeDetector?: DetectorClass }).BarcodeDetector;
}

/** Whether this browser can scan here: it needs a detector and a camera, and both need HTTPS. */
export function canScan(): boolean {
  return detectorClass() !== undefined && typeof navigator.mediaDevices?.getUserMedia === "function";
}

/** Milliseconds between looks: quick enough for a hand, and easy on the battery. */
const lookEvery = 200;

/**
 * Shows the rear camera in `video` and tells each code in sight until the
 * signal aborts. Rejects when there is no camera, or it may not be used.
 */
export async function scan(video: HTMLVideoElement, onText: (text: string) => void, signal: AbortSignal): Promise<void> {
  const Detector = detectorClass();
  if (!Detector) throw new Error("no detector");
  const detector = new Detector({ formats: ["qr_code", "data_matrix"] });
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  const stop = () => {
    for (const track of stream.getTracks()) track.stop();
  };
  if (signal.aborted) {
    stop();
    return;
  }
  signal.addEventListener("abort", stop, { once: true });
  video.srcObject = stream;
  await video.play().catch(() => {});
  while (!signal.aborted) {
    const found = await detector.detect(video).catch(() => []);
    for (const { rawValue } of signal.aborted ? [] : found) onText(rawValue);
    await new Promise((r) => setTimeout(r, lookEvery));
  }
}
