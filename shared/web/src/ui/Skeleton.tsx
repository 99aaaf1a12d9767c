import { useWebMessages } from "../i18n/context";
import { classes } from "./classes";

/** A grey place for what is coming; appears only after 200 ms. */
export function Skeleton({ className }: { className?: string }) {
  return <div aria-hidden className={classes("skeleton-in rounded-control bg-ink-800", className)} />;
}

export interface SkeletonsProps {
  count: number;
  /** The size of one, equal to that of the real thing, so that nothing jumps. */
  itemClass: string;
  className?: string;
}

export function Skeletons({ count, itemClass, className }: SkeletonsProps) {
  const t = useWebMessages();
  return (
    <div role="status" aria-label={t("view.loading")} className={className}>
      {Array.from({ length: count }, (_, i) => <Skeleton key={i} className={classes("rounded-card", itemClass)} />)}
    </div>
  );
}
