import { useCallback, useState } from "react";
import { ApiError } from "../api/problem";
import { useErrorText } from "./DataView";

export interface Work {
  busy: boolean;
  /** Why the last try did not work, in words. */
  failure: string | undefined;
  /** The same as the program told it. */
  error: ApiError | undefined;
  /** Runs one thing at a time; false when it failed, or another was under way. */
  run: (work: () => Promise<unknown>) => Promise<boolean>;
  clear: () => void;
}

/** What a form or a button needs to know about the work that it starts. */
export function useWork(): Work {
  const errorText = useErrorText();
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<ApiError>();
  const run = useCallback(async (work: () => Promise<unknown>) => {
    setBusy(true);
    setError(undefined);
    try {
      await work();
      return true;
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      setError(error);
      return false;
    } finally {
      setBusy(false);
    }
  }, []);
  const clear = useCallback(() => setError(undefined), []);
  return { busy, failure: error && errorText(error), error, run, clear };
}
