import {
  Button, ErrorNote, Section, Skeletons, Steps, useDerived, useItem, useToast, useWords, useWork, type ApiError, type Collection, type StepState,
} from "@obedio/web";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { CircleCheck, Plus, RotateCcw } from "lucide-react";
import { useCallback, useEffect, useRef, useState } from "react";
import type { CallRequest, ProvisionToken } from "../api/resources";
import { useCanWrite, useHub, usePermits, useT } from "../context";
import { provision } from "../messages/provision";
import { ButtonLink } from "../shell/ButtonLink";
import { Code } from "./Code";
import { isDone, isReady, noProgress, progressOf, stepsOf, type Progress, type StepId } from "./progress";
import { useRoomName } from "./rooms";
import { madeHere, makeToken, readToken, revokeToken } from "./tokens";

/** How often an open token is asked about; what the device does then comes as events. */
const askEvery = 1500;

/** One device on its way in: the code to show it, and what it has done so far. */
export function Joining({ tokenId, onAgain }: { tokenId: string; onAgain: (tokenId: string | undefined) => void }) {
  const hub = useHub();
  const query = useQuery<ProvisionToken, ApiError>({
    queryKey: ["token", tokenId],
    queryFn: ({ signal }) => readToken(hub.api, tokenId, signal),
    refetchInterval: ({ state }) => (state.data === undefined || state.data.state === "open" ? askEvery : false),
    staleTime: 0,
  });
  // A lost answer does not take the code from the screen: the next one comes soon.
  if (query.data) return <JoiningView token={query.data} onAgain={onAgain} />;
  if (query.isError) return <ErrorNote error={query.error} onRetry={() => void query.refetch()} />;
  return <Skeletons count={2} itemClass="h-96" className="grid gap-6 lg:grid-cols-2" />;
}

function JoiningView({ token, onAgain }: { token: ProvisionToken; onAgain: (tokenId: string | undefined) => void }) {
  const t = useT(provision);
  const words = useWords();
  const hub = useHub();
  const device = useItem(hub.devices, token.device_id ?? "");
  const request = useDerived(hub.requests, useCallback((r: Collection<CallRequest>) => newestOf(r, token.device_id), [token.device_id]));
  const [held, setHeld] = useState<Progress>(noProgress);
  const progress = progressOf(held, token, device, request);
  useEffect(() => {
    setHeld((before) => progressOf(before, token, device, request));
  }, [token, device, request]);
  const ready = isReady(token.type, progress);
  // The form that had the focus is gone.
  const place = useRef<HTMLDivElement>(null);
  useEffect(() => place.current?.focus({ preventScroll: true }), []);
  const what = token.name ?? token.device_id ?? words.type(token.type);
  const room = useRoomName()(token.room);
  return (
    <div ref={place} tabIndex={-1} data-testid="joining" data-state={token.state} data-ready={ready} className="mx-auto grid max-w-5xl items-start outline-none gap-6 lg:grid-cols-[minmax(0,25rem)_minmax(0,1fr)]">
      {token.state === "open" ? (
        <Waiting token={token} onCancelled={() => onAgain(undefined)} />
      ) : token.state === "used" ? (
        <Joined token={token} ready={ready} room={room} request={request} onAnother={() => onAgain(undefined)} />
      ) : (
        <Ended token={token} onAgain={onAgain} />
      )}
      <Section title={t("joining.steps")} note={t("joining.what", { what, room })}>
        <div className="p-4 pb-2"><Checklist token={token} progress={progress} /></div>
      </Section>
    </div>
  );
}

function Checklist({ token, progress }: { token: ProvisionToken; progress: Progress }) {
  const t = useT(provision);
  const over = token.state === "expired" || token.state === "revoked";
  const steps = stepsOf(token.type);
  const current = steps.find((s) => !isDone(s, progress));
  const title = (step: StepId) => {
    if (step === "open") return t(token.hardware_id ? "joining.window" : "joining.open");
    if (step === "certified" && progress.claimed && !progress.certified) return t("joining.password");
    return t(`joining.${step}`);
  };
  const how = (step: StepId) => (step === "claimed" && token.hardware_id ? t("joining.claimed.window") : t(`joining.${step}.how`));
  const state = (step: StepId): StepState => {
    // A code that is shown is itself the first step.
    if (step === "open" && !over) return "done";
    if (isDone(step, progress)) return "done";
    if (over) return step === "open" ? "failed" : "later";
    return step === current || (current === "open" && step === "claimed") ? "now" : "later";
  };
  return <Steps label={t("joining.steps")} steps={steps.map((id) => ({ id, title: title(id), state: state(id), note: state(id) === "now" ? how(id) : undefined }))} />;
}

