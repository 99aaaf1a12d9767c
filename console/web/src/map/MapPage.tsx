import {
  DataView, IconButton, LinkStateBadge, RelativeTime, Section, Skeletons, linkLook, lookOf, useDerived, useFormats, useStatus, viewStateOf, type Tone,
} from "@obedio/web";
import { Link } from "@tanstack/react-router";
import { Globe, Minus, Plus } from "lucide-react";
import { useEffect, useMemo, useRef, useState, type PointerEvent } from "react";
import type { Site } from "../api/resources";
import { useConsole, useReach, useT } from "../context";
import { map as texts } from "../messages/map";
import { Page } from "../shell/Page";
import { coast } from "./coast";
import { around, aspect, placesOf, positioned, within, world, worstOf, zoom, type Place, type View } from "./places";

const fills: Record<Tone, string> = {
  ok: "fill-ok", warn: "fill-warn", bad: "fill-bad", accent: "fill-accent", idle: "fill-idle", "warn-strong": "fill-warn", "bad-strong": "fill-bad",
};

/** Where sites are, as far as somebody has said; the list beside it has the same. */
export function MapPage() {
  const t = useT(texts);
  const console = useConsole();
  const { number } = useFormats();
  const sites = useDerived(console.sites, positioned);
  const total = console.sites.size;
  const [chosen, setChosen] = useState<string>();
  const [view, setView] = useState<View>();
  const shown = view ?? around(sites);
  const places = useMemo(() => placesOf(sites, shown), [sites, shown]);
  const listed = chosen === undefined ? sites : (places.find((p) => p.key === chosen)?.sites ?? sites);
  const state = viewStateOf({ status: useStatus(console.sites), total: sites.length, shown: sites.length, reach: useReach() });
  const without = total - sites.length;
  return (
    <Page title={t("map.title")} name={t("map.title")}>
      <DataView state={state} quietLink onRetry={console.retry} empty={{ title: t("map.none"), detail: t("map.none.detail") }} skeleton={<Skeletons count={1} itemClass="h-96" className="flex flex-col" />}>
        <div className="grid items-start gap-5 xl:grid-cols-[minmax(0,1fr)_20rem]">
          <div className="min-w-0">
            <World view={shown} places={places} chosen={chosen} onView={setView} onChoose={setChosen} />
            <p className="mt-2 text-xs text-fg-dim">{t("map.hint")}</p>
          </div>
          <Section title={t("map.list")} note={number(listed.length)}>
            <ul className="max-h-[70dvh] divide-y divide-line/60 overflow-y-auto" aria-label={t("map.list")}>
              {listed.slice(0, 500).map((s) => <Row key={s.site_id} site={s} />)}
            </ul>
            {without > 0 && <p className="border-t border-line px-4 py-2 text-xs text-fg-dim">{t("map.without", { n: without, shown: number(without) })}</p>}
          </Section>
        </div>
      </DataView>
    </Page>
  );
}

function Row({ site: s }: { site: Site }) {
  const t = useT(texts);
  return (
    <li data-testid="map-site" className="px-4 py-2 text-sm">
      <span className="flex items-center justify-between gap-3">
        <Link to="/sites/$siteId" params={{ siteId: s.site_id }} className="min-w-0 truncate font-medium underline-offset-4 hover:underline">{s.name}</Link>
        <LinkStateBadge bare state={s.link_state} />
      </span>
      {s.position && (
        <span className="text-xs text-fg-dim">
          {`${s.position.lat.toFixed(2)}, ${s.position.lng.toFixed(2)}`}{s.position.at && <>{` · ${t("map.at")} `}<RelativeTime at={s.position.at} /></>}
        </span>
      )}
    </li>
  );
}

interface WorldProps {
  view: View;
  places: readonly Place[];
  chosen: string | undefined;
  onView: (view: View | undefined) => void;
  onChoose: (key: string | undefined) => void;
}

