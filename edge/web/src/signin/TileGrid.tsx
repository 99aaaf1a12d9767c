import { AuthFrame, Button, Notice } from "@obedio/web";
import { KeyRound, Users } from "lucide-react";
import { useT } from "../context";
import { Brand } from "../shell/Brand";

/** Somebody who can sign in on this tablet. */
export interface Tile {
  user_id: string;
  name: string;
}

/** First letters of the first and the last word. */
export function initials(name: string): string {
  const words = name.trim().split(/\s+/);
  const first = (word: string | undefined) => [...(word ?? "")][0] ?? "";
  return (first(words[0]) + (words.length > 1 ? first(words.at(-1)) : "")).toUpperCase();
}

export function TileGrid({ people, over, onChoose, onPassword }: { people: readonly Tile[]; over: boolean; onChoose: (tile: Tile) => void; onPassword: () => void }) {
  const t = useT();
  return (
    <AuthFrame brand={<Brand />} wide title={t("signin.who")} lead={over ? t("auth.over") : undefined}>
      {people.length === 0 ? (
        <Notice testId="no-tiles" icon={Users} title={t("signin.nobody")} detail={t("signin.nobody.detail")} />
      ) : (
        <ul data-testid="tiles" className="grid gap-3 [grid-template-columns:repeat(auto-fill,minmax(min(100%,13rem),1fr))]">
          {people.map((person) => (
            <li key={person.user_id}>
              <button
                type="button"
                onClick={() => onChoose(person)}
                className="flex min-h-20 w-full items-center gap-4 rounded-card border border-edge px-4 text-left text-base font-medium transition-colors duration-150 hover:bg-ink-800"
              >
                <span aria-hidden className="inline-flex size-12 shrink-0 items-center justify-center rounded-full bg-accent-soft text-sm font-semibold text-accent-fg">{initials(person.name)}</span>
                <span className="min-w-0">{person.name}</span>
              </button>
            </li>
          ))}
        </ul>
      )}
      <Button kind="quiet" icon={KeyRound} className="mt-5 w-full" onClick={onPassword}>{t("signin.password")}</Button>
    </AuthFrame>
  );
}
