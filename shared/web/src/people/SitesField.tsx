import { X } from "lucide-react";
import { useId, useMemo, useState, useSyncExternalStore } from "react";
import { useFormats } from "../i18n/context";
import { Choice, TextField } from "../ui/Field";
import { usePeopleT, useProgram, type NamedSites } from "./program";

/** So many sites are offered; the rest by a part of their names. */
const offered = 8;
const noSites: NamedSites = { get: () => undefined, values: () => [][Symbol.iterator](), version: 0, subscribe: () => () => {} };

export interface SitesFieldProps {
  value: readonly string[];
  onChange: (sites: string[]) => void;
  error?: string | undefined;
}

/** The sites of a role that is bound to some: all of them, or a list. */
export function SitesField({ value, onChange, error }: SitesFieldProps) {
  const t = usePeopleT();
  const id = useId();
  const { collator } = useFormats();
  const sites = useProgram().sites ?? noSites;
  const version = useSyncExternalStore(sites.subscribe, () => sites.version);
  const [text, setText] = useState("");
  const all = value.includes("*");
  const found = useMemo(() => {
    const wanted = text.trim().toLowerCase();
    return [...sites.values()]
      .filter((s) => !value.includes(s.site_id) && (s.name.toLowerCase().includes(wanted) || s.site_id.toLowerCase().includes(wanted)))
      .sort((a, b) => collator.compare(a.name, b.name));
    // oxlint-disable-next-line react-hooks/exhaustive-deps -- version stands for the sites
  }, [sites, version, text, value, collator]);
  const nameOf = (site: string) => sites.get(site)?.name ?? site;
  return (
    <div className="flex flex-col gap-3" data-testid="sites-field">
      <Choice
        legend={t("sites.legend")}
        value={all ? "all" : "some"}
        options={[{ value: "all", label: t("sites.all") }, { value: "some", label: t("sites.some") }]}
        onChange={(v) => onChange(v === "all" ? ["*"] : [])}
      />
      {!all && (
        <div className="flex flex-col gap-3 rounded-control border border-line p-3">
          {value.length > 0 && (
            <ul aria-label={t("sites.chosen", { n: value.length })} className="flex flex-wrap gap-2">
              {value.map((site) => (
                <li key={site}>
                  <button
                    type="button"
                    onClick={() => onChange(value.filter((s) => s !== site))}
                    aria-label={t("sites.remove", { name: nameOf(site) })}
                    className="inline-flex min-h-control items-center gap-2 rounded-full border border-accent bg-accent-soft px-3.5 text-sm text-accent-fg"
                  >
                    {nameOf(site)}
                    <X aria-hidden className="size-4" />
                  </button>
                </li>
              ))}
            </ul>
          )}
          <TextField label={t("sites.filter")} value={text} onChange={(e) => setText(e.target.value)} autoComplete="off" autoCapitalize="none" spellCheck={false} />
          {found.length === 0
            ? (text !== "" || value.length === 0) && <p className="text-xs text-fg-dim">{t("sites.none")}</p>
            : (
              <ul className="flex flex-wrap gap-2" aria-label={t("sites.legend")}>
                {found.slice(0, offered).map((site) => (
                  <li key={site.site_id}>
                    <button
                      type="button"
                      onClick={() => { onChange([...value, site.site_id]); setText(""); }}
                      title={site.site_id}
                      className="inline-flex min-h-control items-center rounded-full border border-edge px-3.5 text-sm text-fg-muted hover:bg-ink-800 hover:text-fg"
                    >
                      {site.name}
                    </button>
                  </li>
                ))}
              </ul>
            )}
          {found.length > offered && <p className="text-xs text-fg-dim">{t("sites.more", { n: found.length - offered })}</p>}
        </div>
      )}
      {error && <p id={`${id}-error`} role="status" className="text-xs text-bad">{error}</p>}
    </div>
  );
}
