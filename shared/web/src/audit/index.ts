/** An audit with its chain mark, filters and export, for both programs. It comes after the first load. */
export { Audit } from "./audit";
export { AuditView, type AuditViewProps } from "./AuditView";
export { ChainMark } from "./ChainMark";
export { auditFilterOf, isFiltered } from "./query";
export { auditTexts } from "./texts";
export type * from "./types";
