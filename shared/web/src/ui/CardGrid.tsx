import { useWindowVirtualizer } from "@tanstack/react-virtual";
import { useLayoutEffect, useRef, useState, type ReactNode } from "react";

export interface CardGridProps {
  ids: readonly string[];
  /** Renders one card; memoised by the caller. */
  card: (id: string) => ReactNode;
  /** The narrowest a card may be, in pixels. */
  minCard: number;
  cardHeight: number;
  gap: number;
  label: string;
  testId?: string;
}

// Up to this many cards are all kept in the document, so that searching in the
// page finds them; beyond, only the rows in sight are.
const keepAll = 200;

/** Cards in as many columns as fit, virtualised by rows. The window scrolls. */
export function CardGrid({ ids, card, minCard, cardHeight, gap, label, testId }: CardGridProps) {
  const grid = useRef<HTMLUListElement>(null);
  const [place, setPlace] = useState({ columns: 1, top: 0 });
  useLayoutEffect(() => {
    const element = grid.current;
    if (!element) return;
    const measure = () => {
      const box = element.getBoundingClientRect();
      const columns = Math.max(1, Math.floor((box.width + gap) / (minCard + gap)));
      const top = Math.round(box.top + scrollY);
      setPlace((p) => (p.columns === columns && p.top === top ? p : { columns, top }));
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(element);
    // What is above the grid changes its place too.
    observer.observe(document.body);
    return () => observer.disconnect();
  }, [gap, minCard]);
  const rows = Math.ceil(ids.length / place.columns);
  const virtual = useWindowVirtualizer({
    count: rows,
    estimateSize: () => cardHeight + gap,
    overscan: ids.length <= keepAll ? rows : 2,
    scrollMargin: place.top,
  });
  return (
    <ul ref={grid} aria-label={label} data-testid={testId} className="relative" style={{ height: Math.max(0, rows * (cardHeight + gap) - gap) }}>
      {virtual.getVirtualItems().flatMap((row) =>
        ids.slice(row.index * place.columns, (row.index + 1) * place.columns).map((id, column) => (
          <li
            key={id}
            className="absolute"
            style={{
              top: row.start - place.top,
              left: `calc(${(100 / place.columns) * column}% + ${(gap / place.columns) * column}px)`,
              width: `calc(${100 / place.columns}% - ${(gap * (place.columns - 1)) / place.columns}px)`,
              height: cardHeight,
            }}
          >
            {card(id)}
          </li>
        )),
      )}
    </ul>
  );
}
