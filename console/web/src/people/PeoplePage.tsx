import { PeopleProvider, PeopleTabs, peopleTabNamed, type Program } from "@obedio/web/people";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo } from "react";
import { useConsole, useReach, useSession, useT } from "../context";
import { Page } from "../shell/Page";

/** People, sessions, API tokens, and what each role may do. */
export function PeoplePage() {
  const t = useT();
  const fleet = useConsole();
  const session = useSession();
  const reach = useReach();
  const { tab } = useSearch({ from: "/people" });
  const navigate = useNavigate({ from: "/people" });
  const program = useMemo<Program>(
    () => ({
      kind: "console", api: fleet.api, batcher: fleet.batcher, session, reach, retry: fleet.retry, sites: fleet.sites,
      signOut: () => fleet.session.signOut(),
    }),
    [fleet, session, reach],
  );
  return (
    <Page title={t("nav.people")} name={t("nav.people")}>
      <PeopleProvider program={program}>
        <PeopleTabs tab={peopleTabNamed(tab)} onTab={(next) => void navigate({ search: { tab: next }, replace: true, resetScroll: false })} />
      </PeopleProvider>
    </Page>
  );
}
