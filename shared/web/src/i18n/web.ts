import type { Texts } from "./catalogue";
import { de } from "./de";
import { en } from "./en";

export type WebMessages = typeof en;

/** The shared components' sentences. */
export const web: Texts<WebMessages> = { en, de };
