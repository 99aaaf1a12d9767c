import { LogOut, MonitorSmartphone } from "lucide-react";
import { useCallback } from "react";
import type { Collection } from "../live/collection";
import { useKeys, useStatus, useVersion } from "../live/hooks";
import { RelativeTime } from "../time/hooks";
import { Button } from "../ui/Button";
import { Section } from "../ui/Card";
import { DataView } from "../ui/DataView";
import { Mark } from "../ui/Pill";
import { Skeletons } from "../ui/Skeleton";
import { viewStateOf } from "../ui/view-state";
import { agentOf, programOf } from "./agent";
import { useQuickAction } from "./action";
import { RecordList, type RecordColumn } from "./parts";
import { useCanWrite, usePeople, usePeopleT, useProgram } from "./program";
import type { SessionEntry } from "./types";

const newest = (sessions: Collection<SessionEntry>) =>
  [...sessions.values()]
    .sort((a, b) => Number(b.current) - Number(a.current) || b.seen_at.localeCompare(a.seen_at) || a.session_id.localeCompare(b.session_id))
    .map((s) => s.session_id);

/** Sessions, each with what it is on, and the way to end it: one's own, or everybody's. */
export function SessionList({ all }: { all: boolean }) {
  const t = usePeopleT();
  const people = usePeople();
  const quick = useQuickAction();
  const canWrite = useCanWrite();
  const { reach, retry, session } = useProgram();
  const sessions = all ? people.sessions : people.ownSessions;
  const ids = useKeys(sessions, newest);
  const status = useStatus(sessions);
  useVersion(people.users);
  useVersion(people.tablets);
  const state = viewStateOf({ status, total: ids.length, shown: ids.length, reach });
  const nameOf = useCallback(
    (id: string) => (id === session.user.user_id ? session.user.name || session.user.username : (people.users.get(id)?.name ?? t("sessions.unknown"))),
    [people, session, t],
  );
  const agent = (s: SessionEntry) => {
    const known = agentOf(s.agent);
    return known ? t("sessions.agent", known) : (programOf(s.agent) ?? t("sessions.agent.other"));
  };
  const tabletOf = (s: SessionEntry) => {
    if (!s.tablet_id) return undefined;
    const name = people.tablets.get(s.tablet_id)?.name;
    return name ? t("sessions.tablet", { name }) : t("sessions.aTablet");
  };
  const columns: RecordColumn<SessionEntry>[] = [
    ...(all ? [{ id: "person", header: t("sessions.col.person"), width: "minmax(10rem,1.5fr)", cell: (s: SessionEntry) => <span className="block truncate font-medium">{nameOf(s.user_id)}</span> }] : []),
    {
      id: "where",
      header: t("sessions.col.where"),
      width: "minmax(11rem,1.5fr)",
      cell: (s) => (
        <>
          <span className="block truncate" title={s.agent}>{agent(s)}</span>
          {tabletOf(s) && <span className="block truncate text-xs text-fg-dim">{tabletOf(s)}</span>}
        </>
      ),
    },
    { id: "from", header: t("sessions.col.from"), width: "minmax(8rem,1fr)", cell: (s) => <span className="text-fg-muted tabular-nums">{s.address}</span> },
    { id: "used", header: t("sessions.col.used"), width: "minmax(7rem,.8fr)", cell: (s) => <RelativeTime at={s.seen_at} className="text-fg-muted" /> },
    { id: "began", header: t("sessions.col.began"), width: "minmax(7rem,.8fr)", cell: (s) => <RelativeTime at={s.created_at} className="text-fg-muted" /> },
  ];
  return (
    <DataView
      state={state}
      quietLink
      onRetry={() => { retry(); people.loadSessions(); }}
      empty={{ title: t("sessions.empty") }}
      skeleton={<Skeletons count={3} itemClass="h-11" className="flex flex-col gap-3 p-4" />}
    >
      <RecordList
        label={all ? t("sessions.title") : t("you.sessions")}
        testId={all ? "all-sessions" : "own-sessions"}
        items={ids.flatMap((id) => sessions.get(id) ?? [])}
        keyOf={(s) => s.session_id}
        columns={columns}
        attributes={(s) => ({ "data-session-id": s.session_id, "data-current": String(s.current) })}
        action={(s) =>
          s.current ? <Mark tone="accent" icon={MonitorSmartphone} className="min-h-control text-sm">{t("sessions.this")}</Mark> : (
            <Button icon={LogOut} disabled={!canWrite} aria-label={t("sessions.end.label", { name: nameOf(s.user_id), agent: agent(s) })} onClick={() => void quick(() => people.endSession(s.session_id), t("sessions.ended"))}>
              {t("sessions.end")}
            </Button>
          )}
      />
    </DataView>
  );
}

export function SessionsTab() {
  const t = usePeopleT();
  return <Section title={t("sessions.title")}><SessionList all /></Section>;
}
