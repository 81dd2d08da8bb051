// How health and the link's troubles are put into words and colours. Pure, so
// that it can be tested without a browser.
import { age, known, UNKNOWN, words } from "./format";
import type { Freshness, Health, JournalFailure, Link, Part, SessionHealth } from "./types";

export type Tone = "green" | "amber" | "red" | "dim";

/** A farm that sleeps is well; what nobody told is neither. */
export function partTone(state: string): Tone {
  switch (state) {
    case "ok":
      return "green";
    case "idle":
    case "connecting":
      return state === "idle" ? "green" : "amber";
    case "broken":
      return "red";
    default:
      return "dim";
  }
}

export function dataTone(state: string): Tone {
  switch (state) {
    case "live":
      return "green";
    case "delayed":
    case "wanted":
      return "amber";
    case "stale":
    case "blocked":
    case "lost":
      return "red";
    default:
      return "dim"; // closed, or a word that this page does not know
  }
}

/** How long ago, by the trader's clock; a dash for never. */
export function ago(t: string | null | undefined, now: number): string {
  return known(t) ? age(now - Date.parse(t)) : UNKNOWN;
}

/** How long until, or "" when that is over or not known. */
export function countdown(t: string | null | undefined, now: number): string {
  if (!known(t)) return "";
  const left = Date.parse(t) - now;
  return left > 0 ? age(left) : "";
}

/** The account's stream, which never sleeps: idle means that nothing came yet. */
export function accountTone(state: string): Tone {
  return state === "idle" ? "amber" : partTone(state);
}

/**
 * How old the newest frame may be. The gateway is asked every 30 s and has 10 s
 * to answer; an older one means that this very word is old.
 */
const FRAME_OLD_MS = 45_000;

/** The order link: silence, unanswered questions and a round trip of its own. */
export function orderTone(s: SessionHealth | null, now: number): Tone {
  if (!s) return "dim";
  if (s.missed >= 2 || s.venue.state === "broken") return "red";
  if (!known(s.last_frame)) return "dim";
  return s.missed > 0 || now - Date.parse(s.last_frame) > FRAME_OLD_MS ? "amber" : "green";
}

/** The symbols without data that should have some, with the reason: a tooltip is none where there is no mouse. */
export function dark(data: Freshness[] | null | undefined): Freshness[] {
  return (data ?? []).filter((d) => (d.state === "stale" || d.state === "blocked") && d.cause !== "");
}

const failures: Record<string, string> = {
  nobody_listens: "nobody listens at the port",
  unreachable: "the machine cannot be reached",
  no_reply: "the gateway accepts and says nothing",
  closed_early: "the gateway closed before it answered",
  wrong_protocol: "what answers is no gateway",
  redirected: "the gateway names another address",
  wrong_version: "the gateway's version is not spoken",
  closed_after_start: "the gateway closed after START_API",
  client_id_in_use: "the client id is in use",
  no_ids: "neither accounts nor order id came",
  no_accounts: "the list of accounts stayed empty",
  no_next_id: "the next order id did not come",
  step_failed: "a step after the handshake failed",
  forbidden: "refused for good",
  session_lost: "the session ended from the other side",
  gateway_silent: "the gateway stopped answering",
  session_broken: "the session could not go on",
};

/** A failure's word, for people; one that this page does not know, as it is. */
export function failureText(word: string): string {
  return failures[word] ?? words(word);
}

const phases: Record<string, string> = {
  restart_soon: "The gateway restarts soon: entries wait",
  daily_restart: "The gateway's daily restart",
  weekly_login: "The gateway's weekly login",
  second_factor: "The gateway waits for a person's log-in or second factor",
};

export function phaseText(word: string): string {
  return phases[word] ?? words(word);
}

/** What an open breaker waits for. */
export function awaited(link: Link): string {
  const b = link.breaker;
  if (!b || b.state !== "open") return "";
  const e = b.evidence;
  if (e?.readable) {
    const who = e.process ? ` (${e.process}${e.pid ? `, pid ${e.pid}` : ""})` : "";
    const seen = e.listening ? `The port is open${who}` : "The port is closed";
    const dead = e.close_wait > 0 ? ` with ${e.close_wait} dead ${e.close_wait === 1 ? "socket" : "sockets"} in it` : "";
    return `No attempt is made until the gateway is another one, or you reconnect. ${seen}${dead}.`;
  }
  const why = e?.why ? ` (${e.why})` : "";
  if (link.next_retry) return `What listens there cannot be seen${why}: attempt ${b.tries + 1} of ${b.max_tries} comes by itself.`;
  return `What listens there cannot be seen${why}, and all ${b.max_tries} attempts are used up: only you can reconnect.`;
}

/** What a person should know as long as it lasts. */
export function lasting(link: Link | null, health: Health | null): string[] {
  const list = [...(link?.warnings ?? [])];
  const s = health?.session;
  if (known(s?.read_only_api)) list.push("The gateway's API is read-only: no order is accepted. Uncheck “Read-Only API” in its settings.");
  if (known(s?.competing)) list.push("Another session of this user takes the market data. End it, or use a second user name for it.");
  return list;
}

const stopped: Record<string, string> = {
  full: "its disk is full",
  read_only: "it cannot be written",
  locked: "another program holds it",
  disk: "its disk fails",
  damaged: "it is damaged",
  lost: "rows of it are missing",
  tampered: "it is not the one that its witness speaks of",
};

/** A failing journal in a line: what stops, why, since when, and what to do; "" while it works. */
export function journalText(f: JournalFailure | null | undefined, now: number): string {
  if (!f) return "";
  const why = stopped[f.kind] ?? words(f.kind);
  return `Entries stop: the journal takes nothing since ${new Date(f.since).toLocaleTimeString()} (${ago(f.since, now)}), ${why}. Do this: ${f.advice}.`;
}

/** The farms in the order of what matters, then by name. */
export function sorted(farms: Part[] | null | undefined): Part[] {
  const rank = ["broken", "connecting", "ok", "idle"];
  const at = (p: Part): number => (rank.includes(p.state) ? rank.indexOf(p.state) : rank.length);
  return [...(farms ?? [])].sort((a, b) => at(a) - at(b) || a.name.localeCompare(b.name));
}

/** The shares of the pacing budget, in percent of the limit. */
export function budget(p: SessionHealth["pacing"]): { sent: number; reserved: number } {
  if (p.limit <= 0) return { sent: 0, reserved: 0 };
  const share = (n: number): number => Math.min(100, Math.max(0, (100 * n) / p.limit));
  return { sent: share(p.sent), reserved: share(p.reserved) };
}
