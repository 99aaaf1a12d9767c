import { Button, CommandTimeline, DataView, Section, Skeletons, useItem, useKeys, useStatus, useToast, viewStateOf, type Collection } from "@obedio/web";
import { useCallback, useState } from "react";
import type { Command } from "../api/resources";
import { useConsole, usePermits, useReach, useT } from "../context";

export interface CommandListProps {
  siteId: string;
  commands: Collection<Command>;
  title: string;
  emptyDetail: string;
  /** Only those to this device. */
  deviceId?: string;
}

/** Commands, newest first, each with its steps as the hub tells of them. */
export function CommandList({ siteId, commands, title, emptyDetail, deviceId }: CommandListProps) {
  const t = useT();
  const console = useConsole();
  const compute = useCallback(
    (all: Collection<Command>) =>
      [...all.values()]
        .filter((c) => deviceId === undefined || c.device_id === deviceId)
        .sort((a, b) => b.issued_at.localeCompare(a.issued_at))
        .map((c) => c.command_id),
    [deviceId],
  );
  const ids = useKeys(commands, compute);
  const status = useStatus(commands);
  const state = viewStateOf({ status, total: ids.length, shown: ids.length, reach: useReach() });
  return (
    <Section title={title} testId="commands">
      <DataView
        state={state}
        quietLink
        onRetry={console.retry}
        empty={{ title: t("commands.empty"), detail: emptyDetail }}
        skeleton={<Skeletons count={2} itemClass="h-24" className="flex flex-col gap-2 p-4" />}
      >
        <div className="divide-y divide-line">
          {ids.map((id) => <Entry key={id} siteId={siteId} commands={commands} id={id} withDevice={deviceId === undefined} />)}
        </div>
      </DataView>
    </Section>
  );
}

function Entry({ siteId, commands, id, withDevice }: { siteId: string; commands: Collection<Command>; id: string; withDevice: boolean }) {
  const t = useT();
  const console = useConsole();
  const toast = useToast();
  const mayCancel = usePermits("commands.cancel");
  const [busy, setBusy] = useState(false);
  const command = useItem(commands, id);
  if (!command) return null;
  const open = ["queued", "at_hub", "sent"].includes(command.state);
  const by = t("commands.by", { name: command.issued_by.name || command.issued_by.id });
  const cancel = () => {
    setBusy(true);
    console
      .cancelCommand(siteId, command)
      .catch((error: Error) => toast({ tone: "bad", title: t("app.failed"), detail: error.message }))
      .finally(() => setBusy(false));
  };
  return (
    <CommandTimeline
      command={command}
      by={withDevice ? `${t("commands.to", { device: command.device_id })}, ${by}` : by}
      actions={
        open && command.cancel_order !== undefined
          ? <span className="text-xs text-fg-muted">{t("commands.cancelling")}</span>
          : mayCancel && open && <Button busy={busy} onClick={cancel}>{t("commands.cancel")}</Button>
      }
    />
  );
}
