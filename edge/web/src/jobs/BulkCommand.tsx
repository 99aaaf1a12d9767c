import { Facts, SendCommand, spanOf, suggestedCommands, useFormats, useWords } from "@obedio/web";
import { useNavigate } from "@tanstack/react-router";
import { useMemo, type ReactNode } from "react";
import type { Job } from "../api/resources";
import { useHub, useT } from "../context";
import { jobs } from "../messages/jobs";

const ttls = [60_000, 600_000, 3_600_000, 24 * 3_600_000];

/** One command for the chosen devices. What is confirmed is what is sent: these devices, whatever the filter finds by then. */
export function BulkCommand({ ids, onClose }: { ids: readonly string[]; onClose: () => void }) {
  const t = useT(jobs);
  const hub = useHub();
  const words = useWords();
  const navigate = useNavigate();
  const { number } = useFormats();
  // As it was when the dialog opened; the commands say how it went on.
  const found = useMemo(() => {
    const types = new Map<string, number>();
    const states = new Map<string, number>();
    for (const id of ids) {
      const d = hub.devices.get(id);
      if (!d) continue;
      types.set(d.type, (types.get(d.type) ?? 0) + 1);
      states.set(d.presence.state, (states.get(d.presence.state) ?? 0) + 1);
    }
    return { types, states };
  }, [hub, ids]);
  const n = ids.length;
  const away = n - (found.states.get("ready") ?? 0);
  const only = found.types.size === 1 ? [...found.types.keys()][0]! : "";
  const list = (counts: Map<string, number>, word: (s: string) => string): ReactNode => [...counts].map(([s, c]) => `${number(c)} × ${word(s)}`).join(", ");
  const valid = (ttl: number) => t("time.span", { span: spanOf(ttl) });
  return (
    <SendCommand
      open
      onOpenChange={(open) => !open && onClose()}
      device={t("bulk.many", { n, shown: number(n) })}
      suggestions={suggestedCommands(only)}
      ttls={ttls}
      presetTtl={600_000}
      advice={() => t("bulk.advice", { n: away, shown: number(away) })}
      review={{
        send: t("bulk.send", { n, shown: number(n) }),
        text: (draft) => (
          <>
            <p className="text-base font-medium">{t("bulk.sure", { name: draft.name, n, shown: number(n) })}</p>
            <Facts
              className="px-0!"
              items={[
                { label: t("bulk.which"), value: list(found.types, words.type) },
                { label: t("devices.col.state"), value: list(found.states, words.presence) },
                { label: t("bulk.args"), value: draft.args ? <code className="font-mono text-xs break-all">{JSON.stringify(draft.args)}</code> : t("bulk.none") },
                { label: t("bulk.valid"), value: valid(draft.ttl_ms) },
              ]}
            />
            {away > 0 && <p className="text-sm text-fg-muted">{t("bulk.advice", { n: away, shown: number(away) })}</p>}
          </>
        ),
      }}
      send={async (draft, idempotencyKey) => {
        const { job_id } = await hub.api.post<Job>("/devices/bulk/command", { ...draft, device_ids: ids }, { idempotencyKey });
        await navigate({ to: "/mqtt/jobs/$jobId", params: { jobId: job_id } });
      }}
    />
  );
}
