import { Link, useRouterState } from "@tanstack/react-router";
import { useT } from "../context";
import { security } from "../messages/security";
import type { AclSearch } from "../router";

type Place = "overview" | "certificates" | NonNullable<AclSearch["tab"]>;

const look =
  "-mb-px inline-flex min-h-control shrink-0 items-center border-b-2 border-transparent px-3 text-sm text-fg-muted -outline-offset-2! hover:text-fg aria-[current=page]:border-accent aria-[current=page]:font-medium aria-[current=page]:text-fg";

/** Which of the pages an address is. A document that is open is in its list. */
export function placeOf(path: string, search: AclSearch): Place {
  if (path.startsWith("/mqtt/security/certificates")) return "certificates";
  if (!path.startsWith("/mqtt/security/acl")) return "overview";
  if (search.profile !== undefined || search.add === "profile") return "profiles";
  if (search.acl !== undefined || search.add !== undefined) return "rules";
  return search.tab ?? "profiles";
}

/** The pages about the site's security, side by side. */
export function SecurityNav() {
  const t = useT(security);
  const at = useRouterState({ select: (s) => placeOf(s.location.pathname, s.location.search as AclSearch) });
  const current = (place: Place) => (at === place ? ("page" as const) : undefined);
  return (
    <nav aria-label={t("security.title")} className="-mx-4 mb-5 flex gap-1 overflow-x-auto border-b border-line px-4 sm:mx-0 sm:px-0">
      <Link to="/mqtt/security" activeOptions={{ exact: true, includeSearch: false }} aria-current={current("overview")} className={look}>{t("security.nav.overview")}</Link>
      <Link to="/mqtt/security/certificates" aria-current={current("certificates")} className={look}>{t("security.nav.certificates")}</Link>
      {(["profiles", "rules", "test"] as const).map((tab) => (
        <Link key={tab} to="/mqtt/security/acl" search={{ tab }} aria-current={current(tab)} className={look}>{t(`acl.${tab}`)}</Link>
      ))}
    </nav>
  );
}
