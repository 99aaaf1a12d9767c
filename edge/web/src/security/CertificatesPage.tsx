import {
  Button, Chip, DataTable, DataView, FilterBox, RelativeTime, Skeletons, compileFilter, hasTerm, lookOf, toggleTerm, useDerived, useFormats, useItem, useSortedKeys, useStatus, useTicking, useVersion, viewStateOf,
  type Collection, type Column,
} from "@obedio/web";
import { useNavigate, useSearch } from "@tanstack/react-router";
import { FilePlus2 } from "lucide-react";
import { useCallback, useMemo, useState } from "react";
import type { Certificate } from "../api/resources";
import { useCanWrite, usePermits, useReach, useT } from "../context";
import { useServerList } from "../lists";
import { security } from "../messages/security";
import type { CertificatesSearch } from "../router";
import { Guard } from "../shell/Guard";
import { Page } from "../shell/Page";
import { AuthorityCard } from "./AuthorityCard";
import { CertificateDialog } from "./CertificateDialog";
import { CertificateState, certificateLook, certificateStates } from "./CertificateState";
import { certificateFilter, certificateKey, certificateSortNamed, certificateWords, compareCertificates, countStates } from "./certificates";
import { IssueCertificate } from "./IssueCertificate";
import { SecurityNav } from "./SecurityNav";

/** Every certificate of the site's authority, and the authority itself. */
export function CertificatesPage() {
  const t = useT(security);
  return (
    <Page title={t("security.title")}>
      <SecurityNav />
      <Guard needs="security.read"><Certificates /></Guard>
    </Page>
  );
}

function Certificates() {
  const t = useT(security);
  const { number, collator } = useFormats();
  const mayIssue = usePermits("provision.write");
  const canWrite = useCanWrite();
  const reach = useReach();
  const search = useSearch({ from: "/mqtt/security/certificates" });
  const navigate = useNavigate({ from: "/mqtt/security/certificates" });
  const change = useCallback(
    (next: Partial<CertificatesSearch>) => void navigate({ search: (held) => ({ ...held, ...next }), replace: true, resetScroll: false }),
    [navigate],
  );
  const { list, reload } = useServerList<Certificate>("/security/certificates", certificateKey, true);
  const text = search.filter ?? "";
  const descending = search.sort?.startsWith("-") ?? false;
  const sort = certificateSortNamed(search.sort?.replace(/^-/, ""));
  const filter = useMemo(() => compileFilter(certificateFilter, text), [text]);
  const compare = useMemo(() => compareCertificates(sort, collator), [sort, collator]);
  const ids = useSortedKeys(list, filter.matches, compare, descending);
  const counts = useDerived(list, countStates);
  const state = viewStateOf({ status: useStatus(list), total: list.size, shown: ids.length, reach });
  const [issuing, setIssuing] = useState(false);
  const open = useItem(list, search.serial ?? "");
  useVersion(list);
  const setFilter = (filter: string) => change({ filter: filter === "" ? undefined : filter });
  return (
    <div className="flex flex-col gap-5">
      <AuthorityCard />
      <section aria-label={t("security.nav.certificates")} className="flex flex-col gap-3">
        <div className="flex flex-wrap items-start gap-3">
          <FilterBox
            value={text}
            onChange={setFilter}
            label={t("certs.filter")}
            placeholder={t("certs.filterHint")}
            faults={filter.faults}
            words={certificateWords}
            testId="certificate-filter"
            className="min-w-0 flex-1 basis-60"
          />
          {mayIssue && <Button kind="primary" icon={FilePlus2} disabled={!canWrite} onClick={() => setIssuing(true)}>{t("issue.open")}</Button>}
        </div>
        <div className="-mx-4 flex gap-2 overflow-x-auto px-4 py-1 sm:mx-0 sm:flex-wrap sm:px-0">
          {certificateStates.filter((s) => counts[s] > 0 || hasTerm(text, "state", s)).map((s) => {
            const look = lookOf(certificateLook, s);
            return <Chip key={s} icon={look.icon} tone={look.tone} label={t(`cert.${s}`)} count={number(counts[s])} pressed={hasTerm(text, "state", s)} onPress={() => setFilter(toggleTerm(text, "state", s))} />;
          })}
        </div>
        <DataView
          state={state}
          quietLink
          onRetry={reload}
          onClearFilter={() => setFilter("")}
          empty={{ title: t("certs.empty"), detail: t("certs.empty.detail") }}
          skeleton={<Skeletons count={6} itemClass="h-13" className="flex flex-col gap-1" />}
        >
          <div className="hidden md:block">
            <Table list={list} ids={ids} sort={sort} descending={descending} onSort={(s) => change({ sort: s })} onOpen={(serial) => change({ serial })} />
          </div>
          <Cards list={list} ids={ids} onOpen={(serial) => change({ serial })} />
        </DataView>
      </section>
      {open && <CertificateDialog certificate={open} onOpenChange={(o) => !o && change({ serial: undefined })} onRevoked={reload} />}
      <IssueCertificate open={issuing} onOpenChange={setIssuing} onIssued={reload} />
    </div>
  );
}

