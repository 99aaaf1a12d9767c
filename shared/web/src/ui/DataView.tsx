import { CircleOff, CloudOff, FileWarning, History, Inbox, ListX, Lock, TriangleAlert } from "lucide-react";
import type { ReactNode } from "react";
import type { ApiError } from "../api/problem";
import { useWebMessages } from "../i18n/context";
import { RelativeTime } from "../time/hooks";
import { Banner } from "./Banner";
import { Button } from "./Button";
import { CopyButton } from "./CopyButton";
import type { ViewState } from "./view-state";

export interface DataViewProps {
  state: ViewState;
  /** The rows, in the states live, stale, offline and partial. */
  children: ReactNode;
  /** Placeholders of the same size as the rows. */
  skeleton: ReactNode;
  /** Why it is empty, and the one next action. */
  empty: { title: string; detail?: string; action?: ReactNode };
  onClearFilter?: () => void;
  onRetry?: () => void;
  /** True when the page itself already shows that it is offline or stale. */
  quietLink?: boolean;
}

/** Every list and every page of data goes through here, so that none forgets one of the nine states. */
export function DataView(props: DataViewProps) {
  const { state } = props;
  return <div data-view-state={state.kind} className="min-w-0">{content(props)}</div>;
}

function content({ state, children, skeleton, empty, onClearFilter, onRetry, quietLink }: DataViewProps): ReactNode {
  switch (state.kind) {
    case "loading":
      return skeleton;
    case "empty":
      return <Empty {...empty} />;
    case "filtered-empty":
      return <FilteredEmpty total={state.total} onClear={onClearFilter} />;
    case "live":
      return children;
    case "stale":
      return <>{!quietLink && <StaleNote asOf={state.asOf} />}{children}</>;
    case "offline":
      return <>{!quietLink && <OfflineBanner since={state.since} onRetry={onRetry} />}{children}</>;
    case "partial":
      return <><PartialNote shown={state.shown} onRetry={onRetry} />{children}</>;
    case "error":
      return <ErrorNote error={state.error} onRetry={onRetry} />;
    case "unavailable":
      return <Unavailable why={state.why} needs={state.needs} />;
  }
}

interface NoticeProps {
  icon: typeof Inbox;
  title: string;
  detail?: ReactNode;
  children?: ReactNode;
  testId: string;
}

/** A quiet place in the middle: what is so, why, and the one next thing to do. */
export function Notice({ icon: Icon, title, detail, children, testId }: NoticeProps) {
  return (
    <div data-testid={testId} className="flex flex-col items-center gap-2 px-6 py-10 text-center">
      <Icon aria-hidden className="size-8 text-fg-dim" />
      <p className="text-base font-medium">{title}</p>
      {detail && <div className="max-w-prose text-sm text-fg-muted">{detail}</div>}
      {children && <div className="mt-3 flex flex-wrap justify-center gap-3">{children}</div>}
    </div>
  );
}

function Empty({ title, detail, action }: DataViewProps["empty"]) {
  return <Notice testId="view-empty" icon={Inbox} title={title} detail={detail}>{action}</Notice>;
}

function FilteredEmpty({ total, onClear }: { total: number; onClear?: (() => void) | undefined }) {
  const t = useWebMessages();
  return (
    <Notice testId="view-filtered-empty" icon={ListX} title={t("view.filtered", { total })} detail={t("view.filtered.detail")}>
      {onClear && <Button onClick={onClear}>{t("view.filtered.clear")}</Button>}
    </Notice>
  );
}

export function StaleNote({ asOf }: { asOf: number | undefined }) {
  const t = useWebMessages();
  return (
    <p role="status" data-testid="view-stale" className="flex items-start gap-2 pb-3 text-sm text-warn">
      <History aria-hidden className="mt-0.5 size-4 shrink-0" />
      <span>{t("view.stale")} {asOf !== undefined && <>{t("view.stale.age")} <RelativeTime at={asOf} /></>}</span>
    </p>
  );
}

/** The same for a whole page: floats, because a short loss of the line must not move what is under a finger. */
export function StalePill({ asOf }: { asOf: number | undefined }) {
  const t = useWebMessages();
  return (
    <div className="pointer-events-none sticky top-2 z-20 flex h-0 justify-center">
      <p role="status" data-testid="view-stale" className="appear inline-flex h-9 -translate-y-3 items-center gap-2 rounded-full border border-warn/50 bg-warn-soft px-4 text-sm whitespace-nowrap text-warn shadow-raised">
        <History aria-hidden className="size-4 shrink-0" />
        <span>{t("view.stale.short")} {asOf !== undefined && <>· {t("view.asOf")} <RelativeTime at={asOf} focusable={false} /></>}</span>
      </p>
    </div>
  );
}

/** `children` say what can be done nevertheless; nothing, if there are none. */
export function OfflineBanner({ since, onRetry, children }: { since: number; onRetry?: (() => void) | undefined; children?: ReactNode }) {
  const t = useWebMessages();
  return (
    <div className="pb-3">
      <Banner
        testId="view-offline"
        tone="warn"
        icon={CloudOff}
        title={<>{t("view.offline.title")} {t("view.offline.since")} <RelativeTime at={since} bare /></>}
        actions={onRetry && <Button onClick={onRetry}>{t("view.retry")}</Button>}
      >
        {children ?? t("view.offline.detail")}
      </Banner>
    </div>
  );
}

function PartialNote({ shown, onRetry }: { shown: number; onRetry?: (() => void) | undefined }) {
  const t = useWebMessages();
  return (
    <div className="pb-3">
      <Banner
        testId="view-partial"
        tone="warn"
        icon={FileWarning}
        title={t("view.partial", { shown })}
        actions={onRetry && <Button onClick={onRetry}>{t("view.retry")}</Button>}
      />
    </div>
  );
}

/** Title, detail and request id of a failure, ready to be copied into a message. */
export function ErrorNote({ error, onRetry }: { error: ApiError | undefined; onRetry?: (() => void) | undefined }) {
  const t = useWebMessages();
  const text = useErrorText()(error);
  const id = error?.requestId;
  return (
    <Notice
      testId="view-error"
      icon={TriangleAlert}
      title={t("view.error.title")}
      detail={
        <>
          <p>{text}</p>
          {id && <p className="mt-1 text-xs text-fg-dim">{t("view.error.request")} <code className="font-mono">{id}</code></p>}
        </>
      }
    >
      {onRetry && <Button kind="primary" onClick={onRetry}>{t("view.retry")}</Button>}
      {id && <CopyButton text={`${text} (${id})`} />}
    </Notice>
  );
}

function Unavailable({ why, needs }: { why: "forbidden" | "too-old"; needs: string }) {
  const t = useWebMessages();
  return why === "forbidden"
    ? <Notice testId="view-forbidden" icon={Lock} title={t("view.forbidden.title")} detail={t("view.forbidden.detail", { needs })} />
    : <Notice testId="view-too-old" icon={CircleOff} title={t("view.old.title")} detail={t("view.old.detail", { needs })} />;
}

/** An error in words for a person. */
export function useErrorText(): (error: ApiError | undefined) => string {
  const t = useWebMessages();
  return (error) => {
    if (!error) return "";
    if (error.fault) return t(`fault.${error.fault}`);
    const said = error.detail ?? error.errors.map((e) => e.message).join("; ");
    return said ? `${error.title}: ${said}` : error.title;
  };
}
