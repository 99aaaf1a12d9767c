import { Button, DataView, Pill, Section, Skeletons, classes, useStatus, useVersion, viewStateOf, type Look } from "@obedio/web";
import { ArrowUp, Circle, Pencil, Plus, Siren } from "lucide-react";
import { useMemo, useState, type ReactNode } from "react";
import type { Escalation, PressProfile, Service, Team } from "../api/resources";
import { useReach, usePermits, useT } from "../context";
import { useServerList } from "../lists";
import { calling } from "../messages/calling";
import { presses, priorities, priorityOf, type Priority } from "./calls";
import { DrillCard } from "./DrillCard";
import { EscalationDialog, EscalationWords } from "./EscalationDialog";
import { PressDialog } from "./PressDialog";
import { ServiceDialog } from "./ServiceDialog";

const looks: Record<Priority, Look> = {
  normal: { icon: Circle, tone: "idle" },
  urgent: { icon: ArrowUp, tone: "warn" },
  emergency: { icon: Siren, tone: "bad" },
};

const byName = (p: PressProfile) => p.name;
const byKind = (s: Service) => s.kind;
const byPriority = (e: Escalation) => e.priority;
const byTeam = (t: Team) => t.team_id;

type List<T> = ReturnType<typeof useServerList<T>>;

/** All of a list, in the order of the reading. */
function useAll<T>({ list }: List<T>): T[] {
  const version = useVersion(list);
  // oxlint-disable-next-line react-hooks/exhaustive-deps -- version stands for the items
  return useMemo(() => [...list.values()], [list, version]);
}

/** What calls mean, who is told of them when, and drills. */
export function CallsTab() {
  const profiles = useServerList<PressProfile>("/press-profiles", byName, true);
  const services = useServerList<Service>("/services", byKind, true);
  const escalations = useServerList<Escalation>("/escalations", byPriority, true);
  const teams = useServerList<Team>("/teams", byTeam, true);
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-5 lg:grid-cols-2">
      <div className="flex flex-col gap-5">
        <Presses lists={profiles} services={useAll(services)} />
        <Services lists={services} teams={useAll(teams)} />
        <DrillCard />
      </div>
      <Escalations lists={escalations} />
    </div>
  );
}

interface ListCardProps<T> {
  title: string;
  note?: string;
  testId: string;
  lists: List<T>;
  add?: ReactNode;
  empty: string;
  children: ReactNode;
}

function ListCard<T>({ title, note, testId, lists, add, empty, children }: ListCardProps<T>) {
  const reach = useReach();
  const status = useStatus(lists.list);
  const n = lists.list.size;
  return (
    <Section title={title} note={note} testId={testId} actions={add}>
      <DataView
        state={viewStateOf({ status, total: n, shown: n, reach })}
        quietLink
        onRetry={lists.reload}
        empty={{ title: empty, action: add }}
        skeleton={<Skeletons count={2} itemClass="h-20" className="flex flex-col gap-2 p-4" />}
      >
        <ul className="divide-y divide-line px-4">{children}</ul>
      </DataView>
    </Section>
  );
}

function Presses({ lists, services }: { lists: List<PressProfile>; services: readonly Service[] }) {
  const t = useT(calling);
  const may = usePermits("crew.write");
  const all = useAll(lists);
  const [open, setOpen] = useState<{ name: string | undefined }>();
  const serviceName = (kind: string | undefined) => (kind ? (services.find((s) => s.kind === kind)?.label ?? kind) : t("calling.service.plain"));
  return (
    <ListCard
      title={t("calling.presses")} note={t("calling.presses.note")} testId="press-profiles" lists={lists} empty={t("calling.press.none")}
      add={may && <Button icon={Plus} onClick={() => setOpen({ name: undefined })}>{t("calling.profile.add")}</Button>}
    >
      {all.map((p) => (
        <li key={p.name} data-profile={p.name} className="py-3">
          <RowHead name={p.name} note={p.built_in ? t("calling.builtIn") : undefined} onChange={may ? () => setOpen({ name: p.name }) : undefined} />
          <dl className="mt-1 grid grid-cols-[auto_minmax(0,1fr)_auto] items-center gap-x-4 gap-y-1.5 text-sm">
            {presses.map((press) => {
              const meaning = p.types[press];
              return (
                <div key={press} className="col-span-3 grid grid-cols-subgrid items-center">
                  <dt className="text-fg-muted">{t(`calling.press.${press}`)}</dt>
                  <dd className={classes("min-w-0 break-words", !meaning && "text-fg-dim")}>{meaning ? serviceName(meaning.service) : t("calling.press.none")}</dd>
                  <dd>{meaning && <PriorityPill priority={priorityOf(meaning.priority)} />}</dd>
                </div>
              );
            })}
          </dl>
          {(p.burst_presses ?? 0) > 0 && <p className="mt-2 text-sm text-fg-muted">{t("calling.burst.word", { n: p.burst_presses ?? 0, priority: t(`calling.priority.${priorityOf(p.burst_priority)}`) })}</p>}
        </li>
      ))}
      {open && <PressDialog name={open.name} services={services} builtIn={all.some((p) => p.name === open.name && p.built_in)} onClose={() => setOpen(undefined)} onSaved={lists.reload} />}
    </ListCard>
  );
}

