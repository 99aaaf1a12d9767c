import { BellRing, CircleCheck, CircleOff, Eye, ShieldCheck, UserRoundCog, UserRound, type LucideIcon } from "lucide-react";
import { useState, type ReactNode } from "react";
import { Button } from "../ui/Button";
import { Dialog, DialogActions } from "../ui/Dialog";
import { Mark, Pill } from "../ui/Pill";
import { useAction } from "./action";
import { useCanWrite, usePeopleT, useProgram } from "./program";
import type { User } from "./types";

const roleIcons: Record<string, LucideIcon> = {
  admin: ShieldCheck, owner: ShieldCheck, chief: UserRoundCog, manager: UserRoundCog, crew: BellRing, viewer: Eye,
};

/** A role's name; as it is called in the API where this page does not know it. */
export function useRoleName(): (role: string) => string {
  const t = usePeopleT();
  return (role) => {
    const key = `role.${role}`;
    const name = t(key as "role.admin");
    return name === key ? role : name;
  };
}

/** What a role is for, in a sentence or two. */
export function useRoleSummary(): (role: string) => string | undefined {
  const t = usePeopleT();
  const { kind } = useProgram();
  return (role) => {
    const key = `role.${kind}.${role}`;
    const text = t(key as "role.hub.admin");
    return text === key ? undefined : text;
  };
}

export function useRightName(): (right: string) => string {
  const t = usePeopleT();
  return (right) => {
    const key = `right.${right}`;
    const name = t(key as "right.users.read");
    return name === key ? right : name;
  };
}

export function RolePill({ role }: { role: string }) {
  return <Pill tone="idle" icon={roleIcons[role] ?? UserRound}>{useRoleName()(role)}</Pill>;
}

export function UserState({ user }: { user: User }) {
  const t = usePeopleT();
  return user.disabled
    ? <Mark tone="warn" icon={CircleOff}>{t("people.disabled")}</Mark>
    : <Mark tone="ok" icon={CircleCheck}>{t("people.active")}</Mark>;
}

/** How many sites, in words. */
export function useSitesText(): (sites: readonly string[] | undefined) => string {
  const t = usePeopleT();
  return (sites) => {
    if (!sites || sites.length === 0) return t("people.sites.none");
    return sites.includes("*") ? t("people.sites.all") : t("people.sites.count", { n: sites.length });
  };
}

/** The host of an identity provider. */
export function hostOf(issuer: string): string {
  try {
    return new URL(issuer).host;
  } catch {
    return issuer;
  }
}

export interface RecordColumn<T> {
  id: string;
  header: string;
  cell: (item: T) => ReactNode;
  /** CSS grid track at the desk, such as "minmax(10rem,2fr)". */
  width: string;
}

export interface RecordListProps<T> {
  label: string;
  items: readonly T[];
  keyOf: (item: T) => string;
  columns: readonly RecordColumn<T>[];
  /** What can be done with one, at its end. */
  action?: (item: T) => ReactNode;
  attributes?: (item: T) => Record<string, string>;
  testId?: string;
}

/** So many are shown at first; more on asking. */
const firstRows = 200;

/** A list that is a table at the desk, and cards with the names of their values on a phone. */
export function RecordList<T>({ label, items, keyOf, columns, action, attributes, testId }: RecordListProps<T>) {
  const t = usePeopleT();
  const [most, setMost] = useState(firstRows);
  const template = `${columns.map((c) => c.width).join(" ")}${action ? " minmax(6.5rem,max-content)" : ""}`;
  const style = { "--columns": template } as Record<string, string>;
  const row = "grid grid-cols-2 gap-x-5 gap-y-2 px-4 sm:grid-cols-3 lg:grid-cols-(--columns) lg:items-center";
  return (
    <div data-testid={testId} style={style}>
      <div aria-hidden className="hidden border-b border-line px-4 py-2 text-xs text-fg-dim lg:grid lg:grid-cols-(--columns) lg:gap-x-5">
        {columns.map((c) => <span key={c.id}>{c.header}</span>)}
      </div>
      <ul aria-label={label} className="divide-y divide-line/60">
        {items.slice(0, most).map((item) => (
          <li key={keyOf(item)} {...attributes?.(item)} className={`${row} min-h-14 py-3 text-sm lg:py-1.5`}>
            {columns.map((c, i) => (
              <div key={c.id} className={i > 0 ? "min-w-0" : action ? "min-w-0 sm:col-span-2 lg:col-span-1" : "col-span-full min-w-0 lg:col-span-1"}>
                {i > 0 && <span className="block text-xs text-fg-dim lg:sr-only">{c.header}</span>}
                {c.cell(item)}
              </div>
            ))}
            {action && <div className="col-start-2 row-start-1 flex items-start justify-end sm:col-start-3 lg:col-auto lg:row-auto">{action(item)}</div>}
          </li>
        ))}
      </ul>
      {items.length > most && (
        <div className="flex justify-center border-t border-line p-3">
          <Button onClick={() => setMost(most + firstRows)}>{t("people.more", { n: Math.min(firstRows, items.length - most) })}</Button>
        </div>
      )}
    </div>
  );
}

export interface ConfirmActionsProps {
  onClose: () => void;
  /** What the button says, such as "Delete Mila". */
  label: string;
  icon: LucideIcon;
  work: () => Promise<unknown>;
  onDone: () => void;
}

/** The two buttons below a question that cannot be undone. */
export function ConfirmActions({ onClose, label, icon, work, onDone }: ConfirmActionsProps) {
  const t = usePeopleT();
  const canWrite = useCanWrite();
  const { busy, failure, run } = useAction();
  return (
    <>
      <FormFailure text={failure} />
      <DialogActions>
        <Button onClick={onClose}>{t("dialog.cancel")}</Button>
        <Button kind="danger" icon={icon} busy={busy} disabled={!canWrite} onClick={() => void run(work).then((ok) => ok && onDone())}>{label}</Button>
      </DialogActions>
    </>
  );
}

export interface ConfirmProps extends ConfirmActionsProps {
  open: boolean;
  title: string;
  detail: ReactNode;
}

/** Asks before something that cannot be undone. */
export function Confirm({ open, title, detail, ...actions }: ConfirmProps) {
  return (
    <Dialog open={open} onOpenChange={(next) => !next && actions.onClose()} title={title} description={detail} testId="confirm">
      <ConfirmActions {...actions} />
    </Dialog>
  );
}

/** Why a form could not be sent. The place for it is there before, so that it is heard. */
export function FormFailure({ text }: { text: string | undefined }) {
  return <div role="status" className="rounded-control bg-bad-soft px-3 py-2 text-sm text-bad empty:hidden">{text}</div>;
}
