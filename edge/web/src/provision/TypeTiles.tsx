import { deviceTypes, typeIcon, useWords, type DeviceType } from "@obedio/web";
import { useT } from "../context";
import { provision } from "../messages/provision";

/** What it is: four large tiles, one choice. */
export function TypeTiles({ value, onChange }: { value: string; onChange: (type: DeviceType) => void }) {
  const t = useT(provision);
  const words = useWords();
  return (
    <fieldset>
      <legend className="mb-1.5 text-sm font-medium">{t("provision.type")}</legend>
      <div className="grid grid-cols-2 gap-3 sm:grid-cols-4">
        {deviceTypes.map((type) => {
          const Icon = typeIcon(type);
          return (
            <label
              key={type}
              className="flex min-h-24 cursor-pointer flex-col items-center justify-center gap-2 rounded-card border border-edge text-sm has-checked:border-accent has-checked:bg-accent-soft has-checked:text-accent-fg has-focus-visible:outline-2 has-focus-visible:outline-offset-2 has-focus-visible:outline-accent-fg"
            >
              <input type="radio" name="type" value={type} checked={value === type} onChange={() => onChange(type)} className="sr-only" />
              <Icon aria-hidden className="size-7" />
              {words.type(type)}
            </label>
          );
        })}
      </div>
    </fieldset>
  );
}
