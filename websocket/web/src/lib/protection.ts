// How the protection of positions by stops at the broker is put into words.
// Pure, so that it can be tested without a browser.
import { decimal, known } from "./format";
import type { Guard, Position, PositionView, Protection } from "./types";

/** What is held of one instrument, and how it is protected. */
export interface Holding {
  symbol: string;
  qty: string;
  avg_cost: string | null;
  last: string | null;
  unrealized: string | null;
  /** The venue's kind of what is no stock, "" for a stock. */
  kind: string;
  state: Cover;
  guard: Guard | null;
}

/**
 * covered: the broker has confirmed stops for all of it. arming: not yet, since
 * a moment. naked: not, for longer. off: stops are switched off. unknown: nobody
 * told. unmanaged: held by the account, not traded here.
 */
export type Cover = "covered" | "arming" | "naked" | "off" | "unknown" | "unmanaged";

/** A stop's way to the broker and back takes less; the trader tells people after 2 s, too. */
export const ARMING_MS = 2000;

const flat = (qty: string): boolean => Number(qty) === 0;
const unsigned = (qty: string): string => qty.replace("-", "");
/** Wall time of day, where the reader is. */
export const wall = (t: string): string => (known(t) ? new Date(t).toLocaleTimeString("en-GB") : "–");

export function cover(guard: Guard | null, protection: Protection | null | undefined, now: number): Cover {
  if (!protection) return "unknown";
  if (protection.off) return "off";
  if (!guard) return protection.guards ? "arming" : "unknown";
  if (guard.covered) return "covered";
  return now - Date.parse(guard.since) < ARMING_MS ? "arming" : "naked";
}

/**
 * All that is held: what the broker told, with the prices of the portfolio. Null
 * is not known.
 */
export function holdings(
  positions: Position[] | null, views: PositionView[] | null | undefined, protection: Protection | null | undefined, now: number,
): Holding[] | null {
  if (positions === null && !views) return null;
  const rows = new Map<string, Holding>();
  const guard = (s: string): Guard | null => protection?.guards?.find((g) => g.symbol === s) ?? null;
  for (const v of views ?? []) {
    if (flat(v.qty)) continue;
    rows.set(v.symbol, {
      symbol: v.symbol, qty: v.qty, avg_cost: v.avg_cost, last: v.last, unrealized: v.unrealized,
      kind: "", state: cover(guard(v.symbol), protection, now), guard: guard(v.symbol),
    });
  }
  for (const p of positions ?? []) {
    const unmanaged = p.unmanaged || p.symbol.includes("#"); // an older trader tells only the name
    const row = rows.get(p.symbol);
    if (flat(p.qty) || (row && !unmanaged)) continue;
    rows.set(p.symbol, {
      symbol: p.symbol, qty: p.qty, avg_cost: p.avg_cost, last: row?.last ?? null, unrealized: row?.unrealized ?? null,
      kind: p.sec_type ?? "", guard: unmanaged ? null : guard(p.symbol), state: unmanaged ? "unmanaged" : cover(guard(p.symbol), protection, now),
    });
  }
  const rank: Cover[] = ["naked", "arming", "unknown", "off", "covered", "unmanaged"];
  return [...rows.values()].sort((a, b) => rank.indexOf(a.state) - rank.indexOf(b.state) || a.symbol.localeCompare(b.symbol));
}

/** The sign before the words, so that colour is not all that tells. */
export const mark: Record<Cover, string> = { covered: "✓", arming: "…", naked: "▲", off: "○", unknown: "?", unmanaged: "–" };

export const coverTone: Record<Cover, string> = { covered: "green", arming: "amber", naked: "red", off: "amber", unknown: "amber", unmanaged: "dim" };

/** The protection of one holding in a sentence. */
export function coverText(h: Holding): string {
  const g = h.guard;
  const all = decimal(unsigned(h.qty), 0);
  const held = g?.held === undefined ? "" : ` ${decimal(g.held, 0)} of ${all}`;
  switch (h.state) {
    case "covered":
      return `covered${held} at ${decimal(g?.stop_price)}${g?.cause ? `: ${g.cause}` : ""}`;
    case "arming":
      return `arming: ${g?.cause || "its stop is on the way to the broker"}`;
    case "naked": {
      const some = g?.held !== undefined && !flat(g.held) ? ` (${decimal(g.held, 0)} of ${all} are, at ${decimal(g.stop_price)})` : "";
      return `NOT covered since ${wall(g!.since)}${some}: ${g?.cause || "no stop rests at the broker"}`;
    }
    case "off":
      return "no protective stop: desk.protect is off";
    case "unmanaged":
      return "held, not managed: no stop from here, and no flatten closes it";
    default:
      return "protection unknown: the trader has not told it yet";
  }
}

/** What a person can do about a position without cover. */
export function coverAdvice(h: Holding): string {
  return h.state === "naked"
    ? `Entries in ${h.symbol} are refused, and the trader goes on trying. If it lasts, place a stop in TWS by hand, or press Flatten.`
    : "";
}
