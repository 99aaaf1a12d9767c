import type { Texts } from "@obedio/web";
import { de } from "./de";
import { en } from "./en";

/** The console's sentences of the first load. */
export const consoleTexts: Texts<typeof en> = { en, de };
