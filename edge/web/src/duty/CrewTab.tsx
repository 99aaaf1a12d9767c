import {
  Button, CheckField, DataView, Dialog, DialogActions, ManyChoice, Mark, Section, SelectField, Skeletons, TextField, useDerived, useFormats, useStatus, useWork,
  viewStateOf, type Collection, type Page,
} from "@obedio/web";
import { useQuery } from "@tanstack/react-query";
import { Crown, Plus, Trash2, UserPlus, UserRound, WatchIcon } from "lucide-react";
import { useState, type FormEvent } from "react";
import type { components } from "../api/schema";
import type { Device, Person, Team } from "../api/resources";
import { useCanWrite, useHub, usePermits, useReach, useT } from "../context";
import { duty as texts } from "../messages/duty";
import { roomIdOf } from "../provision/label";
import { useDocuments, useRefusal } from "./useDocuments";
import { freeId } from "./WeekTab";

type User = components["schemas"]["UserView"];
const personKey = (p: Person) => p.person_id;
const teamKey = (team: Team) => team.team_id;

/** The members of the crew and their teams. */
export function CrewTab() {
  const t = useT(texts);
  const reach = useReach();
  const canWrite = useCanWrite();
  const may = usePermits("crew.write");
  const { collator } = useFormats();
  const people = useDocuments<Person>("/crew", personKey);
  const teams = useDocuments<Team>("/teams", teamKey);
  const peopleStatus = useStatus(people.list);
  const teamsStatus = useStatus(teams.list);
  const users = useUsers();
  const [person, setPerson] = useState<Person | "new">();
  const [team, setTeam] = useState<Team | "new">();
  const members = [...people.items].sort((a, b) => collator.compare(a.name, b.name));
  const sorted = [...teams.items].sort((a, b) => collator.compare(a.name, b.name));
  const teamName = new Map(sorted.map((x) => [x.team_id, x.name]));
  const account = (id: string) => users?.find((u) => u.user_id === id);
  const addPerson = may && <Button icon={UserPlus} disabled={!canWrite} onClick={() => setPerson("new")}>{t("crew.people.add")}</Button>;
  return (
    <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-5 lg:grid-cols-[minmax(0,1.7fr)_minmax(0,1fr)]">
      <Section title={t("crew.people")} note={String(members.length)} actions={addPerson} testId="crew">
        <DataView
          state={viewStateOf({ status: peopleStatus, total: members.length, shown: members.length, reach })}
          quietLink
          onRetry={people.reload}
          empty={{ title: t("crew.people.none"), detail: t("dutypage.empty.detail"), action: addPerson || undefined }}
          skeleton={<Skeletons count={4} itemClass="h-14" className="flex flex-col gap-2 p-4" />}
        >
          <ul className="divide-y divide-line">
            {members.map((p) => {
              const user = p.user_id ? account(p.user_id) : undefined;
              return (
                <li key={p.person_id}>
                  <Row may={may && canWrite} label={t("crew.edit", { name: p.name })} onEdit={() => setPerson(p)}>
                    <span className="min-w-0 flex-1 basis-40">
                      <span className="flex items-center gap-2 font-medium"><span className="truncate">{p.name}</span>{p.lead && <Mark tone="idle" icon={Crown} className="text-xs font-normal">{t("dutypage.lead")}</Mark>}</span>
                      <span className="block truncate text-xs text-fg-muted">{(p.teams ?? []).map((id) => teamName.get(id) ?? id).join(", ")}</span>
                    </span>
                    <span className="flex flex-wrap gap-x-4 text-xs">
                      {p.user_id && <Mark tone="idle" icon={UserRound}>{user?.username ?? t("crew.user")}</Mark>}
                      {p.watch && <Mark tone="idle" icon={WatchIcon}>{p.watch}</Mark>}
                    </span>
                  </Row>
                </li>
              );
            })}
          </ul>
        </DataView>
      </Section>
      <Section
        title={t("crew.teams")}
        note={String(sorted.length)}
        testId="teams"
        actions={may && <Button icon={Plus} disabled={!canWrite} onClick={() => setTeam("new")}>{t("crew.teams.add")}</Button>}
      >
        <DataView
          state={viewStateOf({ status: teamsStatus, total: sorted.length, shown: sorted.length, reach })}
          quietLink
          onRetry={teams.reload}
          empty={{ title: t("crew.teams.none") }}
          skeleton={<Skeletons count={2} itemClass="h-14" className="flex flex-col gap-2 p-4" />}
        >
          <ul className="divide-y divide-line">
            {sorted.map((x) => (
              <li key={x.team_id}>
                <Row may={may && canWrite} label={t("crew.edit", { name: x.name })} onEdit={() => setTeam(x)}>
                  <span className="min-w-0 flex-1 truncate font-medium">{x.name}</span>
                  <span className="text-xs text-fg-muted">{t("crew.team.members", { n: members.filter((p) => p.teams?.includes(x.team_id)).length })}</span>
                </Row>
              </li>
            ))}
          </ul>
        </DataView>
      </Section>
      {person && (
        <EditPerson
          key={person === "new" ? "" : person.person_id}
          person={person === "new" ? undefined : person}
          taken={members.map(personKey)}
          teams={sorted}
          users={users}
          onClose={() => setPerson(undefined)}
          onSaved={people.reload}
        />
      )}
      {team && (
        <EditTeam
          key={team === "new" ? "" : team.team_id}
          team={team === "new" ? undefined : team}
          taken={sorted.map(teamKey)}
          onClose={() => setTeam(undefined)}
          onSaved={teams.reload}
        />
      )}
    </div>
  );
}

