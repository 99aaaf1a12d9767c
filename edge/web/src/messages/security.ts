import type { Texts } from "@obedio/web";
import { de } from "./security.de";
import { en } from "./security.en";

/** Certificates, rules, denials. */
export const security: Texts<typeof en> = { en, de };
