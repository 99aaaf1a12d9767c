import { AuthFrame, Failure, classes, useAttempt } from "@obedio/web";
import { ArrowLeft, Delete } from "lucide-react";
import { useEffect, useEffectEvent, useState } from "react";
import { useHub, useT } from "../context";
import { Brand } from "../shell/Brand";
import type { Tile } from "./TileGrid";

/** How many digits a PIN has; the last one sends it. */
const length = 6;
const digits = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];

/** A keypad for fingers; a keyboard's digits work too. */
export function PinPad({ person, onBack }: { person: Tile; onBack: () => void }) {
  const t = useT();
  const hub = useHub();
  const [pin, setPin] = useState("");
  const { busy, failure, waiting, go } = useAttempt(async () => {
    // Whoever takes the tablet begins with the calls, not where somebody else has stopped.
    history.replaceState(null, "", "/");
    try {
      await hub.session.signInWithPin(person.user_id, pin);
    } catch (error) {
      setPin("");
      throw error;
    }
  }, t("signin.wrong"));
  const off = busy || waiting;
  const send = useEffectEvent(go);
  useEffect(() => {
    if (pin.length === length) send();
  }, [pin]);
  const press = (digit: string) => setPin((held) => (off || held.length >= length ? held : held + digit));
  const erase = () => setPin((held) => (off ? held : held.slice(0, -1)));
  const key = useEffectEvent((e: KeyboardEvent) => {
    if (e.ctrlKey || e.metaKey || e.altKey) return;
    if (/^\d$/.test(e.key)) press(e.key);
    else if (e.key === "Backspace") erase();
    else if (e.key === "Escape") onBack();
  });
  useEffect(() => {
    const listen = (e: KeyboardEvent) => key(e);
    addEventListener("keydown", listen);
    return () => removeEventListener("keydown", listen);
  }, []);
  const keyClass = "inline-flex min-h-16 items-center justify-center rounded-control border border-edge text-lg font-semibold tabular-nums transition-colors duration-150 select-none touch-manipulation hover:bg-ink-800 active:bg-accent-soft disabled:opacity-50 disabled:pointer-events-none";
  return (
    <AuthFrame brand={<Brand />} title={person.name} lead={t("signin.type")}>
      <div className="flex flex-col gap-5" data-testid="pin-pad">
        <div className="flex justify-center gap-4" aria-hidden>
          {Array.from({ length }, (_, i) => (
            <span key={i} className={classes("size-4 rounded-full border", i < pin.length ? "border-accent bg-accent" : "border-edge")} />
          ))}
        </div>
        <p role="status" className="sr-only">{t("signin.typed", { n: pin.length })}</p>
        {/* The place is there before: the keys do not move under a finger. */}
        <div className="-my-2 flex min-h-10 flex-col justify-center"><Failure text={failure} /></div>
        <div className="grid grid-cols-3 gap-3" role="group" aria-label={t("signin.keypad")}>
          {digits.map((digit) => <button key={digit} type="button" disabled={off} onClick={() => press(digit)} className={keyClass}>{digit}</button>)}
          <button type="button" onClick={onBack} aria-label={t("signin.back")} title={t("signin.back")} className={keyClass}><ArrowLeft aria-hidden className="size-6" /></button>
          <button type="button" disabled={off} onClick={() => press("0")} className={keyClass}>{"0"}</button>
          <button type="button" disabled={off || pin === ""} onClick={erase} aria-label={t("signin.erase")} title={t("signin.erase")} className={keyClass}><Delete aria-hidden className="size-6" /></button>
        </div>
      </div>
    </AuthFrame>
  );
}
