// Feed keeps one WebSocket to the trader: it connects, folds, notices silence
// and connects again. Whatever happens, the page keeps what it knew and says
// how old that is.
import { session } from "./control";
import { fold, Gap, type View } from "./fold";
import type { Message } from "./types";

/** The trader beats once a second; after three silent ones we do not trust the line. */
export const SILENT_MS = 3000;

/**
 * How often the page is drawn at most. A hundred symbols tell a thousand quotes
 * a second; nobody reads faster than this.
 */
export const DRAW_MS = 100;

export interface Contact {
  /** open: messages come. silent: the socket stands, nothing comes. closed: no socket. */
  state: "connecting" | "open" | "silent" | "closed";
  /** Browser time since which it is so. */
  since: number;
}

export class Feed {
  private socket: WebSocket | null = null;
  private view: View | null = null;
  private contact: Contact = { state: "connecting", since: Date.now() };
  private heard = 0;
  private failures = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private watch: ReturnType<typeof setInterval> | undefined;
  private drawn = 0;
  private drawing: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly url: string,
    private readonly tell: (view: View | null, contact: Contact) => void,
  ) {}

  start(): void {
    this.connect();
    this.watch = setInterval(() => this.check(), 500);
  }

  stop(): void {
    clearTimeout(this.timer);
    clearTimeout(this.drawing);
    clearInterval(this.watch);
    this.socket?.close();
    this.socket = null;
  }

  private connect(): void {
    const after = this.view ? `?after=${encodeURIComponent(`${this.view.epoch}:${this.view.seq}`)}` : "";
    const socket = new WebSocket(this.url + after);
    this.socket = socket;
    this.heard = Date.now();
    socket.onmessage = (e) => {
      if (this.socket !== socket) return;
      this.heard = Date.now();
      this.failures = 0;
      try {
        this.view = fold(this.view, JSON.parse(e.data as string) as Message);
        this.set("open");
      } catch (err) {
        // A gap, or a message that is none: a fresh snapshot mends both.
        if (!(err instanceof Gap)) console.error("feed message not understood", err);
        this.view = null;
        this.again(socket);
      }
    };
    socket.onclose = () => {
      this.again(socket);
      if (this.failures > 1) void this.barred();
    };
  }

  private again(socket: WebSocket): void {
    if (this.socket !== socket) return;
    this.socket = null;
    socket.close();
    this.set("closed");
    const wait = Math.min(5000, 250 * 2 ** this.failures++) * (0.5 + Math.random() / 2);
    this.timer = setTimeout(() => this.connect(), wait);
  }

  /** A trader that others can reach tells nothing when the sign-in has ended: it
   * shows its log-in page instead of this one then. */
  private async barred(): Promise<void> {
    const now = await session().catch(() => null);
    if (now?.read === false) location.reload();
  }

  private check(): void {
    const quiet = Date.now() - this.heard;
    if (this.contact.state === "open" && quiet > SILENT_MS) this.set("silent");
    if (this.socket && quiet > 4 * SILENT_MS) this.again(this.socket);
  }

  private set(state: Contact["state"]): void {
    const changed = this.contact.state !== state;
    if (changed) this.contact = { state, since: state === "silent" ? this.heard : Date.now() };
    this.draw(changed);
  }

  /** Tells at once after a pause or a change of contact, and else at the end of the interval. */
  private draw(now: boolean): void {
    const wait = now ? 0 : this.drawn + DRAW_MS - Date.now();
    if (wait > 0) {
      this.drawing ??= setTimeout(() => this.draw(true), wait);
      return;
    }
    clearTimeout(this.drawing);
    this.drawing = undefined;
    this.drawn = Date.now();
    this.tell(this.view, this.contact);
  }
}
