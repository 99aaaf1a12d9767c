/** What both user interfaces know of alerts. */
export * from "./kinds";
export * from "./looks";
