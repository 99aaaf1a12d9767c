import {
  Button, Dialog, DialogActions, Facts, RelativeTime, classes, spanOf, toneText, useFormats, useTicking, useToast, type Tone,
} from "@obedio/web";
import { Link } from "@tanstack/react-router";
import { CloudUpload, RefreshCw, SatelliteDish, ShieldX, Unplug, type LucideIcon } from "lucide-react";
import { useState } from "react";
import type { Uplink } from "../api/resources";
import { useHub, usePermits, useT } from "../context";
import { buttonLook } from "./ButtonLink";

/** How the states of the link look. */
export const shoreLooks: Record<Uplink["state"], { icon: LucideIcon; tone: Tone }> = {
  none: { icon: Unplug, tone: "idle" },
  connecting: { icon: SatelliteDish, tone: "idle" },
  online: { icon: SatelliteDish, tone: "ok" },
  offline: { icon: SatelliteDish, tone: "idle" },
  refused: { icon: ShieldX, tone: "bad" },
};

/** The two pills in the header: the link to shore, and how much waits for it. */
export function ShoreLink({ uplink }: { uplink: Uplink }) {
  const t = useT();
  const { number } = useFormats();
  const [open, setOpen] = useState(false);
  const look = shoreLooks[uplink.state];
  const { word, more } = useShoreWords(uplink);
  const waiting = Object.values(uplink.backlog).reduce((sum, n) => sum + n, 0);
  return (
    <>
      <button
        type="button"
        data-testid="shore-link"
        data-state={uplink.state}
        onClick={() => setOpen(true)}
        className="inline-flex min-h-control min-w-0 items-center gap-2 rounded-full border border-edge px-4 text-sm whitespace-nowrap text-fg-muted transition-colors duration-150 hover:bg-ink-800"
      >
        <look.icon aria-hidden className={classes("size-4.5 shrink-0", toneText[look.tone])} />
        <span>
          {word}
          {more && <span className="hidden lg:inline">{` · ${more}`}</span>}
        </span>
      </button>
      {uplink.state !== "none" && waiting > 0 && (
        <button
          type="button"
          data-testid="to-sync"
          onClick={() => setOpen(true)}
          className="inline-flex min-h-control items-center gap-2 rounded-full bg-accent-soft px-4 text-sm whitespace-nowrap text-accent-fg transition-opacity duration-150 hover:opacity-85"
        >
          <CloudUpload aria-hidden className="size-4.5" />
          {t("shore.toSync", { n: number(waiting) })}
        </button>
      )}
      <Dialog open={open} onOpenChange={setOpen} title={t("shore.title")} testId="shore-dialog">
        <ShoreDetails uplink={uplink} word={word} onDone={() => setOpen(false)} />
      </Dialog>
    </>
  );
}

/** The state of the link in words. */
export function useShoreWords(uplink: Uplink): { word: string; more: string | undefined } {
  const t = useT();
  const since = Date.parse(uplink.last_contact ?? uplink.since);
  const down = useTicking((now) => t("shore.offline", { span: spanOf(now - since) }));
  switch (uplink.state) {
    case "none":
      return { word: t("shore.none"), more: t("shore.none.more") };
    case "connecting":
      return { word: t("shore.connecting"), more: t("shore.offline.more") };
    case "online":
      return { word: t("shore.online"), more: undefined };
    case "offline":
      return { word: down, more: t("shore.offline.more") };
    case "refused":
      return { word: t("shore.refused"), more: undefined };
  }
}

function ShoreDetails({ uplink, word, onDone }: { uplink: Uplink; word: string; onDone: () => void }) {
  const t = useT();
  const hub = useHub();
  const toast = useToast();
  const { number } = useFormats();
  const mayControl = usePermits("sync.control");
  const mayRead = usePermits("sync.read");
  const [busy, setBusy] = useState(false);
  const sync = async () => {
    setBusy(true);
    try {
      await hub.syncNow();
      toast({ tone: "ok", title: t("shore.syncing") });
      onDone();
    } catch (error) {
      toast({ tone: "bad", title: t("calls.failed"), detail: String((error as Error).message) });
    } finally {
      setBusy(false);
    }
  };
  const lanes = ["requests", "commands", "state", "registry"] as const;
  return (
    <>
      <Facts
        className="px-0!"
        items={[
          { label: t("shore.state"), value: word },
          { label: t("shore.since"), value: <RelativeTime at={uplink.since} /> },
          ...(uplink.last_contact ? [{ label: t("shore.contact"), value: <RelativeTime at={uplink.last_contact} /> }] : []),
          ...(uplink.console_url ? [{ label: t("shore.console"), value: uplink.console_url }] : []),
          ...(uplink.last_error ? [{ label: t("shore.error"), value: uplink.last_error }] : []),
        ]}
      />
      {uplink.state !== "none" && (
        <>
          <h3 className="mt-2 text-sm font-medium">{t("shore.backlog")}</h3>
          <Facts className="px-0! pt-2!" items={lanes.map((lane) => ({ label: t(`shore.backlog.${lane}`), value: number(uplink.backlog[lane]) }))} />
          <DialogActions>
            {mayRead && <Link to="/mqtt/uplink" onClick={onDone} className={buttonLook()}>{t("shore.more")}</Link>}
            {mayControl && <Button icon={RefreshCw} busy={busy} onClick={() => void sync()}>{t("shore.syncNow")}</Button>}
          </DialogActions>
        </>
      )}
    </>
  );
}
