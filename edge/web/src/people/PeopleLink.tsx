import { Link } from "@tanstack/react-router";
import { ChevronRight, Users } from "lucide-react";
import { useT } from "../context";

/** The way from the menu to people, tablets and one's own account. */
export function PeopleLink({ onGo }: { onGo: () => void }) {
  const t = useT();
  return (
    <Link to="/mqtt/people" onClick={onGo} className="-mx-2 flex min-h-13 items-center gap-3 rounded-control px-2 text-base hover:bg-ink-800">
      <Users aria-hidden className="size-6 text-fg-muted" />
      <span className="min-w-0 flex-1">
        <span className="block">{t("people.title")}</span>
        <span className="block text-xs text-fg-dim">{t("people.title.detail")}</span>
      </span>
      <ChevronRight aria-hidden className="size-5 text-fg-dim" />
    </Link>
  );
}