/** The accounts, for who may see them. */
function useUsers(): User[] | undefined {
  const hub = useHub();
  const may = usePermits("users.read");
  const { data } = useQuery({
    queryKey: ["users-of-crew"],
    queryFn: ({ signal }) => hub.api.get<Page<User>>("/users", { query: { limit: 500 }, signal }),
    enabled: may,
  });
  return data?.items;
}

function Row({ may, label, onEdit, children }: { may: boolean; label: string; onEdit: () => void; children: React.ReactNode }) {
  const look = "flex min-h-14 w-full flex-wrap items-center justify-between gap-x-4 gap-y-1 px-4 py-2 text-left text-sm";
  if (!may) return <div className={look}>{children}</div>;
  return <button type="button" aria-label={label} onClick={onEdit} className={`${look} -outline-offset-2! hover:bg-ink-800/60`}>{children}</button>;
}

const watches = (devices: Collection<Device>) =>
  [...devices.values()].filter((d) => d.type === "watch" && d.presence.state !== "retired").map((d) => ({ value: d.device_id, label: d.name || d.device_id })).sort((a, b) => a.label.localeCompare(b.label));

interface PersonProps {
  person: Person | undefined;
  taken: readonly string[];
  teams: readonly Team[];
  users: readonly User[] | undefined;
  onClose: () => void;
  onSaved: () => void;
}

