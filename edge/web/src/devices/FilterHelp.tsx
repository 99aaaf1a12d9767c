import { Button, Dialog } from "@obedio/web";
import { useT } from "../context";
import { filterHelp } from "../messages/filter-help";

const fields = ["state", "type", "room", "battery", "battery_days_left", "signal", "via", "tag", "profile", "firmware", "id", "name"] as const;
const examples = ["state:lost,late", "room:cabin-1*", "type:button battery:<20", "battery_days_left:<14", "via:rep-1", "-tag:spare"] as const;

/** What can be typed to find devices: the words, and examples that can be taken. */
export function FilterHelp({ open, onOpenChange, onTake }: { open: boolean; onOpenChange: (open: boolean) => void; onTake: (filter: string) => void }) {
  const t = useT(filterHelp);
  return (
    <Dialog open={open} onOpenChange={onOpenChange} title={t("filterHelp.title")} description={t("filterHelp.lead")} testId="filter-help">
      <dl className="grid grid-cols-[auto_minmax(0,1fr)] gap-x-4 gap-y-1.5 text-sm">
        {fields.map((f) => (
          <div key={f} className="contents">
            <dt><code className="font-mono text-xs text-accent-fg">{`${f}:`}</code></dt>
            <dd className="text-fg-muted">{t(`filterHelp.${f}`)}</dd>
          </div>
        ))}
      </dl>
      <h3 className="mt-5 mb-2 text-sm font-medium">{t("filterHelp.examples")}</h3>
      <div className="flex flex-wrap gap-2">
        {examples.map((e) => <Button key={e} className="font-mono text-xs!" onClick={() => onTake(e)}>{e}</Button>)}
      </div>
    </Dialog>
  );
}
