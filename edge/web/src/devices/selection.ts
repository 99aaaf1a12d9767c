import { createContext, useCallback, useContext, useSyncExternalStore } from "react";

/**
 * Which devices are chosen to be acted on. Outside of React's state, so that
 * choosing one renders its own row and nothing else.
 */
export class Selection {
  readonly #chosen = new Set<string>();
  readonly #readers = new Set<() => void>();
  #version = 0;

  /** Grows with every change. */
  get version(): number {
    return this.#version;
  }

  has(id: string): boolean {
    return this.#chosen.has(id);
  }

  set(id: string, on: boolean): void {
    if (this.has(id) === on) return;
    if (on) this.#chosen.add(id);
    else this.#chosen.delete(id);
    this.#tell();
  }

  /** Chooses these as well. */
  add(ids: readonly string[]): void {
    for (const id of ids) this.#chosen.add(id);
    this.#tell();
  }

  clear(): void {
    this.#chosen.clear();
    this.#tell();
  }

  /** Of these, the chosen ones. What a filter hides is never acted on. */
  among(ids: readonly string[]): string[] {
    return ids.filter((id) => this.#chosen.has(id));
  }

  subscribe = (reader: () => void): (() => void) => {
    this.#readers.add(reader);
    return () => this.#readers.delete(reader);
  };

  #tell(): void {
    this.#version++;
    for (const reader of this.#readers) reader();
  }
}

const SelectionContext = createContext<Selection | undefined>(undefined);
/** Above a list whose devices can be chosen. */
export const SelectionProvider = SelectionContext.Provider;

/** Undefined while nothing is to be chosen. */
export const useSelection = (): Selection | undefined => useContext(SelectionContext);

const never = () => () => {};

/** Whether one is chosen; the component renders again only when that changes. */
export function useChosen(selection: Selection | undefined, id: string): boolean {
  return useSyncExternalStore(selection?.subscribe ?? never, () => selection?.has(id) ?? false);
}

/** The chosen ones among these. */
export function useChosenAmong(selection: Selection, ids: readonly string[]): string[] {
  useSyncExternalStore(selection.subscribe, useCallback(() => selection.version, [selection]));
  return selection.among(ids);
}
