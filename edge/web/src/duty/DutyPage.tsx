import { DataView, Skeletons, Tab, Tabs, useCell } from "@obedio/web";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { useHub, useReach, useT } from "../context";
import { duty as texts } from "../messages/duty";
import { Guard } from "../shell/Guard";
import { Page } from "../shell/Page";
import { stateOf } from "../shell/reading";
import { CrewTab } from "./CrewTab";
import { NowTab } from "./NowTab";
import { WeekTab } from "./WeekTab";

const tabs = ["now", "week", "crew"] as const;

/** The change of the watch on one page, the plan of the week, and the crew. */
export function DutyPage() {
  const t = useT(texts);
  const { tab = "now", week } = useSearch({ from: "/mqtt/duty" });
  const navigate = useNavigate({ from: "/mqtt/duty" });
  return (
    <Page title={t("nav.duty")}>
      <Guard needs="crew.read">
        <Tabs
          label={t("dutypage.tabs")}
          value={tab}
          onChange={(next) => void navigate({ search: next === "now" ? {} : { tab: next }, replace: true, resetScroll: false })}
          tabs={tabs.map((value) => ({ value, label: t(`dutypage.${value}`) }))}
        >
          <Tab value="now"><Now /></Tab>
          <Tab value="week"><WeekTab first={week} onFirst={(first) => void navigate({ search: { tab: "week", ...(first ? { week: first } : {}) }, replace: true, resetScroll: false })} /></Tab>
          <Tab value="crew"><CrewTab /></Tab>
        </Tabs>
      </Guard>
    </Page>
  );
}

function Now() {
  const t = useT(texts);
  const hub = useHub();
  const reach = useReach();
  const { value, error } = useCell(hub.duty);
  return (
    <DataView
      state={stateOf(value, error, error === undefined, reach, "crew.read")}
      quietLink
      onRetry={hub.retry}
      empty={{ title: t("dutypage.empty") }}
      skeleton={<Skeletons count={3} itemClass="h-44" className="grid gap-5 lg:grid-cols-2" />}
    >
      {value && <NowTab duty={value} />}
    </DataView>
  );
}

