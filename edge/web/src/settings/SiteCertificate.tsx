import { Fold, QrCode, Section } from "@obedio/web";
import { useQuery } from "@tanstack/react-query";
import { Download } from "lucide-react";
import { useHub, usePermits, useSystem, useT } from "../context";
import { settings } from "../messages/settings";
import { FileLink } from "../shell/ButtonLink";

const systems = ["apple", "android", "computer"] as const;

/** The certificate that phones and computers are given, so that they know this hub. */
export function SiteCertificate({ title }: { title?: string }) {
  const t = useT(settings);
  const hub = useHub();
  const site = useSystem()?.site ?? "site";
  const mayDraw = usePermits("provision.write");
  const address = new URL(hub.api.url("/provision/ca.crt"), location.href).href;
  const qr = useQuery({
    queryKey: ["qr", address],
    queryFn: ({ signal }) => hub.api.postText("/provision/qr", address, { query: { format: "svg" }, signal }),
    enabled: mayDraw,
    staleTime: Infinity,
  });
  return (
    <Section title={title ?? t("install.title")} testId="site-certificate">
      <div className="flex flex-wrap items-start gap-5 p-4">
        {qr.data && <QrCode svg={qr.data} label={t("install.qr")} className="w-44 shrink-0" />}
        <div className="flex min-w-0 flex-1 basis-60 flex-col items-start gap-3">
          <p className="text-sm text-fg-muted">{t("install.detail")}</p>
          <FileLink icon={Download} href={hub.api.url("/provision/ca.crt")} name={`obedio-${site}.crt`}>{t("install.download")}</FileLink>
          {mayDraw && <p className="font-mono text-xs break-all text-fg-dim">{address}</p>}
          <Fold title={t("install.how")} className="w-full">
            <dl className="flex flex-col gap-3 pt-1">
              {systems.map((s) => (
                <div key={s}>
                  <dt className="text-sm font-medium">{t(`install.${s}`)}</dt>
                  <dd className="mt-0.5 text-sm text-fg-muted">{t(`install.${s}.how`)}</dd>
                </div>
              ))}
            </dl>
          </Fold>
        </div>
      </div>
    </Section>
  );
}
