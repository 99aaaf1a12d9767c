import type { Span } from "../time/span";
import { pluralsOf, type Translation } from "./catalogue";

const plural = pluralsOf("en");
const words: Record<Span["unit"], string> = { s: "s", min: "min", h: "h", d: "d", wk: "wk" };
const spanText = (span: Span) => `${span.count} ${words[span.unit]}`;

/** The shared components' sentences in English. */
export const en = {
  "time.now": "now",
  "time.ago": ({ span }: { span: Span }) => `${spanText(span)} ago`,
  "time.in": ({ span }: { span: Span }) => `in ${spanText(span)}`,
  "time.span": ({ span }: { span: Span }) => spanText(span),
  "time.unknown": "unknown",

  "presence.ready": "Ready",
  "presence.sleeping": "Sleeping",
  "presence.late": "Late",
  "presence.lost": "Lost",
  "presence.disconnected": "Disconnected",
  "presence.never_seen": "Never seen",
  "presence.retired": "Retired",
  "presence.was": ({ word }: { word: string }) => `Was ${word.toLowerCase()}`,

  "link.online": "Online",
  "link.late": "Late",
  "link.offline": "Offline",
  "link.stalled": "Stalled",
  "link.never_connected": "Never connected",
  "link.revoked": "Revoked",
  "link.retired": "Retired",

  "type.button": "Button",
  "type.watch": "Watch",
  "type.repeater": "Repeater",
  "type.sensor": "Sensor",

  "priority.normal": "Service",
  "priority.urgent": "Urgent call",
  "priority.emergency": "Emergency",

  "request.open": "Open",
  "request.accepted": "Accepted",
  "request.completed": "Completed",
  "request.cancelled": "Cancelled",
  "request.missed": "Missed",

  "command.queued": "Queued",
  "command.at_hub": "At the hub",
  "command.sent": "Sent",
  "command.delivered": "Delivered",
  "command.acknowledged": "Acknowledged",
  "command.succeeded": "Succeeded",
  "command.failed": "Failed",
  "command.expired": "Expired",
  "command.cancelled": "Cancelled",
  "command.superseded": "Superseded",
  "command.steps": "What happened to this command",
  "command.waiting": "Waiting for the next step",
  "command.expires": "Expires",
  "command.result": "Result",
  "command.anomaly": "Out of the ordinary",

  "battery.label": ({ percent }: { percent: number }) => `Battery ${percent}%`,
  "battery.low": ({ percent }: { percent: number }) => `Battery low, ${percent}%`,
  "signal.label": ({ value }: { value: number }) => (value <= 0 ? `Signal ${value} dBm` : `Signal ${value}%`),

  "view.loading": "Loading",
  "view.stale": "Not live at the moment. These are the last values known.",
  "view.stale.short": "Not live",
  "view.stale.age": "As of",
  "view.offline.title": "No connection to this program",
  "view.offline.since": "for",
  "view.offline.detail": "The last values are kept. Nothing can be changed until the connection is back.",
  "view.retry": "Try again",
  "view.partial": ({ shown }: { shown: number }) =>
    `Only a part could be loaded: ${shown} ${plural(shown, { one: "row", other: "rows" })}.`,
  "view.filtered": ({ total }: { total: number }) => `0 of ${total} match`,
  "view.filtered.detail": "Nothing here fits the filter.",
  "view.filtered.clear": "Clear the filter",
  "view.error.title": "This could not be loaded",
  "view.error.request": "Request",
  "view.forbidden.title": "You may not see this",
  "view.forbidden.detail": ({ needs }: { needs: string }) =>
    needs ? `It needs the permission ${needs}. Ask an administrator.` : "Your role does not allow it. Ask an administrator.",
  "view.old.title": "This program is too old for this page",
  "view.old.detail": ({ needs }: { needs: string }) => needs || "Update the program, then open the page again.",

  "fault.network": "There was no answer. Check the Wi-Fi, then try again.",
  "fault.timeout": "The answer took too long.",
  "fault.foreign": "The answer came from something else, such as a sign-in page of the network.",

  "copy.copy": "Copy",
  "copy.copied": "Copied",
  "copy.failed": "Select the text and copy it by hand",

  "dialog.close": "Close",
  "dialog.cancel": "Cancel",
  "step.done": "done",
  "step.now": "waiting for this",
  "step.later": "not yet",
  "step.failed": "failed",

  "toast.region": "Messages",
  "toast.dismiss": "Dismiss",

  "filter.clear": "Clear the filter",
  "filter.unknown": ({ word, known }: { word: string; known: string }) => `“${word}” is no filter word. Use ${known}.`,
  "filter.value": ({ word }: { word: string }) => `“${word}” needs a value after the colon.`,
  "filter.number": ({ word }: { word: string }) => `“${word}” compares with a number, such as <20.`,

  "sort.by": ({ column }: { column: string }) => `Sort by ${column}`,

  "theme.label": "Screen",
  "theme.dark": "Dark",
  "theme.light": "Daylight",
  "theme.night": "Night red",

  "auth.signIn": "Sign in",
  "auth.signingIn": "Signing in",
  "auth.signOut": "Sign out",
  "auth.username": "User name",
  "auth.password": "Password",
  "auth.showPassword": "Show the password",
  "auth.wrong": "User name or password is wrong.",
  "auth.slowDown": ({ span }: { span: Span }) => `Too many tries. Try again in ${spanText(span)}.`,
  "auth.over": "Your session has ended. Sign in again.",
  "auth.setup.title": "First run",
  "auth.setup.lead": "Make the first administrator. The setup code stands in the program’s output.",
  "auth.setup.code": "Setup code",
  "auth.setup.codeHint": "The program prints it when it starts",
  "auth.setup.usernameHint": "Letters, digits and . _ - @ +",
  "auth.setup.passwordHint": "At least 8 characters",
  "auth.setup.passwordShort": "The password needs at least 8 characters.",
  "auth.setup.repeat": "Password again",
  "auth.setup.differ": "The two passwords differ.",
  "auth.setup.create": "Make the administrator",
  "auth.setup.creating": "Making the administrator",

  "send.title": ({ device }: { device: string }) => `Send a command to ${device}`,
  "send.open": "Send a command",
  "send.name": "Command",
  "send.nameHint": "Letters, digits, dot, dash and underscore",
  "send.nameWrong": "Use letters, digits, dot, dash and underscore.",
  "send.args": "Arguments (JSON object, may be empty)",
  "send.argsWrong": "This is no JSON object.",
  "send.ttl": "Valid for",
  "send.ttlHint": "A command past this time is never sent.",
  "send.send": "Send",
  "send.sending": "Sending",
  "send.sent": "Command sent on its way",
} as const;

export type WebMessages = typeof en;
export type WebTranslation = Translation<WebMessages>;
