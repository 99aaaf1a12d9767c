import {
  Button, Chip, CommandBadge, ErrorNote, Facts, Pill, RelativeTime, Section, Skeletons, controlClass, useDerived, useToast, type ApiError, type Collection, type Look,
} from "@obedio/web";
import { useQuery } from "@tanstack/react-query";
import { Braces, CircleCheck, CircleDashed, Hourglass, Rows3, Save, TriangleAlert, Undo2 } from "lucide-react";
import { useEffect, useState } from "react";
import type { Command, Configuration as Config, Device } from "../api/resources";
import { useCanWrite, useHub, usePermits, useT } from "../context";
import { device as texts } from "../messages/device";
import { Conflict } from "../security/Conflict";
import { useEditor } from "../security/useEditor";
import { Lines } from "./Lines";
import { faultOf, linesOfSettings, objectIn, settingsOf, type Line } from "./lines";

interface Draft {
  lines: Line[];
}

const draftOf = (c: Config): Draft => ({ lines: linesOfSettings(c.settings) });
const blank: Draft = { lines: [] };

const looks: Record<Config["state"], Look> = {
  none: { icon: CircleDashed, tone: "idle" },
  in_sync: { icon: CircleCheck, tone: "ok" },
  pending: { icon: Hourglass, tone: "accent" },
  differs: { icon: TriangleAlert, tone: "warn" },
};

/** Milliseconds until it is asked again how far a device is that has not what is wanted. */
const askEvery = 10_000;

/** What the device is wanted to be set to, and what it says that it is. */
export function Configuration({ device, commands }: { device: Device; commands: Collection<Command> }) {
  const t = useT(texts);
  const hub = useHub();
  const path = `/devices/${encodeURIComponent(device.device_id)}`;
  const now = useQuery<Config, ApiError>({
    queryKey: ["configuration", device.device_id],
    queryFn: ({ signal }) => hub.api.get<Config>(`${path}/configuration`, { signal }),
    // A status may tell the version, without any command.
    refetchInterval: ({ state }) => (state.data?.state === "pending" || state.data?.state === "differs" ? askEvery : false),
  });
  // Each step of a command that tells the configuration may change the answer.
  const steps = useDerived(commands, stepsOfConfigs);
  const { refetch } = now;
  useEffect(() => {
    if (steps !== "") void refetch();
  }, [steps, refetch]);
  const c = now.data;
  return (
    <Section
      title={t("device.config")}
      testId="configuration"
      actions={c && <span data-testid="configuration-state" data-state={c.state}><Pill {...looks[c.state]}>{t("device.config.state", { state: c.state })}</Pill></span>}
    >
      {c ? (
        <>
          <Facts
            items={[
              { label: t("device.config.wanted"), value: c.version === 0 ? t("device.config.nothing") : <>{t("device.config.version", { n: c.version })} {c.changed_at && <>· <RelativeTime at={c.changed_at} /></>}</> },
              { label: t("device.config.reported"), value: c.reported_version === undefined ? t("device.config.never") : <>{t("device.config.version", { n: c.reported_version })} {c.reported_at && <>· <RelativeTime at={c.reported_at} /></>}</> },
              ...(c.command ? [{ label: t("send.name"), value: <CommandBadge bare state={c.command.state} /> }] : []),
            ]}
          />
          <Editor path={path} onSaved={() => void refetch()} />
        </>
      ) : now.isError ? (
        <ErrorNote error={now.error} onRetry={() => void refetch()} />
      ) : (
        <Skeletons count={2} itemClass="h-11" className="flex flex-col gap-2 p-4" />
      )}
    </Section>
  );
}

function stepsOfConfigs(commands: Collection<Command>): string {
  return [...commands.values()].filter((c) => c.name === "config").map((c) => `${c.command_id} ${c.state}`).join();
}

