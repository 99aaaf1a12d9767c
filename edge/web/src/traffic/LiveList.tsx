import { Button, VirtualList, useFormats } from "@obedio/web";
import { ArrowDownToLine, ArrowUp, ArrowUpFromLine, Pin } from "lucide-react";
import { useState } from "react";
import { useT } from "../context";
import { traffic } from "../messages/traffic";
import { hubClient, type Row } from "./message";
import { previewOf } from "./payload";

const rowHeight = 56;

/**
 * The messages. Under the pointer, and while somebody reads further down,
 * nothing moves: what comes waits as "12 new".
 */
export function LiveList({ rows, onOpen, className = "h-[min(60dvh,44rem)]" }: { rows: readonly Row[]; onOpen: (row: Row) => void; className?: string }) {
  const t = useT(traffic);
  const [over, setOver] = useState(false);
  const [away, setAway] = useState(false);
  const [held, setHeld] = useState(rows);
  // Another one begins at its top.
  const [turn, setTurn] = useState(0);
  const holding = over || away;
  // What is held when it begins is what was last shown.
  if (!holding && held !== rows) setHeld(rows);
  const shown = holding ? held : rows;
  const waiting = holding ? (rows[0]?.n ?? 0) - (held[0]?.n ?? 0) : 0;
  const showNew = () => {
    setHeld(rows);
    setAway(false);
    setTurn(turn + 1);
  };
  return (
    <div className="relative" onPointerEnter={(e) => e.pointerType === "mouse" && setOver(true)} onPointerLeave={() => setOver(false)}>
      {waiting > 0 && (
        <div className="pointer-events-none absolute inset-x-0 top-2 z-10 flex justify-center">
          <Button kind="primary" icon={ArrowUp} className="pointer-events-auto shadow-raised" onClick={showNew}>{t("traffic.new", { n: waiting })}</Button>
        </div>
      )}
      <VirtualList
        key={turn}
        label={t("traffic.list")}
        testId="traffic-list"
        count={shown.length}
        rowKey={(i) => shown[i]!.n}
        row={(i) => <MessageRow row={shown[i]!} onOpen={onOpen} />}
        rowHeight={rowHeight}
        onAway={setAway}
        className={className}
      />
    </div>
  );
}

function MessageRow({ row, onOpen }: { row: Row; onOpen: (row: Row) => void }) {
  const t = useT(traffic);
  const { number, time } = useFormats();
  const Icon = row.direction === "inbound" ? ArrowUpFromLine : ArrowDownToLine;
  return (
    <button
      type="button"
      data-testid="traffic-row"
      data-topic={row.topic}
      data-direction={row.direction}
      aria-label={t("traffic.open", { topic: row.topic })}
      onClick={() => onOpen(row)}
      className="flex h-full w-full flex-col justify-center gap-0.5 border-b border-line/60 px-4 text-left -outline-offset-2! hover:bg-ink-800"
    >
      <span className="flex w-full items-center gap-2 text-sm">
        <time dateTime={row.at} className="shrink-0 text-xs text-fg-dim tabular-nums">{time(Date.parse(row.at))}</time>
        <Icon aria-label={t(`traffic.${row.direction}`)} className={row.direction === "inbound" ? "size-4 shrink-0 text-accent-fg" : "size-4 shrink-0 text-ok"} />
        <span className="min-w-0 flex-1 truncate font-mono text-xs" dir="ltr">{row.topic}</span>
        {row.retain && <Pin aria-label={t("message.retained")} className="size-4 shrink-0 text-fg-dim" />}
        <span className="shrink-0 text-xs text-fg-dim tabular-nums">{t("message.bytes", { n: number(row.size) })}</span>
      </span>
      <span className="flex w-full items-center gap-2 text-xs text-fg-muted">
        <span className="shrink-0">{row.device_id === hubClient ? t("message.hub") : row.device_id}</span>
        <span className="min-w-0 flex-1 truncate font-mono text-fg-dim">{row.size === 0 ? t("traffic.empty.payload") : row.payload === undefined ? t("traffic.noPayload") : previewOf(row)}</span>
      </span>
    </button>
  );
}
