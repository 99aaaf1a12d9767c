import { Button, Choice, CopyButton, Dialog, DialogActions, Facts, RelativeTime, useFormats } from "@obedio/web";
import { Filter, Send } from "lucide-react";
import { useState } from "react";
import { useHub, useT } from "../context";
import { traffic } from "../messages/traffic";
import { ButtonLink } from "../shell/ButtonLink";
import { differences } from "./diff";
import { hubClient, type Row } from "./message";
import { hexOf, jsonOf, textOf } from "./payload";
import type { Draft } from "./PublishDialog";

type View = "json" | "text" | "hex" | "diff";

export interface MessageDialogProps {
  row: Row;
  onClose: () => void;
  onOnly: (topic: string) => void;
  /** Absent for who may not publish. */
  onAgain: ((draft: Draft) => void) | undefined;
  /** The page is about this device already. */
  here?: boolean;
}

/** All of one message: where it went, what is in it, and what is new in it. */
export function MessageDialog({ row, onClose, onOnly, onAgain, here = false }: MessageDialogProps) {
  const t = useT(traffic);
  const { devices } = useHub();
  const { exact, number } = useFormats();
  const text = textOf(row);
  const known = !here && devices.get(row.device_id) !== undefined;
  return (
    <Dialog open onOpenChange={(open) => !open && onClose()} title={t("message.title")} description={<span className="font-mono text-xs break-all">{row.topic}</span>} testId="message">
      <Facts
        className="px-0!"
        items={[
          { label: t("message.at"), value: <time dateTime={row.at}>{exact(Date.parse(row.at))}</time> },
          { label: t("message.direction"), value: t(`traffic.${row.direction}`) },
          { label: t("message.device"), value: row.device_id === hubClient ? t("message.hub") : row.device_id },
          { label: t("message.qos"), value: String(row.qos) },
          { label: t("message.retained"), value: t(row.retain ? "message.yes" : "message.no") },
          { label: t("message.size"), value: t("message.bytes", { n: number(row.size) }) },
        ]}
      />
      {row.size === 0 ? null : row.payload === undefined ? <p className="py-2 text-sm text-fg-muted">{t("message.hidden")}</p> : <Payload row={row} text={text} />}
      <DialogActions>
        {known && <ButtonLink to="/mqtt/devices/$deviceId" params={{ deviceId: row.device_id }}>{t("message.toDevice")}</ButtonLink>}
        {onAgain && <Button icon={Send} onClick={() => onAgain({ topic: row.topic, payload: text ?? "" })}>{t("message.again")}</Button>}
        <Button icon={Filter} onClick={() => onOnly(row.topic)}>{t("message.only")}</Button>
      </DialogActions>
    </Dialog>
  );
}

function Payload({ row, text }: { row: Row; text: string | undefined }) {
  const t = useT(traffic);
  const json = jsonOf(row);
  const views: View[] = [...(json === undefined ? [] : ["json" as const]), ...(text === undefined ? [] : ["text" as const]), "hex", "diff"];
  const [chosen, setChosen] = useState<View>();
  const view = chosen ?? views[0]!;
  const shown = view === "json" ? json : view === "text" ? text : view === "hex" ? hexOf(row) : undefined;
  return (
    <div className="mt-3 flex flex-col gap-3">
      <Choice legend={t("message.view")} value={view} options={views.map((v) => ({ value: v, label: t(`message.view.${v}`) }))} onChange={setChosen} />
      {row.truncated && <p className="text-xs text-warn">{t("message.truncated")}</p>}
      {shown === undefined ? <Changes row={row} /> : (
        <div className="flex flex-col items-start gap-2">
          {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls is reached by the keyboard */}
          <pre role="group" aria-label={t("message.payload")} tabIndex={0} data-testid="payload" className="max-h-72 w-full overflow-auto rounded-control border border-line bg-ink-900 p-3 font-mono text-xs whitespace-pre">{shown}</pre>
          <CopyButton text={shown} />
        </div>
      )}
    </div>
  );
}

function Changes({ row }: { row: Row }) {
  const t = useT(traffic);
  if (!row.before) return <p className="text-sm text-fg-muted">{t("message.diff.none")}</p>;
  const found = differences(row.before, row);
  if (!found) return <p className="text-sm text-fg-muted">{t("message.diff.cannot")}</p>;
  const cell = "px-3 py-2 align-top font-mono text-xs break-all";
  return (
    <div data-testid="changes">
      <p className="pb-2 text-sm text-fg-muted">{found.length === 0 ? t("message.diff.same") : <>{t("message.diff.since")} <RelativeTime at={row.before.at} /></>}</p>
      {found.length > 0 && (
        // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls is reached by the keyboard
        <div role="group" aria-label={t("message.view.diff")} tabIndex={0} className="max-h-72 overflow-auto rounded-control border border-line">
          <table className="w-full text-left text-sm">
            <thead>
              <tr className="text-xs text-fg-dim">
                {(["what", "before", "now"] as const).map((c) => <th key={c} scope="col" className="px-3 py-2 font-normal">{t(`message.diff.${c}`)}</th>)}
              </tr>
            </thead>
            <tbody>
              {found.map((d) => (
                <tr key={d.what} className="border-t border-line/60">
                  <th scope="row" className={`${cell} font-medium`}>{d.what}</th>
                  <td className={`${cell} text-fg-muted`}>{d.before ?? t("message.diff.new")}</td>
                  <td className={cell}>{d.now ?? t("message.diff.gone")}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </div>
  );
}
