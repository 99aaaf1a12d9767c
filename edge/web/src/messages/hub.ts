import type { Texts } from "@obedio/web";
import { calls } from "./calls";
import { devices } from "./devices";
import { queue } from "./queue";
import { shell } from "./shell";
import { signin } from "./signin";

const en = { ...shell.en, ...calls.en, ...devices.en, ...signin.en, ...queue.en };

export type HubMessages = typeof en;

/** The sentences of the first load. The other areas come with their pages. */
export const hub: Texts<HubMessages> = { en, de: { ...shell.de, ...calls.de, ...devices.de, ...signin.de, ...queue.de } };
