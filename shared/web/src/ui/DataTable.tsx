import { rowSortingFeature, tableFeatures, useTable, type ColumnDef } from "@tanstack/react-table";
import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { ArrowDown, ArrowUp } from "lucide-react";
import { memo, useLayoutEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { useWebMessages } from "../i18n/context";
import type { Collection } from "../live/collection";
import { useItem } from "../live/hooks";
import { classes } from "./classes";

export interface Sorting {
  column: string;
  descending: boolean;
}

/** One column; the cell reads its own item, so that one change renders one row. */
export interface Column<T> {
  id: string;
  header: string;
  cell: (item: T) => ReactNode;
  /** CSS grid track, such as "minmax(12rem,2fr)". */
  width: string;
  numeric?: boolean;
  sortable?: boolean;
  /** Sorting starts with the largest. */
  descendingFirst?: boolean;
}

export interface DataTableProps<T> {
  label: string;
  ids: readonly string[];
  columns: readonly Column<T>[];
  /** Where the rows are read from, each by itself. */
  items: Collection<T>;
  sorting: Sorting;
  onSortingChange: (sorting: Sorting) => void;
  rowHeight: number;
  /** Makes the row's first cell a link with this name. */
  rowLink: (item: T, children: ReactNode) => ReactNode;
  rowAttributes?: (item: T) => Record<string, string>;
  testId?: string;
  /** A narrow cell before the first column, such as a box to choose the row. Memoised by the caller. */
  lead?: { header: ReactNode; cell: (item: T) => ReactNode } | undefined;
  /** The narrowest the table may be before it scrolls sideways. */
  minWidth: string;
}

const features = tableFeatures({ rowSortingFeature });
type IdRow = { id: string };
// The headers are the table's; its model of the rows would be made anew for all
// of them whenever one moves.
const noRows: IdRow[] = [];

/**
 * A table of any length: only the rows in sight are in the document, and a row
 * renders again only when its item changes. Rows come sorted from the caller;
 * the headers say by what.
 */
export function DataTable<T>(props: DataTableProps<T>) {
  const { label, ids, columns, sorting, onSortingChange, rowHeight, testId, minWidth, lead } = props;
  const t = useWebMessages();
  const defs = useMemo<ColumnDef<typeof features, IdRow>[]>(
    () => columns.map((c) => ({ id: c.id, header: c.header, enableSorting: c.sortable ?? false, sortDescFirst: c.descendingFirst ?? false })),
    [columns],
  );
  const table = useTable({
    features,
    data: noRows,
    columns: defs,
    getRowId: (row: IdRow) => row.id,
    manualSorting: true,
    enableSortingRemoval: false,
    state: { sorting: [{ id: sorting.column, desc: sorting.descending }] },
    onSortingChange: (update) => {
      const next = typeof update === "function" ? update([{ id: sorting.column, desc: sorting.descending }]) : update;
      if (next[0]) onSortingChange({ column: next[0].id, descending: next[0].desc });
    },
  });
  const body = useRef<HTMLDivElement>(null);
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    const element = body.current;
    if (!element) return;
    const measure = () => setTop(element.getBoundingClientRect().top + scrollY);
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(document.body);
    return () => observer.disconnect();
  }, []);
  const virtual = useWindowVirtualizer({
    count: ids.length,
    estimateSize: () => rowHeight,
    overscan: 8,
    scrollMargin: top,
    getItemKey: (i) => ids[i] ?? i,
  });
  const template = [...(lead ? ["2.75rem"] : []), ...columns.map((c) => c.width)].join(" ");
  const byId = useMemo(() => new Map(columns.map((c) => [c.id, c])), [columns]);
  return (
    <div className="overflow-x-auto">
      <div role="table" aria-label={label} aria-rowcount={ids.length + 1} data-testid={testId} style={{ minWidth }}>
        <div role="rowgroup">
          {table.getHeaderGroups().map((group) => (
            <div key={group.id} role="row" aria-rowindex={1} className="grid items-center gap-x-5 border-b border-line px-4 text-xs text-fg-dim" style={{ gridTemplateColumns: template }}>
              {lead && <div role="columnheader" className="-ml-2.5">{lead.header}</div>}
              {group.headers.map((header) => {
                const column = byId.get(header.column.id)!;
                const sorted = header.column.getIsSorted();
                return (
                  <div
                    key={header.id}
                    role="columnheader"
                    aria-sort={sorted === false ? undefined : sorted === "asc" ? "ascending" : "descending"}
                    className={classes("min-w-0 py-1", column.numeric && "text-right")}
                  >
                    {column.sortable ? (
                      <button
                        type="button"
                        onClick={header.column.getToggleSortingHandler()}
                        aria-label={t("sort.by", { column: column.header })}
                        className={classes("-mx-1 inline-flex min-h-8 items-center gap-1 rounded-md px-1 hover:text-fg", sorted !== false && "font-medium text-fg")}
                      >
                        {column.header}
                        {sorted === "asc" && <ArrowUp aria-hidden className="size-3.5" />}
                        {sorted === "desc" && <ArrowDown aria-hidden className="size-3.5" />}
                      </button>
                    ) : (
                      column.header
                    )}
                  </div>
                );
              })}
            </div>
          ))}
        </div>
        <div ref={body} role="rowgroup" className="relative" style={{ height: virtual.getTotalSize() }}>
          {virtual.getVirtualItems().map((item) => {
            const id = ids[item.index];
            if (id === undefined) return null;
            return (
              <Row
                key={id}
                id={id}
                index={item.index}
                offset={item.start - top}
                height={rowHeight}
                template={template}
                columns={columns as readonly Column<unknown>[]}
                lead={lead?.cell as ((item: unknown) => ReactNode) | undefined}
                items={props.items as Collection<unknown>}
                rowLink={props.rowLink as (item: unknown, children: ReactNode) => ReactNode}
                rowAttributes={props.rowAttributes as ((item: unknown) => Record<string, string>) | undefined}
              />
            );
          })}
        </div>
      </div>
    </div>
  );
}

interface RowProps {
  id: string;
  index: number;
  offset: number;
  height: number;
  template: string;
  columns: readonly Column<unknown>[];
  lead: ((item: unknown) => ReactNode) | undefined;
  items: Collection<unknown>;
  rowLink: (item: unknown, children: ReactNode) => ReactNode;
  rowAttributes: ((item: unknown) => Record<string, string>) | undefined;
}

const Row = memo(function Row({ id, index, offset, height, template, columns, lead, items, rowLink, rowAttributes }: RowProps) {
  const item = useItem(items, id);
  if (item === undefined) return null;
  return (
    <div
      role="row"
      aria-rowindex={index + 2}
      {...rowAttributes?.(item)}
      className="absolute inset-x-0 grid items-center gap-x-5 border-b border-line/60 px-4 text-sm hover:bg-ink-800/60 has-[a:focus-visible]:bg-ink-800/60"
      style={{ gridTemplateColumns: template, height, transform: `translateY(${offset}px)` }}
    >
      {lead && <div role="cell" className="-ml-2.5">{lead(item)}</div>}
      {columns.map((column, i) => (
        <div key={column.id} role="cell" className={classes("min-w-0", column.numeric && "text-right")}>
          {i === 0 ? rowLink(item, column.cell(item)) : column.cell(item)}
        </div>
      ))}
    </div>
  );
});
