/** A picture's pixels, as a canvas gives them. */
export type Picture = Pick<ImageData, "data" | "width" | "height">;

/** Tells the codes in sight of a camera. */
type Reader = (video: HTMLVideoElement) => Promise<readonly string[]>;

/** The browser's own reader of codes, where it has one (not yet in TypeScript's library). */
interface Detector {
  detect: (source: HTMLVideoElement) => Promise<readonly { rawValue: string }[]>;
}
type DetectorClass = new (options: { formats: readonly string[] }) => Detector;

/** Whether this browser can scan here: it needs a camera, and that needs HTTPS. */
export function canScan(): boolean {
  return typeof navigator.mediaDevices?.getUserMedia === "function";
}

/** Milliseconds between looks: quick enough for a hand, and easy on the battery. */
const lookEvery = 200;
/** The longer side of the picture that is looked at: enough for a label that fills a third of it. */
const longSide = 800;

/**
 * Shows the rear camera in `video` and tells each code in sight until the
 * signal aborts. Rejects when there is no camera, or it may not be used.
 */
export async function scan(video: HTMLVideoElement, onText: (text: string) => void, signal: AbortSignal): Promise<void> {
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
  const read = nativeReader() ?? (await ownReader());
  while (!signal.aborted) {
    const found = await read(video).catch(() => []);
    for (const text of signal.aborted ? [] : found) onText(text);
    await new Promise((r) => setTimeout(r, lookEvery));
  }
}

function nativeReader(): Reader | undefined {
  const { BarcodeDetector } = globalThis as { BarcodeDetector?: DetectorClass };
  if (!BarcodeDetector) return undefined;
  try {
    const detector = new BarcodeDetector({ formats: ["qr_code", "data_matrix"] });
    return async (video) => (await detector.detect(video)).map((code) => code.rawValue);
  } catch {
    // It is there by name only, as on desktops without a service for it.
    return undefined;
  }
}

/** The reader that comes with the page, for Safari, Firefox and desktops. It is fetched when somebody scans. */
async function ownReader(): Promise<Reader> {
  const codes = await codeReader();
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  if (!context) throw new Error("no canvas");
  return async (video) => {
    const { videoWidth, videoHeight } = video;
    if (videoWidth === 0) return [];
    const scale = Math.min(1, longSide / Math.max(videoWidth, videoHeight));
    canvas.width = Math.round(videoWidth * scale);
    canvas.height = Math.round(videoHeight * scale);
    context.drawImage(video, 0, 0, canvas.width, canvas.height);
    return codes(context.getImageData(0, 0, canvas.width, canvas.height));
  };
}

/** Reads the QR code in a picture. */
export async function codeReader(): Promise<(picture: Picture) => string[]> {
  const { decodeQR } = await import("qr/decode.js");
  return ({ data, width, height }) => {
    try {
      return [decodeQR({ data, width, height }, { timeLimit: lookEvery / 2 })];
    } catch {
      // Most pictures have none.
      return [];
    }
  };
}
