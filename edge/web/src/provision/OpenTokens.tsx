import { Button, RelativeTime, Section, typeIcon, useCell, useWords, useWork } from "@obedio/web";
import { useQuery } from "@tanstack/react-query";
import { ChevronRight, X } from "lucide-react";
import type { ProvisionToken } from "../api/resources";
import { useCanWrite, useHub, useT } from "../context";
import { provision } from "../messages/provision";
import { useRoomName } from "./rooms";
import { openTokens, revokeToken } from "./tokens";

/** What still waits for its device. Nothing is shown while nothing waits. */
export function OpenTokens({ onShow }: { onShow: (tokenId: string) => void }) {
  const t = useT(provision);
  const hub = useHub();
  const readings = useCell(hub.readings);
  const roomName = useRoomName();
  const query = useQuery({ queryKey: ["open-tokens", readings], queryFn: ({ signal }) => openTokens(hub.api, signal), staleTime: 0, gcTime: 0 });
  if (!query.data || query.data.length === 0) return null;
  return (
    <Section title={t("provision.open")} note={String(query.data.length)} testId="open-tokens">
      <ul className="divide-y divide-line">
        {query.data.map((token) => <Row key={token.id} token={token} room={roomName(token.room)} onShow={() => onShow(token.id)} onRevoked={() => void query.refetch()} />)}
      </ul>
    </Section>
  );
}

function Row({ token, room, onShow, onRevoked }: { token: ProvisionToken; room: string; onShow: () => void; onRevoked: () => void }) {
  const t = useT(provision);
  const hub = useHub();
  const words = useWords();
  const canWrite = useCanWrite();
  const work = useWork();
  const Icon = typeIcon(token.type);
  const what = token.device_id ?? token.name ?? words.type(token.type);
  return (
    <li className="flex items-center gap-3 py-1 pr-2 pl-4">
      <Icon aria-hidden className="size-5 shrink-0 text-fg-dim" />
      <button type="button" onClick={onShow} className="flex min-h-13 min-w-0 flex-1 items-center gap-2 rounded-control text-left">
        <span className="min-w-0 flex-1">
          <span className="block truncate text-sm font-medium">{t("provision.open.row", { what, room })}</span>
          <span className="block text-xs text-fg-dim">
            {token.hardware_id ? `${t("provision.open.window", { id: token.hardware_id })} · ` : ""}{t("provision.expires")} <RelativeTime at={token.expires_at} focusable={false} />
            {work.failure && <span className="text-bad"> · {work.failure}</span>}
          </span>
        </span>
        <ChevronRight aria-hidden className="size-5 shrink-0 text-fg-dim" />
      </button>
      <Button
        kind="quiet" icon={X} busy={work.busy} disabled={!canWrite} aria-label={t("provision.open.cancel", { what, room })}
        onClick={() => void work.run(async () => { await revokeToken(hub.api, token.id); onRevoked(); })}
      >
        {t("dialog.cancel")}
      </Button>
    </li>
  );
}
