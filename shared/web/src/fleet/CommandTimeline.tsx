import { useWebMessages } from "../i18n/context";
import { RelativeTime } from "../time/hooks";
import { classes } from "../ui/classes";
import { toneText } from "../ui/Pill";
import { CommandBadge, useWords } from "./badges";
import { commandLook, isFinal, lookOf, type CommandState } from "./states";

/** What the timeline needs of a command, on either program. */
export interface CommandLike {
  command_id: string;
  name: string;
  args?: unknown;
  state: CommandState;
  issued_at: string;
  expires_at: string;
  steps: readonly { state: string; at: string }[];
  result?: unknown;
  error?: string | undefined;
  anomaly?: string | undefined;
}

/** One command with the steps it has taken, each written on evidence, and what is still to come. */
export function CommandTimeline({ command, by, actions }: { command: CommandLike; by?: string | undefined; actions?: React.ReactNode }) {
  const t = useWebMessages();
  const words = useWords();
  const open = !isFinal(command.state);
  return (
    <article data-testid="command" data-command-id={command.command_id} data-state={command.state} aria-label={command.name} className="px-4 py-3">
      <div className="flex flex-wrap items-center justify-between gap-x-3 gap-y-1">
        <h3 className="flex min-w-0 flex-wrap items-baseline gap-x-2 text-sm font-medium">
          <code className="font-mono">{command.name}</code>
          {by && <span className="text-xs font-normal text-fg-dim">{by}</span>}
        </h3>
        <div className="flex items-center gap-2">
          <CommandBadge state={command.state} />
          {actions}
        </div>
      </div>
      {hasArgs(command.args) && <pre className="mt-1 font-mono text-xs break-all whitespace-pre-wrap text-fg-muted">{JSON.stringify(command.args)}</pre>}
      <ol aria-label={t("command.steps")} className="mt-2 flex flex-col">
        {command.steps.map((step, i) => {
          const look = lookOf(commandLook, step.state);
          const last = i === command.steps.length - 1 && !open;
          return (
            <li key={`${step.state}-${step.at}`} className="relative flex items-center gap-3 py-1 text-xs">
              {!last && <span aria-hidden className="absolute top-1/2 left-2 h-full w-px bg-line" />}
              <look.icon aria-hidden className={classes("relative size-4 shrink-0 bg-ink-850", toneText[look.tone])} />
              <span className="min-w-28">{words.command(step.state)}</span>
              <RelativeTime at={step.at} className="text-fg-dim" />
            </li>
          );
        })}
        {open && (
          <li className="flex flex-wrap items-center gap-x-3 py-1 text-xs text-fg-dim">
            <span aria-hidden className="ml-1 size-2 shrink-0 rounded-full border border-fg-dim" />
            <span className="min-w-28">{t("command.waiting")}</span>
            <span>{t("command.expires")} <RelativeTime at={command.expires_at} /></span>
          </li>
        )}
      </ol>
      {command.error && <p className="mt-1 text-xs text-bad">{command.error}</p>}
      {hasArgs(command.result) && (
        <p className="mt-1 text-xs text-fg-muted">{t("command.result")} <code className="font-mono">{JSON.stringify(command.result)}</code></p>
      )}
      {command.anomaly && <p className="mt-1 text-xs text-warn">{t("command.anomaly")}: {command.anomaly}</p>}
    </article>
  );
}

function hasArgs(value: unknown): boolean {
  if (value === undefined || value === null) return false;
  return typeof value !== "object" || Object.keys(value).length > 0;
}
