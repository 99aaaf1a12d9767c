import { Tab, Tabs } from "../ui/Tabs";
import { useMay, usePeopleT, useProgram } from "./program";
import { RolesTab } from "./RolesTab";
import { SessionsTab } from "./SessionsTab";
import { TabletsTab } from "./TabletsTab";
import { TokensTab } from "./TokensTab";
import { UsersTab } from "./UsersTab";
import { YouTab } from "./YouTab";

export const peopleTabs = ["people", "tablets", "sessions", "tokens", "roles", "you"] as const;
export type PeopleTab = (typeof peopleTabs)[number];

export function peopleTabNamed(name: unknown): PeopleTab | undefined {
  return peopleTabs.find((tab) => tab === name);
}

/** All about people on one page; each sees the parts that their role may see. */
export function PeopleTabs({ tab, onTab }: { tab: PeopleTab | undefined; onTab: (tab: PeopleTab) => void }) {
  const t = usePeopleT();
  const { kind } = useProgram();
  const may: Record<PeopleTab, boolean> = {
    people: useMay("users.read"),
    tablets: useMay("tablets.write") && kind === "hub",
    sessions: useMay("sessions.others"),
    tokens: useMay("tokens.write"),
    roles: true,
    you: true,
  };
  const shown = peopleTabs.filter((name) => may[name]);
  const value = tab && may[tab] ? tab : may.people ? "people" : "you";
  return (
    <Tabs label={t("people.tabs")} value={value} onChange={onTab} tabs={shown.map((name) => ({ value: name, label: t(`people.tab.${name}`) }))}>
      <Tab value="people"><UsersTab /></Tab>
      <Tab value="tablets"><TabletsTab /></Tab>
      <Tab value="sessions"><SessionsTab /></Tab>
      <Tab value="tokens"><TokensTab /></Tab>
      <Tab value="roles"><RolesTab /></Tab>
      <Tab value="you"><YouTab /></Tab>
    </Tabs>
  );
}
