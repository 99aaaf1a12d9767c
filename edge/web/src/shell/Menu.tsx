import { Button, Dialog, ThemeChoice, useToast } from "@obedio/web";
import { LogOut } from "lucide-react";
import { useHub, useSession, useSystem, useT } from "../context";
import { PeopleLink } from "../people/PeopleLink";

/** Who is signed in, how the screen looks, and the way out. */
export function Menu({ open, onOpenChange }: { open: boolean; onOpenChange: (open: boolean) => void }) {
  const t = useT();
  const hub = useHub();
  const { user } = useSession();
  const system = useSystem();
  const toast = useToast();
  const signOut = () => {
    hub.session.signOut().catch((error: Error) => toast({ tone: "bad", title: t("calls.failed"), detail: error.message }));
  };
  return (
    <Dialog
      open={open}
      onOpenChange={onOpenChange}
      title={t("menu.title")}
      description={t("menu.signedIn", { name: user.name || user.username, role: user.role })}
      testId="menu"
    >
      <div className="flex flex-col gap-6">
        <PeopleLink onGo={() => onOpenChange(false)} />
        <ThemeChoice />
        <div className="flex flex-wrap items-center justify-between gap-3">
          {system && <p className="text-xs text-fg-dim">{t("menu.version", { version: system.version })}</p>}
          <Button icon={LogOut} onClick={signOut}>{t("auth.signOut")}</Button>
        </div>
      </div>
    </Dialog>
  );
}
