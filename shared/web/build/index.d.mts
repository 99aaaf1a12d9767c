import type { UserConfig } from "vite";

/** The Vite settings both user interfaces share; see index.mjs. */
export function userInterface(options: { proxy: string; port: number; firstLoadLimit: number; worker?: string; program?: string }): UserConfig;
