import { Link } from "@tanstack/react-router";
import { useT } from "../context";

const pages = [
  ["/mqtt/security", "security.nav.overview"],
  ["/mqtt/security/certificates", "security.nav.certificates"],
  ["/mqtt/security/acl", "security.nav.rules"],
] as const;

/** The pages about the site's security, side by side. */
export function SecurityNav() {
  const t = useT();
  return (
    <nav aria-label={t("security.title")} className="-mx-4 mb-5 flex gap-1 overflow-x-auto border-b border-line px-4 sm:mx-0 sm:px-0">
      {pages.map(([to, label]) => (
        <Link
          key={to}
          to={to}
          activeOptions={{ exact: to === "/mqtt/security", includeSearch: false }}
          className="-mb-px inline-flex min-h-control shrink-0 items-center border-b-2 border-transparent px-3 text-sm text-fg-muted -outline-offset-2! hover:text-fg aria-[current=page]:border-accent aria-[current=page]:font-medium aria-[current=page]:text-fg"
        >
          {t(label)}
        </Link>
      ))}
    </nav>
  );
}
