import { Button, CommandTimeline, DataView, Section, Skeletons, useKeys, useItem, useStatus, useToast, viewStateOf, type Collection } from "@obedio/web";
import { useEffect, useState } from "react";
import type { Command } from "../api/resources";
import { useHub, usePermits, useReach, useT } from "../context";
import { device as texts } from "../messages/device";

/** So many are shown at first: each has a line for every step. */
const few = 4;

const newestFirst = (commands: Collection<Command>) =>
  [...commands.values()].sort((a, b) => b.issued_at.localeCompare(a.issued_at)).map((c) => c.command_id);

/** The device's newest commands, kept current; undefined for the moment until they are followed. */
export function useCommands(deviceId: string): Collection<Command> | undefined {
  const hub = useHub();
  const [commands, setCommands] = useState<Collection<Command>>();
  useEffect(() => {
    const followed = hub.followCommands(deviceId);
    setCommands(followed.commands);
    return followed.leave;
  }, [hub, deviceId]);
  return commands;
}

/** The device's commands, newest first, each with its steps as they happen. */
export function Commands({ commands }: { commands: Collection<Command> }) {
  const t = useT(texts);
  const hub = useHub();
  const [all, setAll] = useState(false);
  const reach = useReach();
  const ids = useKeys(commands, newestFirst);
  const status = useStatus(commands);
  const state = viewStateOf({ status, total: ids.length, shown: ids.length, reach });
  return (
    <Section title={t("device.commands")} testId="commands">
      <DataView
        state={state}
        quietLink
        onRetry={hub.retry}
        empty={{ title: t("device.commands.empty"), detail: t("device.commands.empty.detail") }}
        skeleton={<Skeletons count={2} itemClass="h-24" className="flex flex-col gap-2 p-4" />}
      >
        <div className="divide-y divide-line">
          {(all ? ids : ids.slice(0, few)).map((id) => <Entry key={id} commands={commands} id={id} />)}
        </div>
        {!all && ids.length > few && <div className="border-t border-line p-2"><Button kind="quiet" className="w-full" onClick={() => setAll(true)}>{t("device.commands.all", { n: ids.length })}</Button></div>}
      </DataView>
    </Section>
  );
}

function Entry({ commands, id }: { commands: Collection<Command>; id: string }) {
  const t = useT();
  const hub = useHub();
  const toast = useToast();
  const mayCancel = usePermits("commands.cancel");
  const [busy, setBusy] = useState(false);
  const command = useItem(commands, id);
  if (!command) return null;
  const name = command.issued_by.name || command.issued_by.id;
  const cancellable = ["queued", "at_hub", "sent"].includes(command.state);
  const cancel = () => {
    setBusy(true);
    hub
      .cancelCommand(command)
      .catch((error: Error) => toast({ tone: "bad", title: t("calls.failed"), detail: error.message }))
      .finally(() => setBusy(false));
  };
  return (
    <CommandTimeline
      command={command}
      by={command.order === undefined ? t("device.command.by", { name }) : t("device.command.byShore", { name })}
      actions={mayCancel && cancellable && <Button busy={busy} onClick={cancel}>{t("device.command.cancel")}</Button>}
    />
  );
}
