import { Button, IconButton, useCell, useFormats } from "@obedio/web";
import { ChevronDown, ChevronRight } from "lucide-react";
import { useState } from "react";
import { useT } from "../context";
import { traffic } from "../messages/traffic";
import type { LiveTraffic } from "./live";
import { branches, type TopicNode } from "./tree";

/** How many topics of one level are shown at first, and how many more with each asking. */
const step = 40;

/** The topics that have been seen, as a tree with how many messages each had. */
export function TopicList({ live, onOnly }: { live: LiveTraffic; onOnly: (topic: string) => void }) {
  const t = useT(traffic);
  // The tree grows with what is seen, which is told each second.
  const { seen } = useCell(live.numbers);
  if (seen === 0) return <p className="p-4 text-sm text-fg-muted">{t("traffic.tree.empty")}</p>;
  return (
    <div className="max-h-[min(60dvh,44rem)] overflow-y-auto py-1">
      <Level of={live.tree.root} depth={0} onOnly={onOnly} />
    </div>
  );
}

function Level({ of, depth, onOnly }: { of: TopicNode; depth: number; onOnly: (topic: string) => void }) {
  const t = useT(traffic);
  const { collator } = useFormats();
  const [most, setMost] = useState(step);
  const all = branches(of, collator.compare);
  return (
    <ul>
      {all.slice(0, most).map(({ label, node }) => <Branch key={node.path} label={label} node={node} depth={depth} onOnly={onOnly} />)}
      {all.length > most && <li className="px-3 py-1"><Button kind="quiet" onClick={() => setMost(most + step)}>{t("traffic.tree.more", { n: all.length - most })}</Button></li>}
    </ul>
  );
}

function Branch({ label, node, depth, onOnly }: { label: string; node: TopicNode; depth: number; onOnly: (topic: string) => void }) {
  const t = useT(traffic);
  const { number } = useFormats();
  const [open, setOpen] = useState(depth === 0);
  const inner = node.children.size > 0;
  const filter = inner ? `${node.path}/#` : node.path;
  return (
    <li>
      <div className="flex items-center pr-2" style={{ paddingLeft: `${depth * 0.75}rem` }}>
        {inner ? (
          <IconButton icon={open ? ChevronDown : ChevronRight} label={t("traffic.tree.expand", { topic: node.path })} aria-expanded={open} onClick={() => setOpen(!open)} />
        ) : (
          <span className="w-11 shrink-0" />
        )}
        <button
          type="button"
          aria-label={t("traffic.tree.only", { topic: filter })}
          onClick={() => onOnly(filter)}
          className="flex min-h-control min-w-0 flex-1 items-center justify-between gap-3 rounded-md px-2 py-1 text-left text-sm -outline-offset-2! hover:bg-ink-800"
        >
          <span className="min-w-0 font-mono text-xs break-all">{label}</span>
          <span title={t("traffic.tree.count", { n: node.count })} className="shrink-0 text-xs text-fg-dim tabular-nums">{number(node.count)}</span>
        </button>
      </div>
      {inner && open && <Level of={node} depth={depth + 1} onOnly={onOnly} />}
    </li>
  );
}
