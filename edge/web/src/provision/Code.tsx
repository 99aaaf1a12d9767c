import { QrCode, stopwatch, useTicking } from "@obedio/web";
import { Clock3, EyeOff, Tag } from "lucide-react";
import type { NewProvisionToken, ProvisionToken } from "../api/resources";
import { useT } from "../context";
import { provision } from "../messages/provision";

/** The QR code and the short code, to be read from an arm's length, and how long they count. */
export function Code({ token, made }: { token: ProvisionToken; made: NewProvisionToken | undefined }) {
  const t = useT(provision);
  return (
    <div className="flex flex-col items-center gap-4 p-4 text-center">
      {token.hardware_id ? (
        <>
          <Tag aria-hidden className="size-12 text-accent-fg" />
          <p className="font-mono text-lg font-semibold break-all">{token.hardware_id}</p>
          <p className="text-sm text-fg-muted">{t("joining.window.detail")}</p>
        </>
      ) : made?.qr_svg && made.code ? (
        <>
          <QrCode svg={made.qr_svg} label={t("joining.qr")} className="w-full max-w-96" />
          <ShortCode code={made.code} />
        </>
      ) : (
        <>
          <EyeOff aria-hidden className="size-10 text-fg-dim" />
          <p className="text-sm text-fg-muted">{t("joining.hidden")}</p>
        </>
      )}
      <Countdown until={token.expires_at} />
    </div>
  );
}

/** In groups, as people say it. */
export function ShortCode({ code }: { code: string }) {
  const t = useT(provision);
  return (
    <div>
      <p className="text-xs text-fg-dim">{t("joining.code")}</p>
      <p data-testid="short-code" className="font-mono text-[clamp(1.5rem,7.2vw,2rem)] leading-tight font-semibold tracking-wide whitespace-nowrap">{code}</p>
    </div>
  );
}

function Countdown({ until }: { until: string }) {
  const t = useT(provision);
  const end = Date.parse(until);
  const left = useTicking((now) => stopwatch(end - now));
  const soon = useTicking((now) => end - now < 120_000);
  return (
    <p className={`flex items-center gap-2 text-sm ${soon ? "text-warn" : "text-fg-muted"}`}>
      <Clock3 aria-hidden className="size-4.5" />
      {t("joining.left")}
      <span role="timer" className="text-base font-semibold text-fg">{left}</span>
    </p>
  );
}
