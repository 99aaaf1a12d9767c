import { PeopleProvider, PeopleTabs, peopleTabNamed, type Program } from "@obedio/web/people";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useMemo } from "react";
import { useHub, useReach, useSession, useT } from "../context";
import { Page } from "../shell/Page";

/** People and their PINs, tablets, sessions, API tokens, and what each role may do. */
export function PeoplePage() {
  const t = useT();
  const hub = useHub();
  const session = useSession();
  const reach = useReach();
  const { tab } = useSearch({ from: "/mqtt/people" });
  const navigate = useNavigate({ from: "/mqtt/people" });
  const program = useMemo<Program>(
    () => ({ kind: "hub", api: hub.api, batcher: hub.batcher, session, reach, retry: hub.retry, signOut: () => hub.session.signOut() }),
    [hub, session, reach],
  );
  return (
    <Page title={t("people.title")}>
      <PeopleProvider program={program}>
        <PeopleTabs tab={peopleTabNamed(tab)} onTab={(next) => void navigate({ search: { tab: next }, replace: true, resetScroll: false })} />
      </PeopleProvider>
    </Page>
  );
}
