import { ApiError, newIdempotencyKey, useWork, type Work } from "@obedio/web";
import { useQuery } from "@tanstack/react-query";
import { useCallback, useEffect, useRef, useState } from "react";
import { useHub } from "../context";
import { differences } from "./drafts";

/** How one kind of document is read, edited and written. */
export interface EditorConfig<V extends { etag: string }, D extends object> {
  /** Of the list; the document's is below it. */
  path: string;
  /** The document's id; undefined for one that is to be made. */
  id: string | undefined;
  draftOf: (view: V) => D;
  bodyOf: (draft: D) => object;
  /** The body with the id, to make the document. */
  newBodyOf: (draft: D) => object;
  /** What a new document begins with. */
  blank: D;
  /** What was read is changed by this before it is shown, such as by a rule that a denial asks for. */
  preset?: (draft: D) => D;
}

export interface Editor<V, D> {
  view: V | undefined;
  draft: D | undefined;
  set: (draft: D) => void;
  dirty: boolean;
  error: ApiError | undefined;
  retry: () => void;
  work: Work;
  /** What somebody else has saved since this draft was begun, in the way of saving it. */
  theirs: V | undefined;
  /** Saves; false when it failed or somebody else was faster. */
  save: () => Promise<boolean>;
  /** Saves this draft over theirs. */
  overwrite: () => Promise<boolean>;
  /** Gives this draft up for theirs. */
  takeTheirs: () => void;
  keepEditing: () => void;
  remove: () => Promise<boolean>;
}

/**
 * Edits one document under its ETag: what is saved was based on what was read,
 * and when somebody else has saved meanwhile, their version is shown first.
 */
export function useEditor<V extends { etag: string }, D extends object>(config: EditorConfig<V, D>): Editor<V, D> {
  const { path, id } = config;
  const hub = useHub();
  const work = useWork();
  const own = useRef(config);
  useEffect(() => {
    own.current = config;
  });
  const at = id === undefined ? undefined : `${path}/${encodeURIComponent(id)}`;
  const query = useQuery<V, ApiError>({
    queryKey: ["document", at],
    queryFn: ({ signal }) => hub.api.get<V>(at!, { signal }),
    enabled: at !== undefined,
    gcTime: 0,
    staleTime: Infinity,
  });
  const [view, setView] = useState<V>();
  const [draft, set] = useState<D | undefined>(() => (id === undefined ? (config.preset ?? same)(config.blank) : undefined));
  const [theirs, setTheirs] = useState<V>();
  const begin = useCallback((next: V) => {
    setView(next);
    set((own.current.preset ?? same)(own.current.draftOf(next)));
  }, []);
  // What is read later is not laid under a draft: the ETag finds it when saving.
  useEffect(() => {
    if (query.data) begin(query.data);
  }, [query.data, begin]);

  const write = async (etag: string | undefined): Promise<boolean> => {
    if (draft === undefined) return false;
    return work.run(async () => {
      try {
        const saved = at === undefined
          ? await hub.api.post<V>(path, config.newBodyOf(draft), { idempotencyKey: newIdempotencyKey() })
          : await hub.api.put<V>(at, config.bodyOf(draft), etag === undefined ? {} : { ifMatch: etag });
        setTheirs(undefined);
        setView(saved);
        set(config.draftOf(saved));
      } catch (error) {
        if (error instanceof ApiError && error.status === 412 && at !== undefined) setTheirs(await hub.api.get<V>(at));
        throw error;
      }
    });
  };
  return {
    view,
    draft,
    set,
    dirty: draft !== undefined && (view === undefined || differences(draft, config.draftOf(view)).length > 0),
    error: query.error ?? undefined,
    retry: () => void query.refetch(),
    work,
    theirs,
    save: () => write(view?.etag),
    overwrite: () => write(theirs?.etag),
    takeTheirs: () => {
      if (!theirs) return;
      setView(theirs);
      set(config.draftOf(theirs));
      setTheirs(undefined);
      work.clear();
    },
    keepEditing: () => {
      setTheirs(undefined);
      work.clear();
    },
    remove: () => work.run(async () => {
      if (at !== undefined && view !== undefined) await hub.api.delete(at, { ifMatch: view.etag });
    }),
  };
}

const same = <D,>(draft: D) => draft;
