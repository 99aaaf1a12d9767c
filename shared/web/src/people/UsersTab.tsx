import { ChevronRight, UserPlus } from "lucide-react";
import { useMemo, useState } from "react";
import { compileFilter, type FilterSchema } from "../filter/grammar";
import { useFormats } from "../i18n/context";
import { useSortedKeys, useStatus } from "../live/hooks";
import { Button } from "../ui/Button";
import { DataView } from "../ui/DataView";
import { FilterBox } from "../ui/FilterBox";
import { Skeletons } from "../ui/Skeleton";
import { viewStateOf } from "../ui/view-state";
import { RecordList, RolePill, UserState, hostOf, useSitesText, type RecordColumn } from "./parts";
import { AddPerson, PersonDialog } from "./PersonForm";
import { useCanWrite, useMay, usePeople, usePeopleT, useProgram, useRoles } from "./program";
import type { User } from "./types";

const schema: FilterSchema<User> = {
  fields: {
    role: { kind: "text", read: (u) => u.role },
    state: { kind: "text", read: (u) => (u.disabled ? "disabled" : "active") },
    site: { kind: "text", read: (u) => u.sites },
    pin: { kind: "text", read: (u) => (u.has_pin ? "yes" : "no") },
  },
  text: (u) => [u.name, u.username],
};
const filterWords = Object.keys(schema.fields);

export function UsersTab() {
  const t = usePeopleT();
  const people = usePeople();
  const { reach, retry, session, kind } = useProgram();
  const { collator } = useFormats();
  const canWrite = useCanWrite();
  const mayWrite = useMay("users.write");
  const sitesText = useSitesText();
  const bySite = useRoles().some((r) => r.by_site);
  const [text, setText] = useState("");
  const [adding, setAdding] = useState(false);
  const [open, setOpen] = useState<string>();
  const filter = useMemo(() => compileFilter(schema, text), [text]);
  const compare = useMemo(() => (a: User, b: User) => collator.compare(a.name, b.name) || collator.compare(a.username, b.username), [collator]);
  const ids = useSortedKeys(people.users, filter.matches, compare);
  const status = useStatus(people.users);
  const total = people.users.size;
  const state = viewStateOf({ status, total, shown: ids.length, reach });
  const items = ids.flatMap((id) => people.users.get(id) ?? []);
  const add = mayWrite && <Button kind="primary" icon={UserPlus} disabled={!canWrite} onClick={() => setAdding(true)}>{t("people.add")}</Button>;
  const columns: RecordColumn<User>[] = [
    {
      id: "person",
      header: t("people.col.person"),
      width: "minmax(12rem,2fr)",
      cell: (u) => (
        <>
          <span className="flex items-baseline gap-2 font-medium">
            <span className="truncate">{u.name}</span>
            {u.user_id === session.user.user_id && <span className="text-xs font-normal text-accent-fg">{t("people.you")}</span>}
          </span>
          <span className="block truncate text-xs text-fg-dim">{u.username}</span>
        </>
      ),
    },
    { id: "role", header: t("people.col.role"), width: "minmax(9rem,1fr)", cell: (u) => <RolePill role={u.role} /> },
    ...(bySite ? [{ id: "sites", header: t("people.col.sites"), width: "minmax(7rem,1fr)", cell: (u: User) => <span className={u.sites ? "" : "text-fg-dim"}>{sitesText(u.sites)}</span> }] : []),
    { id: "state", header: t("people.col.state"), width: "minmax(7rem,1fr)", cell: (u) => <UserState user={u} /> },
    {
      id: "signIn",
      header: t("people.col.signIn"),
      width: "minmax(9rem,1fr)",
      cell: (u) => (
        <span className="text-fg-muted">
          {u.issuer ? t("people.issuer", { host: hostOf(u.issuer) }) : kind === "hub" && u.has_pin ? t("people.passwordAndPin") : t("people.password")}
        </span>
      ),
    },
  ];
  return (
    <section aria-label={t("people.list")} className="rounded-card border border-line bg-ink-850">
      <header className="flex flex-wrap items-start gap-x-4 gap-y-3 border-b border-line px-4 py-3">
        <h2 className="flex min-h-control items-center gap-2 text-sm font-semibold">
          {t("people.list")}
          <span className="font-normal text-fg-muted tabular-nums" data-testid="people-count">{t("people.shown", { shown: ids.length, total })}</span>
        </h2>
        <FilterBox value={text} onChange={setText} label={t("people.filter")} placeholder={t("people.filterHint")} faults={filter.faults} words={filterWords} className="w-full max-w-md flex-1 basis-56" testId="people-filter" />
        <div className="ml-auto">{add}</div>
      </header>
      <DataView
        state={state}
        quietLink
        onRetry={() => { retry(); people.load(); }}
        onClearFilter={() => setText("")}
        empty={{ title: t("people.empty"), detail: t("people.empty.detail"), action: add }}
        skeleton={<Skeletons count={5} itemClass="h-11" className="flex flex-col gap-3 p-4" />}
      >
        <RecordList
          label={t("people.list")}
          testId="people"
          items={items}
          keyOf={(u) => u.user_id}
          columns={columns}
          attributes={(u) => ({ "data-username": u.username, "data-role": u.role })}
          action={(u) => (
            <Button kind="quiet" icon={ChevronRight} aria-label={t("people.open", { name: u.name })} className="flex-row-reverse" onClick={() => setOpen(u.user_id)}>
              {t("people.open.short")}
            </Button>
          )}
        />
      </DataView>
      <AddPerson open={adding} onClose={() => setAdding(false)} />
      <PersonDialog key={open ?? ""} id={open} onClose={() => setOpen(undefined)} />
    </section>
  );
}
