import { Ban, Clock3, KeySquare, TriangleAlert } from "lucide-react";
import { useState } from "react";
import type { Collection } from "../live/collection";
import { useKeys, useStatus, useVersion } from "../live/hooks";
import { RelativeTime, useTicking } from "../time/hooks";
import { Button } from "../ui/Button";
import { Section } from "../ui/Card";
import { DataView } from "../ui/DataView";
import { Mark } from "../ui/Pill";
import { Skeletons } from "../ui/Skeleton";
import { useToast } from "../ui/Toasts";
import { viewStateOf } from "../ui/view-state";
import { expiryState } from "./expiry";
import { Confirm, RecordList, RolePill, useRightName, useSitesText, type RecordColumn } from "./parts";
import { useCanWrite, usePeople, usePeopleT, useProgram, useRoles } from "./program";
import { TokenDialog } from "./TokenForm";
import type { Token } from "./types";

const newest = (tokens: Collection<Token>) => [...tokens.values()].sort((a, b) => b.created_at.localeCompare(a.created_at)).map((x) => x.id);

export function TokensTab() {
  const t = usePeopleT();
  const people = usePeople();
  const toast = useToast();
  const { reach, retry, session } = useProgram();
  const canWrite = useCanWrite();
  const roles = useRoles();
  const sitesText = useSitesText();
  const rightName = useRightName();
  const [making, setMaking] = useState(false);
  const [revoking, setRevoking] = useState<Token>();
  const ids = useKeys(people.tokens, newest);
  const status = useStatus(people.tokens);
  useVersion(people.users);
  const state = viewStateOf({ status, total: ids.length, shown: ids.length, reach });
  const bySite = roles.some((r) => r.by_site);
  const madeBy = (token: Token) => {
    if (token.person_id === undefined) return t("tokens.local");
    if (token.person_id === session.user.user_id) return session.user.name || session.user.username;
    return people.users.get(token.person_id)?.name ?? t("sessions.unknown");
  };
  const make = <Button kind="primary" icon={KeySquare} disabled={!canWrite} onClick={() => setMaking(true)}>{t("tokens.make")}</Button>;
  const columns: RecordColumn<Token>[] = [
    { id: "name", header: t("tokens.col.name"), width: "minmax(10rem,1.6fr)", cell: (x) => <span className="block truncate font-medium">{x.name}</span> },
    { id: "role", header: t("people.col.role"), width: "minmax(9rem,1fr)", cell: (x) => <RolePill role={x.role} /> },
    {
      id: "may",
      header: t("tokens.col.may"),
      width: "minmax(8rem,1fr)",
      cell: (x) => (
        <span title={x.scopes?.map(rightName).join(", ")} className="text-fg-muted">
          {x.scopes ? t("tokens.scopes", { n: x.scopes.length, of: roles.find((r) => r.role === x.role)?.permissions.length ?? x.scopes.length }) : t("tokens.whole")}
        </span>
      ),
    },
    ...(bySite ? [{ id: "sites", header: t("people.col.sites"), width: "minmax(6rem,.8fr)", cell: (x: Token) => <span className={x.sites ? "" : "text-fg-dim"}>{sitesText(x.sites)}</span> }] : []),
    { id: "by", header: t("tokens.col.by"), width: "minmax(7rem,1fr)", cell: (x) => <span className="block truncate text-fg-muted">{madeBy(x)}</span> },
    { id: "expires", header: t("tokens.col.expires"), width: "minmax(8.5rem,1fr)", cell: (x) => <Expires at={x.expires_at} /> },
    { id: "used", header: t("tokens.col.used"), width: "minmax(6rem,.8fr)", cell: (x) => (x.used_at ? <RelativeTime at={x.used_at} className="text-fg-muted" /> : <span className="text-fg-dim">{t("tokens.never")}</span>) },
  ];
  return (
    <Section title={t("tokens.title")} note={t("tokens.lead")} actions={make}>
      <DataView
        state={state}
        quietLink
        onRetry={() => { retry(); people.load(); }}
        empty={{ title: t("tokens.empty"), detail: t("tokens.empty.detail"), action: make }}
        skeleton={<Skeletons count={3} itemClass="h-11" className="flex flex-col gap-3 p-4" />}
      >
        <RecordList
          label={t("tokens.title")}
          testId="tokens"
          items={ids.flatMap((id) => people.tokens.get(id) ?? [])}
          keyOf={(x) => x.id}
          columns={columns}
          attributes={(x) => ({ "data-token": x.name })}
          action={(x) => <Button icon={Ban} disabled={!canWrite} aria-label={t("tokens.revoke.label", { name: x.name })} onClick={() => setRevoking(x)}>{t("tokens.revoke")}</Button>}
        />
      </DataView>
      <TokenDialog open={making} onClose={() => setMaking(false)} />
      <Confirm
        open={revoking !== undefined}
        onClose={() => setRevoking(undefined)}
        title={t("tokens.revoke.title", { name: revoking?.name ?? "" })}
        detail={t("tokens.revoke.detail")}
        label={t("tokens.revoke.label", { name: revoking?.name ?? "" })}
        icon={Ban}
        work={() => people.revokeToken(revoking!.id)}
        onDone={() => {
          toast({ tone: "ok", title: t("tokens.revoked", { name: revoking?.name ?? "" }) });
          setRevoking(undefined);
        }}
      />
    </Section>
  );
}

function Expires({ at }: { at: string | null }) {
  const t = usePeopleT();
  const state = useTicking((now) => expiryState(at, now));
  if (state === "never") return <span className="text-fg-dim">{t("tokens.unlimited")}</span>;
  if (state === "expired") return <Mark tone="bad" icon={TriangleAlert}>{t("tokens.expired")}</Mark>;
  const time = <RelativeTime at={at ?? undefined} className={state === "soon" ? "" : "text-fg-muted"} />;
  return state === "soon" ? <span className="inline-flex items-center gap-1.5 text-warn"><Clock3 aria-hidden className="size-4" />{time}</span> : time;
}
