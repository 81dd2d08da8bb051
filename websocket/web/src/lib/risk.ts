// How far each limit is used, in words and shares. Pure, so that it can be
// tested without a browser. The desk tells limits and use as they are, once a
// second while they change; the metrics are told the same.
import { decimal, money, UNKNOWN } from "./format";
import type { LimitUse, Mode, Risk } from "./types";

/** hit: entries are refused for it. near: 80 % or more. unknown: nobody told how much is used. off: switched off. */
export type LimitState = "hit" | "near" | "calm" | "unknown" | "off";

export const NEAR = 0.8;

export interface Limit {
  rule: string;
  name: string;
  used: string;
  limit: string;
  unit: string;
  /** used / limit, at least 0; null is unknown. */
  share: number | null;
  state: LimitState;
  /** What a hit means and what to do; "" when it is none. */
  means: string;
}

interface Row {
  rule: string;
  name: string;
  unit: "money" | "%" | "orders" | "trips" | "×";
  /** At the limit an entry is refused already, not only beyond it. */
  at?: boolean;
  hit: string;
}

const rows: Row[] = [
  { rule: "daily_loss", name: "Loss today", unit: "money", at: true, hit: "Entries are refused and the mode is reduce only. Look at what happened; resume tomorrow, or raise risk.max_daily_loss." },
  { rule: "drawdown", name: "Drawdown", unit: "%", at: true, hit: "Entries are refused and the mode is reduce only. Look at what happened, then resume: the highest equity counts anew." },
  { rule: "losing_streak", name: "Losing streak", unit: "trips", at: true, hit: "Entries are refused and the mode is reduce only. Look whether the strategy fits this market; resume tomorrow." },
  { rule: "notional_per_day", name: "Sent today", unit: "money", hit: "Entries are refused until the next market day." },
  { rule: "orders_per_minute", name: "Orders a minute", unit: "orders", at: true, hit: "Entries are refused until the minute has passed. A strategy that sends so many may be in a loop." },
  { rule: "max_gross_notional", name: "All positions", unit: "money", hit: "Entries that add are refused until something is closed." },
  { rule: "max_leverage", name: "Leverage", unit: "×", hit: "Entries that add are refused until something is closed or the equity has risen." },
  { rule: "max_position_notional", name: "Position", unit: "money", hit: "Entries that add to this symbol are refused until some of it is closed." },
];

const places: Record<Row["unit"], (n: number) => string> = {
  money: (n) => money(String(n)), "%": (n) => n.toFixed(2), orders: String, trips: String, "×": (n) => n.toFixed(2),
};

/** All limits, the most used first; what is unknown behind them, what is off last. Of the symbols' limits the most used one stands for all. */
export function limits(risk: Risk, mode: Mode | null): Limit[] {
  const rank: LimitState[] = ["hit", "near", "calm", "unknown", "off"];
  return rows
    .map((r) => one(r, risk, mode))
    .sort((a, b) => rank.indexOf(a.state) - rank.indexOf(b.state) || (b.share ?? 0) - (a.share ?? 0));
}

function one(r: Row, risk: Risk, mode: Mode | null): Limit {
  const u = (risk.use ?? []).filter((l) => l.rule === r.rule).reduce<LimitUse | null>((most, l) => (most && (most.share ?? -1) >= (l.share ?? -1) ? most : l), null);
  const share = u?.share ?? null;
  const refused = !!risk.last && !!risk.last_at && risk.last_at === risk.newest_at && risk.last.decision.rule === r.rule;
  const latched = mode?.mode === "reduce_only" && mode.reason.startsWith(`risk rule ${r.rule}:`);
  const hit = latched || refused || (share !== null && (share > 1 || (share === 1 && !!r.at)));
  const state: LimitState = u?.off ? "off" : hit ? "hit" : share === null ? "unknown" : share >= NEAR ? "near" : "calm";
  const unit = { money: risk.currency ?? "", "%": "%", orders: "", trips: "lost in a row", "×": "× equity" }[r.unit];
  return {
    rule: r.rule, name: u?.symbol ? `${r.name} ${u.symbol}` : r.name, unit, share, state, means: state === "hit" ? r.hit : "",
    used: u && u.used !== null ? places[r.unit](Number(u.used)) : UNKNOWN, limit: u ? decimal(u.most, 0) : UNKNOWN,
  };
}

/** What stands beside the bar: never a colour alone. */
export function stateText(l: Limit): string {
  switch (l.state) {
    case "hit":
      return "limit hit";
    case "near":
      return `near: ${Math.floor(100 * (l.share ?? 0))} %`;
    case "calm":
      return `${Math.floor(100 * (l.share ?? 0))} %`;
    case "off":
      return "switched off";
    default:
      return "use unknown";
  }
}

/** Who made the mode what it is, by its reason; "" when nobody ever changed it. */
export function latchedBy(mode: Mode | null): string {
  if (!mode || mode.reason === "never changed") return "";
  const person = /^(?:halted|resumed|flatten) by (.+?)(?:: .*)?$/s.exec(mode.reason);
  return person ? person[1]! : mode.mode === "active" ? "" : "the trader itself";
}
