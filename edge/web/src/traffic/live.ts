import { Cell, type Batcher } from "@obedio/web";
import type { Content, Row, TrafficMessage } from "./message";
import { Recorder } from "./recorder";
import { TopicTree } from "./tree";

/** What is wanted; empty texts are any. */
export interface TrafficFilter {
  topic: string;
  device: string;
  direction: "" | "inbound" | "outbound";
  contains: string;
}

export const anyTraffic: TrafficFilter = { topic: "", device: "", direction: "", contains: "" };

export interface LiveLink {
  state: "connecting" | "open" | "waiting";
  /** This browser's time. */
  since: number;
}

export interface Numbers {
  /** Messages a second, over the last few seconds. */
  rate: number;
  seen: number;
  /** Messages that the hub left out, because they were more than were asked for or than came through. */
  dropped: number;
}

export interface LiveTrafficConfig {
  /** ws://…/api/v1/traffic/live */
  url: string;
  batcher: Batcher;
  /** The hub has closed the door: the session has ended, or may no longer. */
  onRefused: () => void;
  connect?: (url: string, protocol: string) => WebSocket;
}

const protocol = "obedio.traffic.v1";
/** Messages a second that are wanted; what is beyond is counted. */
export const maxRate = 500;
/** Rows that the page holds. */
export const keepRows = 2000;
/** Topics whose newest message is held to be compared with the next. */
const keepTopics = 2000;
const rateOver = 5000;
const firstDelay = 500;
const longestDelay = 10_000;
/** The code with which the hub ends a watch that is not allowed any more. */
const policyViolation = 1008;

type Frame = { messages: TrafficMessage[]; dropped: number } | { error: string };

/** What passes the broker, while the page is open. */
export class LiveTraffic {
  readonly link: Cell<LiveLink>;
  /** Newest first. Another array whenever there is something new. */
  readonly rows: Cell<readonly Row[]>;
  readonly numbers: Cell<Numbers>;
  readonly paused: Cell<boolean>;
  /** What the hub says is wrong with the filter. */
  readonly fault: Cell<string | undefined>;
  readonly recorder: Cell<Recorder | undefined>;
  readonly tree = new TopicTree();

  readonly #c: LiveTrafficConfig;
  readonly #newest = new Map<string, Content>();
  #filter = anyTraffic;
  #socket: WebSocket | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #ticker: ReturnType<typeof setInterval> | undefined;
  #failures = 0;
  #count = 0;
  #dropped = 0;
  #recent: { at: number; n: number }[] = [];

  constructor(config: LiveTrafficConfig) {
    this.#c = config;
    const { batcher } = config;
    this.link = new Cell<LiveLink>(batcher, { state: "connecting", since: Date.now() });
    this.rows = new Cell<readonly Row[]>(batcher, []);
    this.numbers = new Cell<Numbers>(batcher, { rate: 0, seen: 0, dropped: 0 });
    this.paused = new Cell(batcher, false);
    this.fault = new Cell<string | undefined>(batcher, undefined);
    this.recorder = new Cell<Recorder | undefined>(batcher, undefined);
  }

  /** Begins to watch; the returned function stops. */
  start(): () => void {
    this.#connect();
    this.#ticker = setInterval(() => this.#tell(), 1000);
    return () => {
      clearTimeout(this.#timer);
      clearInterval(this.#ticker);
      const socket = this.#socket;
      this.#socket = undefined;
      socket?.close();
    };
  }

  /** What is wanted from now on. What was shown under another filter goes. */
  filter(filter: TrafficFilter): void {
    this.#filter = filter;
    this.#c.batcher.run(() => {
      this.rows.set([]);
      this.fault.set(undefined);
    });
    this.#subscribe();
  }

  pause(on: boolean): void {
    this.paused.set(on);
    this.#send({ op: on ? "pause" : "resume" });
  }

  clear(): void {
    this.rows.set([]);
  }

  record(): void {
    this.recorder.set(new Recorder());
  }

  /** Ends the recording and returns it. */
  stopRecording(): Recorder | undefined {
    const recorder = this.recorder.get();
    this.recorder.set(undefined);
    return recorder;
  }

  /** Tries the connection again now. */
  retry = (): void => {
    if (this.link.get().state === "waiting") this.#connect();
  };

  #connect(): void {
    clearTimeout(this.#timer);
    this.#set("connecting");
    const open = this.#c.connect ?? ((url, p) => new WebSocket(url, p));
    const socket = open(this.#c.url, protocol);
    this.#socket = socket;
    socket.addEventListener("open", () => {
      if (socket !== this.#socket) return;
      this.#failures = 0;
      this.#set("open");
      this.#subscribe();
    });
    socket.addEventListener("message", (event: MessageEvent<string>) => {
      if (socket === this.#socket) this.#c.batcher.queue(() => this.#frame(JSON.parse(event.data) as Frame));
    });
    socket.addEventListener("close", (event) => {
      if (socket !== this.#socket) return;
      this.#set("waiting");
      if (event.code === policyViolation) {
        this.#c.onRefused();
        return;
      }
      const delay = Math.min(longestDelay, firstDelay * 2 ** this.#failures++);
      this.#timer = setTimeout(() => this.#connect(), delay);
    });
  }

  #subscribe(): void {
    const { topic, device, direction, contains } = this.#filter;
    this.#send({ op: "subscribe", filter: { topic, device_id: device, direction, contains }, max_rate: maxRate });
    if (this.paused.get()) this.#send({ op: "pause" });
  }

  #send(op: object): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(op));
  }

  #frame(frame: Frame): void {
    if ("error" in frame) {
      this.fault.set(frame.error);
      return;
    }
    this.#dropped += frame.dropped;
    const { messages } = frame;
    if (messages.length === 0) return;
    this.#recent.push({ at: Date.now(), n: messages.length });
    const recorder = this.recorder.get();
    const rows: Row[] = [];
    for (const message of messages) {
      recorder?.add(message);
      this.tree.add(message.topic);
      rows.push({ ...message, n: ++this.#count, before: this.#remember(message) });
    }
    this.rows.set([...rows.reverse(), ...this.rows.get()].slice(0, keepRows));
  }

  /** Holds the message for the next one of its topic, and returns the one before. */
  #remember(message: TrafficMessage): Content | undefined {
    if (message.payload === undefined) return undefined;
    const key = `${message.direction} ${message.topic}`;
    const before = this.#newest.get(key);
    this.#newest.delete(key);
    const { at, payload, payload_encoding, truncated } = message;
    this.#newest.set(key, { at, payload, ...(payload_encoding ? { payload_encoding } : {}), ...(truncated ? { truncated } : {}) });
    if (this.#newest.size > keepTopics) this.#newest.delete(this.#newest.keys().next().value!);
    return before;
  }

  #tell(): void {
    const from = Date.now() - rateOver;
    this.#recent = this.#recent.filter((r) => r.at > from);
    const rate = this.#recent.reduce((sum, r) => sum + r.n, 0) / (rateOver / 1000);
    const old = this.numbers.get();
    if (old.rate !== rate || old.seen !== this.#count || old.dropped !== this.#dropped) this.numbers.set({ rate, seen: this.#count, dropped: this.#dropped });
  }

  #set(state: LiveLink["state"]): void {
    this.link.set({ state, since: Date.now() });
  }
}
