import { Button, DataView, Facts, Fold, Notice, RelativeTime, Section, Skeletons, TextField, useFormats } from "@obedio/web";
import { useQuery } from "@tanstack/react-query";
import { BookOpen, FileJson, ScrollText } from "lucide-react";
import { useMemo, useState, type ReactNode } from "react";
import { useHub, useSystem, useT } from "../context";
import { keeping as texts } from "../messages/keeping";
import { FileLink, buttonLook } from "../shell/ButtonLink";
import { Page } from "../shell/Page";
import { find, type Library, type Licences } from "./licences";

/** What this hub is, and whose work is in it. */
export function AboutPage() {
  const t = useT(texts);
  return (
    <Page title={t("about.title")}>
      <div className="flex flex-col gap-5">
        <div className="grid grid-cols-[minmax(0,1fr)] items-start gap-5 lg:grid-cols-2">
          <This />
          <ForPrograms />
        </div>
        <LicencesCard />
      </div>
    </Page>
  );
}

function This() {
  const t = useT(texts);
  const system = useSystem();
  if (!system) return <Skeletons count={1} itemClass="h-48" />;
  const mono = (text: string) => <code className="font-mono text-xs break-all">{text}</code>;
  return (
    <Section title={t("about.hub")} testId="about-hub">
      <Facts
        items={[
          { label: t("about.version"), value: <span data-testid="version" className="normal-nums">{system.version}</span> },
          { label: t("about.site"), value: <>{system.site_name}{system.site_name !== system.site && <span className="text-fg-dim"> {system.site}</span>}</> },
          { label: t("about.started"), value: <RelativeTime at={system.started_at} /> },
        ]}
      />
      <Facts
        className="grid-cols-1! border-t border-line"
        items={[
          { label: t("about.hubId"), value: mono(system.hub_id) },
          { label: t("about.epoch"), value: <>{mono(system.epoch)}<span className="mt-0.5 block text-xs text-fg-dim">{t("about.epoch.hint")}</span></> },
        ]}
      />
    </Section>
  );
}

function ForPrograms() {
  const t = useT(texts);
  const hub = useHub();
  return (
    <Section title={t("about.api")}>
      <div className="flex flex-col items-start gap-3 p-4">
        <p className="text-sm text-fg-muted">{t("about.api.detail")}</p>
        <div className="flex flex-wrap gap-3">
          <a href="/api/docs" className={buttonLook()}><BookOpen aria-hidden className="size-4.5" />{t("about.api.open")}</a>
          <FileLink kind="quiet" href={hub.api.url("/openapi.json")} name="obedio-hub-openapi.json" icon={FileJson}>{t("about.api.file")}</FileLink>
        </div>
      </div>
    </Section>
  );
}

function LicencesCard() {
  const t = useT(texts);
  const { number } = useFormats();
  const [word, setWord] = useState("");
  const { data, isPending, isError, refetch } = useQuery({
    queryKey: ["licences"],
    queryFn: async ({ signal }): Promise<Licences | null> => {
      const answer = await fetch("/licences.json", { signal, headers: { Accept: "application/json" } });
      return answer.ok ? ((await answer.json()) as Licences) : null;
    },
    staleTime: Infinity,
  });
  const found = useMemo(() => (data ? { program: find(data.program, word), pages: find(data.pages, word) } : undefined), [data, word]);
  const total = data ? data.program.length + data.pages.length : 0;
  const shown = found ? found.program.length + found.pages.length : 0;
  return (
    <Section title={t("about.licences")} note={data && t("about.licences.note", { n: number(total) })} testId="licences">
      {data === null || isError ? (
        <Notice testId="licences-none" icon={ScrollText} title={t("about.licences.none")} detail={t("about.licences.none.detail")}>
          <Button onClick={() => void refetch()}>{t("view.retry")}</Button>
        </Notice>
      ) : (
        <div className="flex flex-col gap-4 p-4">
          <p className="text-sm text-fg-muted">{t("about.licences.detail")}</p>
          <div className="max-w-md"><TextField label={t("about.licences.find")} type="search" value={word} onChange={(e) => setWord(e.target.value)} /></div>
          <DataView
            state={isPending ? { kind: "loading" } : shown === 0 ? { kind: "filtered-empty", total } : { kind: "live" }}
            onClearFilter={() => setWord("")}
            empty={{ title: t("about.licences.none") }}
            skeleton={<Skeletons count={6} itemClass="h-11" className="flex flex-col gap-2" />}
          >
            {data && found && (
              <>
                <Group title={t("about.licences.program")} libraries={found.program} texts={data.texts} />
                <Group title={t("about.licences.pages")} libraries={found.pages} texts={data.texts} />
              </>
            )}
          </DataView>
        </div>
      )}
    </Section>
  );
}

function Group({ title, libraries, texts: all }: { title: ReactNode; libraries: readonly Library[]; texts: readonly string[] }) {
  if (libraries.length === 0) return null;
  return (
    <section className="mb-4 last:mb-0">
      <h3 className="text-sm font-medium">{title}</h3>
      <ul className="mt-1 grid grid-cols-[minmax(0,1fr)] items-start gap-x-6 lg:grid-cols-2 2xl:grid-cols-3">
        {libraries.map((l) => <li key={l.name} data-library={l.name} className="border-t border-line"><OneLibrary library={l} texts={all} /></li>)}
      </ul>
    </section>
  );
}

/** The text is put into the page when somebody wants to read it: there are many, and they are long. */
function OneLibrary({ library, texts: all }: { library: Library; texts: readonly string[] }) {
  const [open, setOpen] = useState(false);
  return (
    <Fold
      title={
        <>
          <span className="block break-all">{library.name}</span>
          <span className="block text-xs font-normal break-all text-fg-dim">{[library.version, library.licence].filter(Boolean).join(" · ")}</span>
        </>
      }
      onToggle={setOpen}
      className="[&>summary]:py-1.5 [&>summary>span]:min-w-0 [&>summary>span]:shrink"
    >
      {open && library.texts.map((i) => <pre key={i} className="mb-3 max-h-96 overflow-y-auto rounded-control bg-ink-900 p-3 font-mono text-xs break-words whitespace-pre-wrap text-fg-muted">{all[i]}</pre>)}
    </Fold>
  );
}
