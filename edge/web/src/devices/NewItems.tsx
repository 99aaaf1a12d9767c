import { Button, type Settled } from "@obedio/web";
import { ArrowUp } from "lucide-react";
import { useT } from "../context";

/** "12 new": live data waits while the pointer is on the list. Keeps its place so that nothing jumps. */
export function NewItems({ settled }: { settled: Settled }) {
  const t = useT();
  if (settled.waiting === 0) return null;
  return (
    <div className="pointer-events-none sticky top-3 z-20 flex h-0 justify-center">
      <Button kind="primary" icon={ArrowUp} className="pointer-events-auto rounded-full! shadow-raised" onClick={settled.settle}>
        {t("devices.new", { count: settled.waiting })}
      </Button>
    </div>
  );
}
