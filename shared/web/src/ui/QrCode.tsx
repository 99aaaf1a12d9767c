import { classes } from "./classes";

export interface QrCodeProps {
  /** The drawing, as the program has made it, with its quiet zone. */
  svg: string;
  /** What it is, for those who cannot see it. */
  label: string;
  className?: string;
}

/** A QR code on paper white, in every theme: a camera needs the contrast. */
export function QrCode({ svg, label, className }: QrCodeProps) {
  return (
    <img
      src={`data:image/svg+xml,${encodeURIComponent(svg)}`}
      alt={label}
      className={classes("aspect-square rounded-control bg-paper", className)}
    />
  );
}
