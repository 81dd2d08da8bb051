import { describe, expect, it } from "vitest";
import { matters, open } from "./attention";
import { coverAdvice, coverText, holdings } from "./protection";
import { latchedBy, limits, stateText } from "./risk";
import type { Finding, Guard, LimitUse, Mode, Order, Position, Protection, Risk } from "./types";

const since = "2026-01-05T14:30:00Z";
const now = Date.parse(since) + 60_000;
const position = (symbol: string, qty: string, more: Partial<Position> = {}): Position => ({ account: "DU1", symbol, qty, avg_cost: "180", ...more });
const guard = (symbol: string, more: Partial<Guard>): Guard => ({ symbol, position: "50", covered: false, held: "0", stop_price: null, ref: "", since, cause: "", ...more });
const only = (p: Protection | null | undefined, positions = [position("AAPL", "50")], at = now) => holdings(positions, null, p, at)![0]!;

describe("protection", () => {
  it("is told in words", () => {
    expect(coverText(only({ off: false, guards: [guard("AAPL", { covered: true, held: "50", stop_price: "182.1" })] }))).toBe("covered 50 of 50 at 182.10");
    const naked = only({ off: false, guards: [guard("AAPL", { held: "20", stop_price: "182.1", cause: "stops hold 20 of 50" })] });
    expect(naked.state).toBe("naked");
    expect(coverText(naked)).toMatch(/^NOT covered since \d\d:\d\d:\d\d \(20 of 50 are, at 182\.10\): stops hold 20 of 50$/);
    expect(coverAdvice(naked)).toContain("place a stop in TWS by hand");
  });
  it("arms for a moment, and does not call what is unknown or off covered", () => {
    const p = { off: false, guards: [guard("AAPL", {})] };
    expect([only(p, undefined, Date.parse(since) + 1000).state, only({ off: false, guards: [] }).state, only({ off: true, guards: null }).state]).toEqual(["arming", "arming", "off"]);
    expect([only(null).state, only(undefined).state, only({ off: false, guards: null }).state]).toEqual(["unknown", "unknown", "unknown"]);
    expect(holdings(null, null, p, now)).toBeNull();
  });
  it("shows what is held and not managed, and what needs a hand first", () => {
    const list = holdings([position("AAPL#7", "2", { sec_type: "OPT", unmanaged: true }), position("IBM#9", "1"), position("MSFT", "5"), position("AAPL", "50"), position("GE", "0")], null,
      { off: false, guards: [guard("MSFT", { covered: true }), guard("AAPL", {})] }, now)!;
    expect(list.map((h) => [h.symbol, h.state])).toEqual([["AAPL", "naked"], ["MSFT", "covered"], ["AAPL#7", "unmanaged"], ["IBM#9", "unmanaged"]]);
  });
});

const mode = (m: string, reason: string): Mode => ({ mode: m, reason, since });
const most: Record<string, string> = { daily_loss: "2000", drawdown: "5", losing_streak: "5", notional_per_day: "500000", orders_per_minute: "30", max_gross_notional: "200000", max_leverage: "1", max_position_notional: "50000" };
const use = (used: Record<string, number>, off = ""): LimitUse[] =>
  Object.keys(most).map((rule) => ({ rule, limit: rule, most: most[rule]!, used: rule in used ? String(used[rule]) : null, share: rule in used ? used[rule]! / Number(most[rule]) : null, off: rule === off }));
const risk = (u: LimitUse[] | null, more: Partial<Risk> = {}): Risk => ({ allowed: 1, refused: 0, last: null, use: u, currency: "USD", newest_at: since, ...more });
const by = (list: ReturnType<typeof limits>) => Object.fromEntries(list.map((l) => [l.rule, l.state]));

describe("risk", () => {
  it("sorts by use, and tells near, hit, off and unknown apart", () => {
    const list = limits(risk(use({ daily_loss: 2000, drawdown: 4.1, notional_per_day: 1000, orders_per_minute: 3, losing_streak: 5 }, "losing_streak")), null);
    expect(list.map((l) => [l.rule, l.state])).toEqual([
      ["daily_loss", "hit"], ["drawdown", "near"], ["orders_per_minute", "calm"], ["notional_per_day", "calm"],
      ["max_gross_notional", "unknown"], ["max_leverage", "unknown"], ["max_position_notional", "unknown"], ["losing_streak", "off"],
    ]);
    expect(list.slice(0, 2).map(stateText)).toEqual(["limit hit", "near: 82 %"]);
    expect(list[0]!.means).toContain("Entries are refused");
    expect(list[4]).toMatchObject({ used: "–", share: null, limit: "200,000" });
  });
  it("never shows unknown as 0", () => {
    for (const u of [null, use({})]) for (const l of limits(risk(u), null)) expect([l.used, l.share, l.state]).toEqual(["–", null, "unknown"]);
  });
  it("shows the symbol whose limit is used most", () => {
    const of = (symbol: string, share: number | null): LimitUse => ({ rule: "max_position_notional", limit: "max_position_notional", symbol, most: "50000", share, used: share === null ? null : String(share * 50000) });
    const l = limits(risk([of("AAPL", 0.2), of("MSFT", 0.9), of("NVDA", null)]), null)[0]!;
    expect([l.name, l.state, l.used]).toEqual(["Position MSFT", "near", "45,000.00"]);
  });
  it("takes a refusal by the newest order, and a latched rule, for a hit", () => {
    const last = { intent: { id: "a", symbol: "AAPL", qty: "1" }, decision: { allowed: false, rule: "max_gross_notional", at: since } };
    expect(by(limits(risk(use({ max_gross_notional: 199000 }), { last, last_at: since }), null)).max_gross_notional).toBe("hit");
    expect(by(limits(risk(use({ max_gross_notional: 100000 }), { last, last_at: "2026-01-05T14:00:00Z" }), null)).max_gross_notional).toBe("calm");
    expect(by(limits(risk(null), mode("reduce_only", "risk rule drawdown: the equity fell")))).toMatchObject({ drawdown: "hit", daily_loss: "unknown" });
  });
  it("knows who latched", () => {
    expect([mode("halted", "halted by the dashboard at 127.0.0.1: lunch"), mode("reduce_only", "risk rule drawdown: x"), mode("active", "never changed")].map(latchedBy)).toEqual(["the dashboard at 127.0.0.1", "the trader itself", ""]);
  });
});

const finding = (at: string, explained = false): Finding => ({ kind: "position", symbol: "AAPL", ours: "0", theirs: "5", explained, evidence: "none", done: "taken", at });

describe("attention", () => {
  it("keeps a difference until it is explained or a person resumes", () => {
    expect(open([finding(since)], null)).toHaveLength(1);
    expect(open([finding(since), finding("2026-01-05T14:31:00Z", true)], null)).toEqual([]);
    expect(open([finding(since)], { ...mode("active", "resumed"), since: "2026-01-05T14:32:00Z" })).toEqual([]);
    expect(open(undefined, null)).toEqual([]);
  });
  it("names unknown orders with why and what to do", () => {
    const o = { ref: "r1", order_id: 7, symbol: "AAPL", side: "BUY", qty: "5", state: "unknown", note: "no answer for 5 s", updated: since } as Order;
    const [m] = matters(null, [o, { ...o, ref: "r2", state: "filled" }], [], null, null);
    expect([m!.title, m!.text]).toEqual(["Outcome unknown: BUY 5 AAPL, since 09:30:00 New York", "no answer for 5 s"]);
    expect(m!.advice).toContain("order 7 in TWS");
  });
});