interface ListProps {
  list: Collection<Certificate>;
  ids: readonly string[];
  onOpen: (serial: string) => void;
}

function Table({ list, ids, sort, descending, onSort, onOpen }: ListProps & { sort: string; descending: boolean; onSort: (sort: string) => void }) {
  const t = useT(security);
  const columns = useMemo<Column<Certificate>[]>(
    () => [
      { id: "device", header: t("certs.col.holder"), width: "minmax(10rem,1.4fr)", sortable: true, cell: (c) => <Holder certificate={c} /> },
      { id: "state", header: t("devices.col.state"), width: "9rem", sortable: true, cell: (c) => <CertificateState bare state={c.state} /> },
      { id: "expires", header: t("certs.col.expires"), width: "13rem", sortable: true, cell: (c) => <Expires certificate={c} /> },
      { id: "issued", header: t("certs.col.issued"), width: "8rem", sortable: true, cell: (c) => <RelativeTime at={c.issued_at} focusable={false} className="text-fg-muted" /> },
      { id: "serial", header: t("certs.col.serial"), width: "minmax(11rem,1fr)", cell: (c) => <code className="block truncate font-mono text-xs text-fg-dim">{c.serial}</code> },
    ],
    [t],
  );
  return (
    <div className="rounded-card border border-line bg-ink-850">
      <DataTable
        label={t("security.nav.certificates")}
        testId="certificate-table"
        ids={ids}
        columns={columns}
        items={list}
        sorting={{ column: sort, descending }}
        onSortingChange={(s) => onSort(`${s.descending ? "-" : ""}${s.column}`)}
        rowHeight={52}
        minWidth="52rem"
        rowAttributes={(c) => ({ "data-serial": c.serial })}
        rowLink={(c, children) => (
          <button type="button" onClick={() => onOpen(c.serial)} className="reveals-time flex min-h-control w-full items-center truncate rounded-md text-left underline-offset-4 hover:underline">
            {children}
          </button>
        )}
      />
    </div>
  );
}

/** On a phone: one card a certificate. */
function Cards({ list, ids, onOpen }: ListProps) {
  const t = useT(security);
  const [most, setMost] = useState(50);
  return (
    <div className="flex flex-col gap-3 md:hidden">
      <ul aria-label={t("security.nav.certificates")} className="divide-y divide-line rounded-card border border-line bg-ink-850">
        {ids.slice(0, most).map((serial) => {
          const c = list.get(serial);
          return c && (
            <li key={serial}>
              <button type="button" onClick={() => onOpen(serial)} className="flex min-h-16 w-full items-center justify-between gap-3 px-4 py-2 text-left">
                <span className="min-w-0">
                  <Holder certificate={c} />
                  <span className="mt-0.5 block text-xs text-fg-dim"><Expires certificate={c} /></span>
                </span>
                <CertificateState state={c.state} />
              </button>
            </li>
          );
        })}
      </ul>
      {ids.length > most && <Button onClick={() => setMost(most + 100)}>{t("list.more")}</Button>}
    </div>
  );
}

export function Holder({ certificate: c }: { certificate: Certificate }) {
  const t = useT(security);
  return <span className="block truncate font-medium normal-nums">{c.device_id ?? t(c.kind === "authority" ? "certs.authority" : "certs.server")}</span>;
}

/** Milliseconds from which on a date says enough. */
const farAway = 180 * 86_400_000;

export function Expires({ certificate: c }: { certificate: Certificate }) {
  const { day } = useFormats();
  const end = Date.parse(c.not_after);
  const far = useTicking((now) => Math.abs(end - now) > farAway);
  // "in 103 wk" says less than the date.
  return far ? day(end) : <>{day(end)} · <RelativeTime at={c.not_after} focusable={false} className={c.state === "due" ? "text-warn" : c.state === "expired" ? "text-bad" : "text-fg-muted"} /></>;
}
