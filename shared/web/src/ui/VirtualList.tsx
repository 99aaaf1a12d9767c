import { useVirtualizer } from "@tanstack/react-virtual";
import { useRef, type ReactNode } from "react";
import { classes } from "./classes";

export interface VirtualListProps {
  label: string;
  count: number;
  /** What a row is, so that it keeps its element while others come and go. */
  rowKey: (index: number) => string | number;
  row: (index: number) => ReactNode;
  rowHeight: number;
  /** Called when the list is scrolled away from its beginning, and back. */
  onAway?: (away: boolean) => void;
  className?: string;
  testId?: string;
}

/** A list of any length that scrolls in itself: only the rows in sight are in the document. */
export function VirtualList({ label, count, rowKey, row, rowHeight, onAway, className, testId }: VirtualListProps) {
  const frame = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({ count, getScrollElement: () => frame.current, estimateSize: () => rowHeight, overscan: 8, getItemKey: rowKey });
  return (
    // oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- a region that scrolls is reached by the keyboard
    <div ref={frame} role="group" aria-label={label} tabIndex={0} data-testid={testId} onScroll={(e) => onAway?.(e.currentTarget.scrollTop > rowHeight / 2)} className={classes("overflow-y-auto", className)}>
      <ul className="relative" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map((item) => (
          <li key={item.key} className="absolute inset-x-0" style={{ height: rowHeight, transform: `translateY(${item.start}px)` }}>
            {row(item.index)}
          </li>
        ))}
      </ul>
    </div>
  );
}