/** The token waits for its device. */
function Waiting({ token, onCancelled }: { token: ProvisionToken; onCancelled: () => void }) {
  const t = useT(provision);
  const hub = useHub();
  const toast = useToast();
  const canWrite = useCanWrite();
  const work = useWork();
  const cancel = () =>
    void work.run(async () => {
      await revokeToken(hub.api, token.id);
      toast({ tone: "ok", title: t("joining.cancelled") });
      onCancelled();
    });
  return (
    <Section title={t(token.hardware_id ? "joining.show.window" : "joining.show")}>
      <Code token={token} made={madeHere(token.id)?.token} />
      <div className="flex flex-col gap-2 border-t border-line p-4">
        {work.failure && <p role="status" className="text-sm text-bad">{work.failure}</p>}
        <Button busy={work.busy} disabled={!canWrite} onClick={cancel}>{t("joining.cancel")}</Button>
      </div>
    </Section>
  );
}

/** The device has come: what it is called, and what to do now. */
function Joined({ token, ready, room, request, onAnother }: { token: ProvisionToken; ready: boolean; room: string; request: CallRequest | undefined; onAnother: () => void }) {
  const t = useT(provision);
  const id = token.device_id ?? "";
  return (
    <section
      aria-label={t("joining.result")}
      data-testid="joined"
      className={`flex flex-col items-center gap-3 rounded-card border px-6 py-8 text-center ${ready ? "border-ok bg-ok-soft" : "border-line bg-ink-850"}`}
    >
      <CircleCheck aria-hidden className={`size-14 ${ready ? "text-ok" : "text-fg-dim"}`} />
      <div role="status">
        <h2 className="text-xl font-semibold">{t(ready ? "joining.works" : "joining.joined")}</h2>
        <p className="mt-1 text-base text-fg-muted">{t("joining.what", { what: token.name ?? id, room })}</p>
        {token.name && <p className="text-xs text-fg-dim">{id}</p>}
      </div>
      <TestCall request={request} />
      <div className="mt-3 flex w-full flex-col gap-3">
        {token.replaces ? (
          <ButtonLink kind={ready ? "primary" : "secondary"} large to="/mqtt/devices/$deviceId" params={{ deviceId: id }}>{t("joining.device")}</ButtonLink>
        ) : (
          <>
            <Button kind={ready ? "primary" : "secondary"} large icon={Plus} onClick={onAnother}>{t("joining.another")}</Button>
            <Link to="/mqtt/devices/$deviceId" params={{ deviceId: id }} className="inline-flex min-h-control items-center justify-center rounded-control text-sm text-fg-muted underline-offset-4 hover:text-fg hover:underline">{t("joining.device")}</Link>
          </>
        )}
      </div>
    </section>
  );
}

/** The test press has rung on every screen; here it can be taken back. */
function TestCall({ request }: { request: CallRequest | undefined }) {
  const t = useT(provision);
  const hub = useHub();
  const may = usePermits("requests.cancel");
  const work = useWork();
  if (!request || !may || (request.state !== "open" && request.state !== "accepted")) return null;
  return (
    <div className="flex flex-col items-center gap-2">
      <p className="text-sm text-fg-muted">{t("joining.rang")}</p>
      {work.failure && <p role="status" className="text-sm text-bad">{work.failure}</p>}
      <Button busy={work.busy} onClick={() => void work.run(() => hub.cancel(request, "other", t("joining.testNote")))}>{t("joining.clear")}</Button>
    </div>
  );
}

/** The token's time is over, or somebody has taken it back. */
function Ended({ token, onAgain }: { token: ProvisionToken; onAgain: (tokenId: string | undefined) => void }) {
  const t = useT(provision);
  const hub = useHub();
  const canWrite = useCanWrite();
  const work = useWork();
  const want = madeHere(token.id)?.want ?? {
    type: token.type as "button", room: token.room,
    ...(token.name ? { name: token.name } : {}),
    ...(token.device_id ? { device_id: token.device_id } : {}),
    ...(token.security_profile ? { security_profile: token.security_profile } : {}),
    ...(token.replaces ? { replaces: true } : {}),
  };
  // The key of a label is known only to the page that has read it.
  const again = !token.hardware_id || want.key_hash !== undefined;
  return (
    <Section title={t(token.state === "expired" ? "joining.expired" : "joining.revoked")} testId="token-ended">
      <div className="flex flex-col gap-4 p-4">
        <p className="text-sm text-fg-muted">{t(token.state === "expired" ? "joining.expired.detail" : "joining.revoked.detail")}</p>
        {work.failure && <p role="status" className="text-sm text-bad">{work.failure}</p>}
        {again ? (
          <Button kind="primary" large icon={RotateCcw} busy={work.busy} disabled={!canWrite} onClick={() => void work.run(async () => onAgain((await makeToken(hub.api, want)).id))}>
            {t("joining.again")}
          </Button>
        ) : (
          <Button kind="primary" large icon={RotateCcw} onClick={() => onAgain(undefined)}>{t("joining.again")}</Button>
        )}
      </div>
    </Section>
  );
}

function newestOf(requests: Collection<CallRequest>, deviceId: string | undefined): CallRequest | undefined {
  let newest: CallRequest | undefined;
  if (deviceId === undefined) return undefined;
  for (const r of requests.values()) {
    if (r.device_id === deviceId && (newest === undefined || r.last_press_at > newest.last_press_at)) newest = r;
  }
  return newest;
}
