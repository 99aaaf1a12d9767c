import { ApiError, AuthFrame, Button, SignIn, Skeleton } from "@obedio/web";
import { Grid3x3 } from "lucide-react";
import { useEffect, useState } from "react";
import { useHub, useT } from "../context";
import { Brand } from "../shell/Brand";
import { PinPad } from "./PinPad";
import { TileGrid, type Tile } from "./TileGrid";

type Tiles = { kind: "asking" } | { kind: "none" } | { kind: "tablet"; people: Tile[] };

/** Names and a PIN on an enrolled tablet; a password elsewhere, and there too for who wants it. */
export function HubSignIn({ over }: { over: boolean }) {
  const t = useT();
  const hub = useHub();
  const [tiles, setTiles] = useState<Tiles>({ kind: "asking" });
  const [chosen, setChosen] = useState<Tile>();
  const [password, setPassword] = useState(false);
  useEffect(() => {
    const asking = new AbortController();
    hub.api.get<{ items: Tile[] }>("/sessions/tiles", { signal: asking.signal }).then(
      ({ items }) => setTiles({ kind: "tablet", people: items }),
      (error: unknown) => {
        if (asking.signal.aborted) return;
        if (!(error instanceof ApiError)) throw error;
        // No tablet, or not known now: a password works on both.
        setTiles({ kind: "none" });
      },
    );
    return () => asking.abort();
  }, [hub]);

  if (tiles.kind === "asking") {
    return <AuthFrame brand={<Brand />} title={t("auth.signIn")}><Skeleton className="h-64" /></AuthFrame>;
  }
  if (tiles.kind === "none" || password) {
    return (
      <SignIn
        keeper={hub.session}
        over={over}
        brand={<Brand />}
        after={tiles.kind === "tablet" && (
          <Button kind="quiet" icon={Grid3x3} className="mt-4 w-full" onClick={() => setPassword(false)}>{t("signin.names")}</Button>
        )}
      />
    );
  }
  if (chosen) return <PinPad person={chosen} onBack={() => setChosen(undefined)} />;
  return <TileGrid people={tiles.people} over={over} onChoose={setChosen} onPassword={() => setPassword(true)} />;
}
