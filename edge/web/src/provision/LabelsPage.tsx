import { Button, QrCode, Section, TextField, useFormats, useWords, useWork } from "@obedio/web";
import { useSearch } from "@tanstack/react-router";
import { Printer, QrCode as QrIcon } from "lucide-react";
import { useState } from "react";
import type { NewProvisionToken } from "../api/resources";
import { useCanWrite, useHub, useSystem, useT } from "../context";
import { provision } from "../messages/provision";
import { BackLink } from "../shell/BackLink";
import { Guard } from "../shell/Guard";
import { Page } from "../shell/Page";
import { LifeField, longestLife } from "./LifeField";
import { useRoomName } from "./rooms";
import { makeToken } from "./tokens";

/** Labels on one sheet at most: what fits three pages of A4. */
const most = 36;

/** Several codes on paper, for devices that are to be hung up later. */
export function LabelsPage() {
  const t = useT(provision);
  return (
    <Page title={t("labels.title")}>
      <BackLink to="/mqtt/devices/provision">{t("provision.title")}</BackLink>
      <Guard needs="provision.write"><Labels /></Guard>
    </Page>
  );
}

function Labels() {
  const t = useT(provision);
  const words = useWords();
  const hub = useHub();
  const canWrite = useCanWrite();
  const work = useWork();
  const { type = "button", room = "", profile } = useSearch({ from: "/mqtt/devices/provision/labels" });
  const [count, setCount] = useState("6");
  const [life, setLife] = useState(longestLife);
  const [tokens, setTokens] = useState<NewProvisionToken[]>([]);
  const roomName = useRoomName();
  const n = Number(count);
  const wrong = !Number.isInteger(n) || n < 1 || n > most;
  const make = async () => {
    for (let i = 0; i < n; i++) {
      const token = await makeToken(hub.api, { type: type as "button", room, life_s: life, ...(profile ? { security_profile: profile } : {}) });
      setTokens((held) => [...held, token]);
    }
  };
  return (
    <div className="mx-auto flex max-w-5xl flex-col gap-6">
      {tokens.length === 0 || work.busy ? (
        <Section title={t("labels.make")} note={t("joining.what", { what: words.type(type), room: roomName(room) })} className="print:hidden">
          <form
            noValidate
            data-testid="make-labels"
            onSubmit={(e) => {
              e.preventDefault();
              if (!wrong && !work.busy) void work.run(make);
            }}
            className="flex flex-col gap-4 p-4"
          >
            <div className="grid gap-4 sm:grid-cols-2">
              <TextField label={t("labels.count")} error={wrong ? t("labels.count.wrong", { most }) : undefined} type="number" inputMode="numeric" min={1} max={most} value={count} onChange={(e) => setCount(e.target.value)} />
              <LifeField value={life} onChange={setLife} />
            </div>
            {work.failure && <p role="status" className="rounded-control bg-bad-soft px-3 py-2 text-sm text-bad">{work.failure}</p>}
            <Button kind="primary" large type="submit" icon={QrIcon} busy={work.busy} disabled={!canWrite || room === ""}>
              {work.busy ? t("labels.making", { n: tokens.length, of: n }) : t("labels.make")}
            </Button>
          </form>
        </Section>
      ) : (
        <div className="flex flex-wrap items-center justify-between gap-3 rounded-card border border-line bg-ink-850 px-4 py-3 print:hidden">
          <p className="min-w-0 flex-1 basis-60 text-sm text-fg-muted">{t("labels.once")}</p>
          <Button kind="primary" icon={Printer} onClick={() => print()}>{t("labels.print")}</Button>
        </div>
      )}
      {work.failure && tokens.length > 0 && <p role="status" className="rounded-control bg-bad-soft px-3 py-2 text-sm text-bad print:hidden">{work.failure}</p>}
      {tokens.length > 0 && (
        <ul aria-label={t("labels.title")} data-testid="labels" className="grid grid-cols-1 gap-4 sm:grid-cols-2 lg:grid-cols-3 print:grid-cols-3 print:gap-[6mm]">
          {tokens.map((token) => <Printed key={token.id} token={token} room={roomName(token.room)} />)}
        </ul>
      )}
    </div>
  );
}

function Printed({ token, room }: { token: NewProvisionToken; room: string }) {
  const t = useT(provision);
  const words = useWords();
  const { minute } = useFormats();
  const system = useSystem();
  return (
    <li className="flex break-inside-avoid flex-col items-center gap-2 rounded-card bg-paper p-4 text-center text-on-paper print:rounded-none print:border print:border-dashed print:p-[3mm]">
      <p className="text-sm font-semibold">{t("joining.what", { what: words.type(token.type), room })}</p>
      {token.qr_svg && <QrCode svg={token.qr_svg} label={t("joining.qr")} className="w-full max-w-64" />}
      <p className="font-mono text-base font-semibold whitespace-nowrap">{token.code}</p>
      <p className="text-xs">
        <span className="block">{system?.site_name}</span>
        {t("labels.until", { time: minute(Date.parse(token.expires_at)) })}
      </p>
    </li>
  );
}
