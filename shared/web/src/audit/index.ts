/** An audit with its chain mark, filters and export, for both programs. It comes after the first load. */
export { Audit } from "./audit";
export { AuditView, type AuditViewProps } from "./AuditView";
export { ChainMark } from "./ChainMark";
export { en as auditEnglish, type AuditMessages, type AuditTranslation } from "./en";
export { auditFilterOf, isFiltered } from "./query";
export type * from "./types";