function World({ view, places, chosen, onView, onChoose }: WorldProps) {
  const t = useT(texts);
  const { number } = useFormats();
  const svg = useRef<SVGSVGElement>(null);
  const drag = useRef<{ x: number; y: number; view: View } | undefined>(undefined);
  // Pinching, or the wheel with Ctrl: the wheel alone scrolls the page. React's own listener could not keep the browser from zooming.
  useEffect(() => {
    const element = svg.current;
    if (!element) return;
    const v = view;
    const wheel = (e: WheelEvent) => {
      if (!e.ctrlKey && !e.metaKey) return;
      e.preventDefault();
      const box = element.getBoundingClientRect();
      const at = { x: v.x + ((e.clientX - box.left) / box.width) * v.width, y: v.y + ((e.clientY - box.top) / box.height) * v.width * aspect };
      onView(zoom(v, e.deltaY > 0 ? 1.25 : 0.8, at));
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  }, [onView, view]);
  const move = (e: PointerEvent<SVGSVGElement>) => {
    const begun = drag.current;
    if (!begun) return;
    const per = begun.view.width / e.currentTarget.getBoundingClientRect().width;
    onView(within({ width: begun.view.width, x: begun.view.x - (e.clientX - begun.x) * per, y: begun.view.y - (e.clientY - begun.y) * per }));
  };
  const centre = { x: view.x + view.width / 2, y: view.y + (view.width * aspect) / 2 };
  const unit = view.width / 100;
  return (
    <div className="relative overflow-hidden rounded-card border border-line bg-ink-900">
      <svg
        ref={svg}
        role="group"
        aria-label={t("map.label")}
        viewBox={`${view.x} ${view.y} ${view.width} ${view.width * aspect}`}
        className="block aspect-[2/1] w-full cursor-grab touch-pan-y active:cursor-grabbing"
        onPointerDown={(e) => { drag.current = { x: e.clientX, y: e.clientY, view }; }}
        onPointerMove={move}
        onPointerUp={() => { drag.current = undefined; }}
        onPointerLeave={() => { drag.current = undefined; }}
      >
        <path d={coast} className="fill-ink-800 stroke-line" strokeWidth={unit * 0.12} aria-hidden />
        {places.map((p) => <Mark key={p.key} place={p} unit={unit} chosen={p.key === chosen} label={p.sites.length === 1 ? p.sites[0]!.name : t("map.sites", { n: p.sites.length, shown: number(p.sites.length) })} onPress={() => onChoose(p.key === chosen ? undefined : p.key)} />)}
      </svg>
      <div className="absolute top-2 right-2 flex flex-col gap-1 rounded-control bg-ink-900/80">
        <IconButton icon={Plus} label={t("map.in")} onClick={() => onView(zoom(view, 0.5, centre))} />
        <IconButton icon={Minus} label={t("map.out")} onClick={() => onView(zoom(view, 2, centre))} />
        <IconButton icon={Globe} label={t("map.whole")} onClick={() => onView(world)} />
      </div>
    </div>
  );
}

function Mark({ place, unit, chosen, label, onPress }: { place: Place; unit: number; chosen: boolean; label: string; onPress: () => void }) {
  const { number } = useFormats();
  const look = lookOf(linkLook, worstOf(place));
  const many = place.sites.length;
  const r = unit * (many === 1 ? 0.9 : Math.min(2.4, 1.2 + Math.log10(many) * 0.6));
  return (
    <g
      role="button"
      tabIndex={0}
      aria-pressed={chosen}
      aria-label={label}
      className="group cursor-pointer outline-none"
      onClick={onPress}
      onKeyDown={(e) => {
        if (e.key !== "Enter" && e.key !== " ") return;
        e.preventDefault();
        onPress();
      }}
    >
      <title>{label}</title>
      <circle cx={place.x} cy={place.y} r={r * 1.6} className="fill-transparent group-focus-visible:stroke-accent-fg" strokeWidth={unit * 0.25} />
      <circle cx={place.x} cy={place.y} r={r} className={`${fills[look.tone]} ${chosen ? "stroke-fg" : "stroke-ink-950"}`} strokeWidth={unit * (chosen ? 0.3 : 0.15)} />
      {many > 1 && <text x={place.x} y={place.y + r * 0.38} fontSize={r * 1.05} textAnchor="middle" className="pointer-events-none fill-ink-950 font-semibold select-none" aria-hidden>{number(many)}</text>}
    </g>
  );
}
