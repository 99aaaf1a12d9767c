/** The console gives its reasons as sentences; here they begin with a capital. */
export function reasonText(reason: string): string {
  return reason.charAt(0).toUpperCase() + reason.slice(1);
}
