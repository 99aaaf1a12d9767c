import type { Texts } from "../i18n/catalogue";
import { de } from "./de";
import { en } from "./en";

/** What these pages say. It comes with them, after the first load. */
export const auditTexts: Texts<typeof en> = { en, de };