function Editor({ path, onSaved }: { path: string; onSaved: () => void }) {
  const t = useT(texts);
  const toast = useToast();
  const maySend = usePermits("commands.send");
  const canWrite = useCanWrite();
  // While it is not JSON what is typed stands here only.
  const [json, setJson] = useState<string>();
  const editor = useEditor<Config, Draft>({ path, id: "configuration", draftOf, bodyOf: (d) => ({ settings: settingsOf(d.lines) }), newBodyOf: () => ({}), blank });
  const { draft, theirs, work } = editor;
  if (draft === undefined) return editor.error ? <ErrorNote error={editor.error} onRetry={editor.retry} /> : null;
  const wrongJson = json !== undefined && objectIn(json) === undefined;
  const fault = faultOf(draft.lines);
  const problem = wrongJson ? t("device.config.wrong") : fault && (fault.kind === "twice" ? t("device.edit.twice", { name: fault.name }) : t("device.edit.noName"));
  const pretty = (lines: Line[]) => JSON.stringify(settingsOf(lines), undefined, 2);
  const finish = async (write: () => Promise<boolean>) => {
    if (!(await write())) return false;
    setJson((held) => (held === undefined ? undefined : pretty(draft.lines)));
    toast({ tone: "ok", title: t("device.config.saved") });
    onSaved();
    return true;
  };
  return (
    <form
      noValidate
      className="flex flex-col gap-4 border-t border-line p-4"
      onSubmit={(e) => {
        e.preventDefault();
        if (!problem && !work.busy) void finish(editor.save);
      }}
    >
      {(maySend || draft.lines.length > 0) && (
        <div role="group" aria-label={t("device.config.as")} className="flex gap-2">
          <Chip icon={Rows3} pressed={json === undefined} onPress={() => !wrongJson && setJson(undefined)} label={t("device.config.rows")} />
          <Chip icon={Braces} pressed={json !== undefined} onPress={() => setJson(pretty(draft.lines))} label={t("device.config.json")} />
        </div>
      )}
      {json === undefined ? (
        <>
          {draft.lines.length === 0 && <p className="text-sm text-fg-muted">{t("device.config.empty")}</p>}
          <Lines
            mono readOnly={!maySend}
            legend={t("device.config.settings")} nameLabel={t("device.config.name")} valueLabel={t("device.config.value")}
            lines={draft.lines} onChange={(lines) => editor.set({ lines })}
          />
          {maySend && draft.lines.length > 0 && <p className="text-xs text-fg-dim">{t("device.config.valueHint")}</p>}
        </>
      ) : (
        <textarea
          aria-label={t("device.config.json")} aria-invalid={wrongJson || undefined} rows={8} value={json} readOnly={!maySend} spellCheck={false} autoCapitalize="none"
          className={`${controlClass} py-2 font-mono text-xs`}
          onChange={(e) => {
            setJson(e.target.value);
            const settings = objectIn(e.target.value);
            if (settings) editor.set({ lines: linesOfSettings(settings) });
          }}
        />
      )}
      {problem && <p role="status" className="text-sm text-warn">{problem}</p>}
      {work.failure && !theirs && <p role="status" className="text-sm text-bad">{work.failure}</p>}
      {maySend && (editor.dirty || work.busy) && (
        <div className="flex flex-wrap justify-end gap-3">
          <Button
            kind="quiet" icon={Undo2}
            onClick={() => {
              setJson(undefined);
              if (editor.view) editor.set(draftOf(editor.view));
            }}
          >
            {t("device.config.reset")}
          </Button>
          <Button kind="primary" type="submit" icon={Save} busy={work.busy} disabled={!canWrite || problem !== undefined}>{t("device.config.save")}</Button>
        </div>
      )}
      <Conflict
        open={theirs !== undefined}
        rows={theirs === undefined ? [] : [{ id: "settings", label: t("device.config.settings"), mine: <Code>{pretty(draft.lines)}</Code>, theirs: <Code>{pretty(draftOf(theirs).lines)}</Code> }]}
        onTakeTheirs={() => {
          setJson(undefined);
          editor.takeTheirs();
        }}
        onOverwrite={() => finish(editor.overwrite)}
        onKeepEditing={editor.keepEditing}
      />
    </form>
  );
}

function Code({ children }: { children: string }) {
  return <pre className="overflow-x-auto font-mono text-xs whitespace-pre-wrap">{children}</pre>;
}