function EditPerson({ person, taken, teams, users, onClose, onSaved }: PersonProps) {
  const t = useT(texts);
  const hub = useHub();
  const work = useWork();
  const refusal = useRefusal();
  const worn = useDerived(hub.devices, watches);
  const [p, setP] = useState({ name: person?.name ?? "", teams: person?.teams ?? [], lead: person?.lead ?? false, user_id: person?.user_id ?? "", watch: person?.watch ?? "" });
  const [removing, setRemoving] = useState(false);
  const set = (change: Partial<typeof p>) => setP({ ...p, ...change });
  const path = person && `/crew/${encodeURIComponent(person.person_id)}`;
  const save = async (e: FormEvent) => {
    e.preventDefault();
    const name = p.name.trim();
    if (work.busy || name === "") return;
    const body = { name, teams: p.teams, lead: p.lead, ...(p.user_id ? { user_id: p.user_id } : {}), ...(p.watch ? { watch: p.watch } : {}) };
    const done = await work.run(() => (path ? hub.api.put(path, body, { ifMatch: person.etag }) : hub.api.post("/crew", { ...body, person_id: freeId(name, taken) })));
    if (!done) return;
    onSaved();
    onClose();
  };
  const remove = async () => {
    if (!path || !(await work.run(() => hub.api.delete(path, { ifMatch: person.etag })))) return;
    onSaved();
    onClose();
  };
  const failure = refusal(work.error, work.failure);
  if (removing && person) {
    return (
      <Dialog open onOpenChange={() => setRemoving(false)} title={t("crew.remove.title", { name: person.name })} description={t("crew.remove.detail", { name: person.name })} testId="remove-person">
        {failure && <p role="status" className="text-sm text-bad">{failure}</p>}
        <DialogActions>
          <Button onClick={() => setRemoving(false)}>{t("dialog.cancel")}</Button>
          <Button kind="danger" busy={work.busy} onClick={() => void remove()}>{t("crew.remove")}</Button>
        </DialogActions>
      </Dialog>
    );
  }
  return (
    <Dialog open onOpenChange={onClose} title={person ? t("crew.person.title", { name: person.name }) : t("crew.person.new")} testId="edit-person">
      <form onSubmit={(e) => void save(e)} className="flex flex-col gap-4">
        <TextField label={t("crew.name")} value={p.name} maxLength={100} onChange={(e) => set({ name: e.target.value })} {...(person ? {} : { hint: t("crew.id", { id: freeId(p.name || "", taken) }) })} />
        {teams.length > 0 && <ManyChoice legend={t("crew.in")} value={p.teams} onChange={(chosen) => set({ teams: chosen })} options={teams.map((x) => ({ value: x.team_id, label: x.name }))} />}
        <CheckField label={t("crew.lead")} hint={t("crew.lead.hint")} checked={p.lead} onChange={(lead) => set({ lead })} />
        {users && (
          <SelectField
            label={t("crew.user")}
            hint={t("crew.user.hint")}
            value={p.user_id}
            onChange={(e) => set({ user_id: e.target.value })}
            options={[{ value: "", label: t("crew.user.none") }, ...users.map((u) => ({ value: u.user_id, label: u.name && u.name !== u.username ? `${u.name} (${u.username})` : u.username }))]}
          />
        )}
        <SelectField label={t("crew.watch")} value={p.watch} onChange={(e) => set({ watch: e.target.value })} options={[{ value: "", label: t("crew.watch.none") }, ...worn]} />
        {failure && <p role="status" className="text-sm text-bad">{failure}</p>}
        <DialogActions>
          {person && <Button kind="danger" icon={Trash2} className="mr-auto" onClick={() => setRemoving(true)}>{t("crew.remove")}</Button>}
          <Button kind="primary" type="submit" busy={work.busy} disabled={p.name.trim() === ""}>{t("crew.save")}</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}

function EditTeam({ team, taken, onClose, onSaved }: { team: Team | undefined; taken: readonly string[]; onClose: () => void; onSaved: () => void }) {
  const t = useT(texts);
  const hub = useHub();
  const work = useWork();
  const refusal = useRefusal();
  const [name, setName] = useState(team?.name ?? "");
  const path = team && `/teams/${encodeURIComponent(team.team_id)}`;
  const run = async (doing: () => Promise<unknown>) => {
    if (work.busy || !(await work.run(doing))) return;
    onSaved();
    onClose();
  };
  const failure = refusal(work.error, work.failure);
  return (
    <Dialog open onOpenChange={onClose} title={team ? t("crew.team.title", { name: team.name }) : t("crew.team.new")} testId="edit-team">
      <form
        className="flex flex-col gap-4"
        onSubmit={(e) => {
          e.preventDefault();
          const body = { name: name.trim() };
          if (body.name) void run(() => (path ? hub.api.put(path, body, { ifMatch: team.etag }) : hub.api.post("/teams", { ...body, team_id: freeId(body.name, taken) })));
        }}
      >
        <TextField label={t("crew.name")} value={name} maxLength={100} onChange={(e) => setName(e.target.value)} {...(team ? {} : { hint: t("crew.id", { id: roomIdOf(name) }) })} />
        {failure && <p role="status" className="text-sm text-bad">{failure}</p>}
        <DialogActions>
          {path && <Button kind="danger" icon={Trash2} className="mr-auto" busy={work.busy} onClick={() => void run(() => hub.api.delete(path, { ifMatch: team.etag }))}>{t("crew.remove")}</Button>}
          <Button kind="primary" type="submit" busy={work.busy} disabled={name.trim() === ""}>{t("crew.save")}</Button>
        </DialogActions>
      </form>
    </Dialog>
  );
}
