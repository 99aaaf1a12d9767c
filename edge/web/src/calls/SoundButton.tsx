import { Button } from "@obedio/web";
import { BellOff, Volume2 } from "lucide-react";
import { useT } from "../context";
import { useRing } from "./RingContext";

/** Silences this screen, or turns its sound on. Shown only when a call waits. */
export function SoundButton({ emergency = false }: { emergency?: boolean }) {
  const t = useT();
  const { ringing, silenced, sound, silence, unlock } = useRing();
  const kind = emergency ? "emergencyQuiet" : "secondary";
  if (ringing === 0) {
    if (silenced === 0) return null;
    return <span role="status" className="inline-flex min-h-control items-center gap-2 px-2 text-sm"><BellOff aria-hidden className="size-4.5" />{t("calls.silenced")}</span>;
  }
  if (sound === "locked") return <Button kind={kind} icon={Volume2} onClick={unlock}>{t("calls.soundOn")}</Button>;
  return <Button kind={kind} icon={BellOff} title={t("calls.silence.detail")} onClick={silence}>{t("calls.silence")}</Button>;
}
