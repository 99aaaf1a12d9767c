import { Check, Minus } from "lucide-react";
import { classes } from "../ui/classes";
import { useRightName, useRoleSummary } from "./parts";
import { usePeopleT, useRole, useRoles } from "./program";
import { allRights, groupRights } from "./rights";

/** Rights in words and in groups: what may be done, and what may not. */
export function RightsList({ may, all }: { may: readonly string[]; all: readonly string[] }) {
  const t = usePeopleT();
  const rightName = useRightName();
  const has = new Set(may);
  return (
    <div className="grid gap-x-8 gap-y-5 [grid-template-columns:repeat(auto-fill,minmax(min(100%,17rem),1fr))]" data-testid="rights">
      {groupRights(all).map(({ group, rights }) => (
        <section key={group} aria-label={t(`group.${group}`)}>
          <h3 className="text-xs text-fg-dim">{t(`group.${group}`)}</h3>
          <ul className="mt-1.5 flex flex-col gap-1.5">
            {rights.map((right) => {
              const yes = has.has(right);
              const Icon = yes ? Check : Minus;
              return (
                <li key={right} data-right={right} data-may={yes} className={classes("flex items-start gap-2 text-sm", !yes && "text-fg-dim")}>
                  <Icon aria-hidden className={classes("mt-0.5 size-4.5 shrink-0", yes ? "text-ok" : "text-fg-dim")} />
                  <span><span className="sr-only">{yes ? t("access.may") : t("access.mayNot")} </span>{rightName(right)}</span>
                </li>
              );
            })}
          </ul>
        </section>
      ))}
    </div>
  );
}

export interface EffectiveAccessProps {
  role: string;
  sites?: readonly string[] | undefined;
  /** The only rights of the role; all of them when absent. */
  scopes?: readonly string[] | undefined;
}

/** What somebody with these rights can really do. */
export function EffectiveAccess({ role: name, sites, scopes }: EffectiveAccessProps) {
  const t = usePeopleT();
  const role = useRole(name);
  const roles = useRoles();
  const summary = useRoleSummary()(name);
  const rights = role?.permissions ?? [];
  const may = scopes ? rights.filter((r) => scopes.includes(r)) : rights;
  return (
    <div className="rounded-control border border-line bg-ink-900 px-4 py-3 text-sm" data-testid="effective-access">
      <p className="text-xs text-fg-dim">{t("access.effective")}</p>
      <p className="mt-1">
        {scopes ? t("access.narrowed", { n: may.length, of: rights.length }) : summary}
        {role?.by_site && <> {sites?.includes("*") ? t("access.onAll") : sites?.length ? t("access.onSites", { n: sites.length }) : t("access.onNone")}</>}
      </p>
      {role && (
        <details className="mt-2">
          <summary className="min-h-6 w-fit cursor-pointer rounded-md text-accent-fg">{t("access.all", { n: rights.length })}</summary>
          <div className="pt-3"><RightsList may={may} all={allRights(roles)} /></div>
        </details>
      )}
    </div>
  );
}
