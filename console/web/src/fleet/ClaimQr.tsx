import { encode } from "uqr";
import { useMemo } from "react";
import { useT } from "../context";

/** A claim as a QR code, drawn by this page: the secret goes nowhere. White paper in every theme, for the camera. */
export function ClaimQr({ text }: { text: string }) {
  const t = useT();
  const { path, size } = useMemo(() => draw(text), [text]);
  return (
    <figure className="flex flex-wrap items-center gap-5 p-4 pb-0" data-testid="claim-qr">
      <svg role="img" aria-label={t("claim.qr")} viewBox={`0 0 ${size} ${size}`} shapeRendering="crispEdges" className="size-72 max-w-full rounded-control">
        <rect width={size} height={size} fill="#fff" />
        <path d={path} fill="#000" />
      </svg>
      <figcaption className="min-w-0 flex-1 basis-56 text-sm text-fg-muted">{t("claim.qr.detail")}</figcaption>
    </figure>
  );
}

/** One path of all dark modules, with the quiet zone of four that readers want. */
export function draw(text: string): { path: string; size: number } {
  const { data, size } = encode(text, { ecc: "M", border: 4 });
  let path = "";
  data.forEach((row, y) => row.forEach((dark, x) => { if (dark) path += `M${x} ${y}h1v1h-1z`; }));
  return { path, size };
}
