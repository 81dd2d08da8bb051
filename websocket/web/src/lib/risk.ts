// How far each limit is used, in words and shares. Pure, so that it can be
// tested without a browser. Limits and use come with each decision of the gate.
import { decimal, money, UNKNOWN } from "./format";
import type { Mode, Risk } from "./types";

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
  key: string;
  name: string;
  /** The amount in the same unit as the limit; null is unknown. */
  of: (use: Record<string, string>) => number | null;
  unit: "money" | "%" | "orders" | "trips" | "×";
  /** At the limit an entry is refused already, not only beyond it. */
  at?: boolean;
  hit: string;
}

const num = (s: string | undefined): number | null => (s === undefined || s === "" || !Number.isFinite(Number(s)) ? null : Number(s));
const ratio = (a: string | undefined, b: string | undefined, times = 1): number | null => {
  const x = num(a), y = num(b);
  return x === null || y === null || y <= 0 ? null : (times * x) / y;
};

const rows: Row[] = [
  { rule: "daily_loss", key: "max_daily_loss", name: "Loss today", unit: "money", at: true, of: (u) => num(u.day_loss), hit: "Entries are refused and the mode is reduce only. Look at what happened; resume tomorrow, or raise risk.max_daily_loss." },
  { rule: "drawdown", key: "max_drawdown", name: "Drawdown", unit: "%", at: true, of: (u) => ratio(u.drawdown, u.peak_equity, 100), hit: "Entries are refused and the mode is reduce only. Look at what happened, then resume: the highest equity counts anew." },
  { rule: "losing_streak", key: "max_losing_streak", name: "Losing streak", unit: "trips", at: true, of: (u) => num(u.losing_streak), hit: "Entries are refused and the mode is reduce only. Look whether the strategy fits this market; resume tomorrow." },
  { rule: "notional_per_day", key: "notional_per_day", name: "Sent today", unit: "money", of: (u) => num(u.notional_today), hit: "Entries are refused until the next market day." },
  { rule: "orders_per_minute", key: "orders_per_minute", name: "Orders a minute", unit: "orders", at: true, of: (u) => num(u.orders_last_minute), hit: "Entries are refused until the minute has passed. A strategy that sends so many may be in a loop." },
  { rule: "max_gross_notional", key: "max_gross_notional", name: "All positions", unit: "money", of: (u) => num(u.gross), hit: "Entries that add are refused until something is closed." },
  { rule: "max_leverage", key: "max_leverage", name: "Leverage", unit: "×", of: (u) => ratio(u.gross, u.equity), hit: "Entries that add are refused until something is closed or the equity has risen." },
  { rule: "max_position_notional", key: "max_position_notional", name: "Newest order's position", unit: "money", of: (u) => num(u.position_notional), hit: "Entries that add to this symbol are refused until some of it is closed." },
];

const places: Record<Row["unit"], (n: number) => string> = {
  money: (n) => money(String(n)), "%": (n) => n.toFixed(2), orders: String, trips: String, "×": (n) => n.toFixed(2),
};

/** All limits, the most used first; what is unknown behind them, what is off last. */
export function limits(risk: Risk, mode: Mode | null): Limit[] {
  const off = (risk.limits?.off ?? "").split(",");
  const rank: LimitState[] = ["hit", "near", "calm", "unknown", "off"];
  return rows
    .map((r) => one(r, risk, mode, off.includes(r.rule)))
    .sort((a, b) => rank.indexOf(a.state) - rank.indexOf(b.state) || (b.share ?? 0) - (a.share ?? 0));
}

function one(r: Row, risk: Risk, mode: Mode | null, off: boolean): Limit {
  const text = risk.limits?.[r.key]?.replace("%", "");
  const most = num(text);
  const used = risk.use ? r.of(risk.use) : null;
  const share = used === null || most === null || most <= 0 ? null : Math.max(0, used / most);
  const refused = !!risk.last && !!risk.last_at && risk.last_at === risk.at && risk.last.decision.rule === r.rule;
  const latched = mode?.mode === "reduce_only" && mode.reason.startsWith(`risk rule ${r.rule}:`);
  const hit = latched || refused || (share !== null && (share > 1 || (share === 1 && !!r.at)));
  const state: LimitState = off ? "off" : hit ? "hit" : share === null ? "unknown" : share >= NEAR ? "near" : "calm";
  const unit = { money: risk.currency ?? "", "%": "%", orders: "", trips: "lost in a row", "×": "× equity" }[r.unit];
  return {
    rule: r.rule, name: r.name, unit, share, state, means: state === "hit" ? r.hit : "",
    used: used === null ? UNKNOWN : places[r.unit](Math.max(0, used)), limit: most === null ? UNKNOWN : decimal(text, 0),
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
