import { useCallback, useState } from "react";
import { ApiError } from "../api/problem";
import { useErrorText } from "../ui/DataView";
import { useToast } from "../ui/Toasts";
import { spanOf } from "../time/span";
import { usePeopleT } from "./program";

export interface Action {
  busy: boolean;
  /** Why the last try did not work, in words. */
  failure: string | undefined;
  /** Runs work, one at a time; the answer is whether it succeeded. `words` puts a failure in better words where there are some. */
  run: (work: () => Promise<unknown>, words?: (error: ApiError) => string | undefined) => Promise<boolean>;
  clear: () => void;
}

/** Something that a person starts in a form, with its failure in words. */
export function useAction(): Action {
  const t = usePeopleT();
  const errorText = useErrorText();
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<string>();
  const run: Action["run"] = async (work, words) => {
    if (busy) return false;
    setBusy(true);
    setFailure(undefined);
    try {
      await work();
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      const said = words?.(error);
      if (said !== undefined) setFailure(said);
      else if (error.status === 429 && error.retryAfter) setFailure(t("auth.slowDown", { span: spanOf(error.retryAfter) }));
      else setFailure(errorText(error));
      return false;
    } finally {
      setBusy(false);
    }
  };
  const clear = useCallback(() => setFailure(undefined), []);
  return { busy, failure, run, clear };
}

/** The same for a button that has no place for a failure: it is a toast. */
export function useQuickAction(): (work: () => Promise<unknown>, done: string) => Promise<boolean> {
  const t = usePeopleT();
  const errorText = useErrorText();
  const toast = useToast();
  return async (work, done) => {
    try {
      await work();
      toast({ tone: "ok", title: done });
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      toast({ tone: "bad", title: t("people.failed"), detail: errorText(error) });
      return false;
    }
  };
}
