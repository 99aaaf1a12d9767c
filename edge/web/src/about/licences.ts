/** A library of others; texts are places in Licences.texts. */
export interface Library {
  name: string;
  version: string;
  /** As its maker names it, such as MIT. */
  licence?: string;
  texts: number[];
}

/** What the build has found: see shared/web/build/licences.mjs. */
export interface Licences {
  program: Library[];
  pages: Library[];
  texts: string[];
}

/** Those whose name or licence has the word. */
export function find(libraries: readonly Library[], word: string): Library[] {
  const wanted = word.trim().toLowerCase();
  return libraries.filter((l) => l.name.toLowerCase().includes(wanted) || (l.licence ?? "").toLowerCase().includes(wanted));
}
