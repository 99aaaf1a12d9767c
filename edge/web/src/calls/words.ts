import type { CallRequest, Duty, Serving } from "../api/resources";
import { useT } from "../context";

/** Who is told, from the fewest to the most. */
export const recipients = ["duty", "backup", "lead", "all"] as const;
export type Recipients = (typeof recipients)[number];

/** How an escalation went: the first entry was told first. `undefined` stands for steps that are not known. */
export function chainOf({ level, told_to }: Pick<CallRequest, "level" | "told_to">): (Recipients | undefined)[] {
  const at = recipients.indexOf(told_to as Recipients);
  if (at < 0) return [];
  if (level === 0) return [recipients[at]];
  // A policy may leave steps out; then only the last is certain.
  return level === at ? recipients.slice(0, at + 1) : [undefined, recipients[at]];
}

const reasons = ["not connected", "not subscribed", "does not answer", "no answer yet", "wears no watch", "declined"] as const;

/** Why somebody could not be told, in words; what the hub says that this page does not know stays as it is. */
export function useWhy(): (why: string) => string {
  const t = useT();
  return (why) => {
    const known = reasons.find((r) => r === why.replaceAll("_", " "));
    return known ? t(`calls.why.${known}`) : why;
  };
}

/** The member of the crew that a user is. */
export function personOf(duty: Duty | undefined, userId: string): Serving | undefined {
  return duty?.crew.find((p) => p.user_id === userId);
}

/** What somebody wants: the service, or just that somebody comes. */
export function useKind(): (request: Pick<CallRequest, "kind" | "kind_label">) => string {
  const t = useT();
  return (request) => request.kind_label || request.kind || t("calls.plain");
}
