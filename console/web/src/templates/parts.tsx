import { Mark, classes, type Tone } from "@obedio/web";
import { CircleCheck, CircleDashed, CircleX, Clock3, GitCompareArrows, UserPen, type LucideIcon } from "lucide-react";
import type { Standing } from "../api/resources";
import { useT } from "../context";
import { templates as texts } from "../messages/templates";
import { linesOf, pretty } from "./diff";

const looks: Record<Standing, { icon: LucideIcon; tone: Tone }> = {
  in_sync: { icon: CircleCheck, tone: "ok" },
  pending: { icon: Clock3, tone: "accent" },
  refused: { icon: CircleX, tone: "bad" },
  overridden: { icon: UserPen, tone: "warn" },
  differs: { icon: GitCompareArrows, tone: "warn" },
  unmanaged: { icon: CircleDashed, tone: "idle" },
};

/** Where a document or a site stands between what is wanted and what the hub has. */
export function StandingMark({ standing }: { standing: Standing }) {
  const t = useT(texts);
  const look = looks[standing];
  return <Mark tone={look.tone} icon={look.icon}>{t(`tpl.standing.${standing}`)}</Mark>;
}

/** What a kind of documents is called; one that this page does not know has its own name. */
export function useKindWord(): (kind: string) => string {
  const t = useT(texts);
  return (kind) => (`tpl.kind.${kind}` in texts.en ? t(`tpl.kind.${kind}` as "tpl.kind.acl") : kind);
}

/** Two bodies line by line: what is gone and what is new. */
export function Diff({ before, after, label }: { before: unknown; after: unknown; label: string }) {
  const lines = linesOf(pretty(before), pretty(after));
  return (
    <div role="group" aria-label={label} className="overflow-x-auto rounded-control border border-line bg-ink-900 py-2 font-mono text-xs">
      {lines.map((line, i) => (
        // oxlint-disable-next-line react/no-array-index-key -- lines have no names, and never move
        <div key={i} className={classes("flex min-w-max px-3 whitespace-pre", line.kind === "added" && "bg-ok-soft text-ok", line.kind === "removed" && "bg-bad-soft text-bad", line.kind === "same" && "text-fg-muted")}>
          <span className="w-4 shrink-0 select-none">{{ same: " ", added: "+", removed: "−" }[line.kind]}</span>
          {line.text}
        </div>
      ))}
    </div>
  );
}
