/** Tones of [Hz, seconds]. */
export type Tones = readonly (readonly [number, number])[];

/** How a call sounds: tones of [Hz, seconds], and the seconds between repeats. */
interface Chime {
  tones: Tones;
  every: number;
}

export type Urgency = "normal" | "urgent" | "emergency";

const chimes: Record<Urgency, Chime> = {
  normal: { tones: [[784, 0.18], [1047, 0.3]], every: 4 },
  urgent: { tones: [[880, 0.14], [1175, 0.14], [880, 0.14], [1175, 0.24]], every: 2.5 },
  emergency: { tones: [[960, 0.28], [720, 0.28], [960, 0.28], [720, 0.28]], every: 1.4 },
};
const vibrations: Record<Urgency, number[]> = { normal: [200], urgent: [200, 100, 200], emergency: [400, 150, 400, 150, 400] };

/** "locked": the browser wants a touch before it lets a page make a sound. */
export type SoundState = "locked" | "ready" | "unsupported";

/**
 * Makes the sound of waiting calls until it is told to stop. Needs no file:
 * the tones are computed. Used from the browser's one thread.
 */
export class Ringer {
  readonly #onState: (state: SoundState) => void;
  #context: AudioContext | undefined;
  #urgency: Urgency | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(onState: (state: SoundState) => void) {
    this.#onState = onState;
  }

  /** Called from a touch or a key, because browsers allow sound only from then on. */
  async unlock(): Promise<void> {
    if (typeof AudioContext === "undefined") {
      this.#onState("unsupported");
      return;
    }
    this.#context ??= new AudioContext();
    await this.#context.resume().catch(() => {});
    this.#onState(this.#context.state === "running" ? "ready" : "locked");
  }

  /** Rings so from now on; undefined is silence. */
  ring(urgency: Urgency | undefined): void {
    if (urgency === this.#urgency) return;
    this.#urgency = urgency;
    clearTimeout(this.#timer);
    if (urgency) this.#strike(urgency);
  }

  close(): void {
    this.ring(undefined);
    void this.#context?.close().catch(() => {});
    this.#context = undefined;
  }

  #strike(urgency: Urgency): void {
    const { tones, every } = chimes[urgency];
    const context = this.#context;
    if (context?.state === "running") sound(context, tones);
    // A browser without a touch so far refuses; then there is only the sight of it.
    if (navigator.userActivation?.hasBeenActive) navigator.vibrate?.(vibrations[urgency]);
    this.#timer = setTimeout(() => this.#strike(urgency), every * 1000);
  }
}

/** Lets tones sound one after the other, from now on. */
export function sound(context: AudioContext, tones: Tones): void {
  let at = context.currentTime + 0.02;
  for (const [hz, seconds] of tones) {
    const tone = context.createOscillator();
    const volume = context.createGain();
    tone.type = "triangle";
    tone.frequency.value = hz;
    volume.gain.setValueAtTime(0.0001, at);
    volume.gain.exponentialRampToValueAtTime(0.4, at + 0.02);
    volume.gain.exponentialRampToValueAtTime(0.0001, at + seconds);
    tone.connect(volume).connect(context.destination);
    tone.start(at);
    tone.stop(at + seconds);
    at += seconds;
  }
}