function Services({ lists, teams }: { lists: List<Service>; teams: readonly Team[] }) {
  const t = useT(calling);
  const may = usePermits("crew.write");
  const all = useAll(lists);
  const [open, setOpen] = useState<{ kind: string | undefined }>();
  const add = may && <Button icon={Plus} onClick={() => setOpen({ kind: undefined })}>{t("calling.services.add")}</Button>;
  return (
    <>
      <ListCard title={t("calling.services")} testId="services" lists={lists} empty={t("calling.services.none")} add={add}>
        {all.map((s) => (
          <li key={s.kind} data-service={s.kind} className="py-3">
            <RowHead name={s.label} note={s.kind} onChange={may ? () => setOpen({ kind: s.kind }) : undefined} />
            <p className="mt-1 flex flex-wrap items-center gap-x-4 gap-y-1 text-sm text-fg-muted">
              <span>{s.team ? (teams.find((x) => x.team_id === s.team)?.name ?? s.team) : t("calling.services.everybody")}</span>
              <PriorityPill priority={priorityOf(s.priority)} />
            </p>
          </li>
        ))}
      </ListCard>
      {open && <ServiceDialog kind={open.kind} teams={teams} onClose={() => setOpen(undefined)} onSaved={lists.reload} />}
    </>
  );
}

function Escalations({ lists }: { lists: List<Escalation> }) {
  const t = useT(calling);
  const may = usePermits("crew.write");
  const all = useAll(lists);
  const [open, setOpen] = useState<Priority>();
  return (
    <ListCard title={t("calling.escalation")} testId="escalations" lists={lists} empty={t("calling.press.none")}>
      {[...priorities].reverse().flatMap((priority) => {
        const e = all.find((x) => x.priority === priority);
        return e === undefined ? [] : [(
          <li key={priority} data-priority={priority} className="py-3">
            <RowHead name={<PriorityPill priority={priority} />} said={t("calling.escalation.of", { priority: t(`calling.priority.${priority}`) })} note={e.built_in ? t("calling.builtIn") : undefined} onChange={may ? () => setOpen(priority) : undefined} />
            <EscalationWords escalation={{ ...e, levels: e.levels ?? [] }} />
          </li>
        )];
      })}
      {open && <EscalationDialog priority={open} builtIn={all.some((e) => e.priority === open && e.built_in)} onClose={() => setOpen(undefined)} onSaved={lists.reload} />}
    </ListCard>
  );
}

export function PriorityPill({ priority }: { priority: Priority }) {
  const t = useT(calling);
  const look = looks[priority];
  return <Pill tone={look.tone} icon={look.icon}>{t(`calling.priority.${priority}`)}</Pill>;
}

function RowHead({ name, said, note, onChange }: { name: ReactNode; said?: string; note?: string | undefined; onChange: (() => void) | undefined }) {
  const t = useT(calling);
  const label = t("calling.change.of", { name: said ?? String(name) });
  return (
    <div className="flex flex-wrap items-center justify-between gap-x-3">
      <h3 className="flex min-w-0 flex-wrap items-baseline gap-x-2 text-sm font-medium break-words">
        {name}
        {note && <span className="text-xs font-normal text-fg-dim">{note}</span>}
      </h3>
      {onChange && <Button kind="quiet" icon={Pencil} aria-label={label} onClick={onChange}>{t("calling.change")}</Button>}
    </div>
  );
}
