import { Check, Copy } from "lucide-react";
import { useState } from "react";
import { useWebMessages } from "../i18n/context";
import { Button } from "./Button";

/** Copies text. Over plain HTTP a browser has no clipboard for pages; then the button says so. */
export function CopyButton({ text, label }: { text: string; label?: string }) {
  const t = useWebMessages();
  const [state, setState] = useState<"idle" | "copied" | "failed">("idle");
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      setState("copied");
    } catch {
      setState("failed");
    }
  };
  const word = state === "copied" ? t("copy.copied") : state === "failed" ? t("copy.failed") : (label ?? t("copy.copy"));
  return <Button icon={state === "copied" ? Check : Copy} onClick={() => void copy()}>{word}</Button>;
}
