import type { Alert } from "../api/resources";
import { useT } from "../context";
import { alerts } from "../messages/alerts";

type Texts = (typeof alerts)["en"];

/** What an alert is about that is about no room or device. */
export const everywhere = "site";

/** What alerts are called and what is to be done. One that this page does not know is told in the hub's words. */
export function useAlertWords(): { title: (a: Pick<Alert, "kind" | "title">) => string; action: (a: Pick<Alert, "kind" | "action">) => string; where: (a: Alert) => string | undefined } {
  const t = useT(alerts);
  const known = (key: string): string | undefined => (key in alerts.en ? (t as (key: string) => string)(key as keyof Texts & string) : undefined);
  return {
    title: (a) => known(`alerts.kind.${a.kind}`) ?? a.title ?? a.kind,
    action: (a) => known(`alerts.do.${a.kind}`) ?? a.action ?? "",
    where: (a) => (a.subject === everywhere ? undefined : (a.room_name ?? a.room ?? a.subject)),
  };
}
