import { useVersion, useStatus, type ApiError, type Collection } from "@obedio/web";
import { useT } from "../context";
import { duty as texts } from "../messages/duty";
import { useServerList } from "../lists";

/** A document list of the crew, kept current while the page is open. */
export function useDocuments<T>(path: string, key: (item: T) => string): { items: T[]; list: Collection<T>; reload: () => void } {
  const { list, reload } = useServerList<T>(path, key, "crew");
  useVersion(list);
  useStatus(list);
  return { items: [...list.values()], list, reload };
}

/** What a form says that did not work: that somebody else was faster, before all. */
export function useRefusal(): (error: ApiError | undefined, failure: string | undefined) => string | undefined {
  const t = useT(texts);
  return (error, failure) => (error?.status === 412 ? t("crew.conflict") : failure);
}
