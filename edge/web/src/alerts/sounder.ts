import { sound, type Tones } from "../calls/ringer";
import type { AlertSound } from "./alert";

/** Lower than calls, so that nobody takes one for the other: tones of [Hz, seconds]. */
const tonesOf: Record<AlertSound, Tones> = {
  chime: [[523, 0.16], [392, 0.32]],
  alarm: [[440, 0.22], [330, 0.22], [440, 0.22], [330, 0.22]],
};

/** Milliseconds between two soundings of an alarm. */
const alarmEvery = 6000;

/**
 * Makes the sounds of alerts: a chime once, an alarm again and again. Silent
 * until the page was touched, because browsers want that.
 */
export class Sounder {
  #context: AudioContext | undefined;
  #timer: ReturnType<typeof setInterval> | undefined;

  unlock = (): void => {
    if (typeof AudioContext === "undefined") return;
    this.#context ??= new AudioContext();
    void this.#context.resume().catch(() => {});
  };

  chime(): void {
    this.#play("chime");
  }

  /** Sounds from now on, or not any more. */
  alarm(on: boolean): void {
    if (on === (this.#timer !== undefined)) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    if (!on) return;
    this.#play("alarm");
    this.#timer = setInterval(() => this.#play("alarm"), alarmEvery);
  }

  close(): void {
    this.alarm(false);
    void this.#context?.close().catch(() => {});
    this.#context = undefined;
  }

  #play(what: AlertSound): void {
    if (this.#context?.state === "running") sound(this.#context, tonesOf[what]);
  }
}
