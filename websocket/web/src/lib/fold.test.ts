import { describe, expect, it } from "vitest";
import { fold, Gap, LIMITS, type View } from "./fold";
import { age, decimal, money, UNKNOWN } from "./format";
import { markers } from "./markers";
import type { Bar, Fill, Message, Order, Snapshot } from "./types";

const empty: Snapshot = {
  started: "2026-01-05T14:00:00Z", version: "test", link: null, health: null, mode: null, read_only: false, quotes: {}, bars: {}, bar_width: 6e10,
  positions: null, orders: [], fills: [], account: { id: "", values: [], portfolio: null }, risk: { allowed: 0, refused: 0, last: null },
  strategies: [], data: {}, equity: [], sim: null, bus: null, events: [],
};
const at = "2026-01-05T14:30:00Z";
const msg = (seq: number, type: string, data: unknown, epoch = "e"): Message => ({ type, epoch, seq, at, data });
const start = (): View => fold(null, msg(7, "snapshot", empty))!;
const order = (ref: string, state: string): Order => ({
  ref, order_id: 1, perm_id: 2, client_id: 1, strategy: "s", symbol: "AAPL", side: "BUY", type: "MKT", tif: "DAY", qty: "100", limit: null,
  state, filled: "0", avg_price: null, reason: "", note: "", created: at, updated: at,
});

describe("fold", () => {
  it("takes a snapshot and the deltas behind it", () => {
    let v = start();
    v = fold(v, msg(8, "order", order("a", "sent")))!;
    v = fold(v, msg(9, "order", order("b", "sent")))!;
    v = fold(v, msg(10, "order", order("a", "filled")))!;
    expect(v.seq).toBe(10);
    expect(v.snap.orders!.map((o) => [o.ref, o.state])).toEqual([["a", "filled"], ["b", "sent"]]);
  });
  it("takes health as a whole", () => {
    const health = { session: null, account: { name: "account", kind: "account", state: "ok", code: 0, text: "", since: at }, data: [] };
    expect(fold(start(), msg(8, "health", health))!.snap.health).toEqual(health);
    expect(start().snap.health).toBeNull();
  });
  it("takes alerts as a whole", () => {
    const alerts = { targets: [], on: null, sent: [], counts: null };
    expect(fold(start(), msg(8, "alerts", alerts))!.snap.alerts).toEqual(alerts);
  });
  it("refuses a gap, a repetition, another epoch and a delta without a snapshot", () => {
    for (const m of [msg(9, "mode", null), msg(7, "mode", null), msg(8, "mode", null, "other")]) {
      expect(() => fold(start(), m)).toThrow(Gap);
    }
    expect(() => fold(null, msg(1, "mode", null))).toThrow(Gap);
  });
  it("forgets everything when the trader knows nothing", () => {
    expect(fold(start(), msg(0, "snapshot", null, ""))).toBeNull();
  });
  it("ignores what a newer trader may tell, but counts it", () => {
    expect(fold(start(), msg(8, "novelty", { x: 1 }))!.seq).toBe(8);
  });
  it("keeps bars in order, replaces the forming one, and is bounded", () => {
    const bar = (i: number, close: string): Bar => ({
      start: new Date(Date.parse(at) + i * 60000).toISOString(), open: "1", high: "1", low: "1", close, volume: "1", trades: 1,
    });
    let v = start();
    let n = v.seq;
    const put = (b: Bar) => (v = fold(v, msg(++n, "bar", { symbol: "AAPL", width: 6e10, bar: b, closed: true }))!);
    put(bar(1, "2"));
    put(bar(0, "1"));
    put(bar(1, "3"));
    expect(v.snap.bars.AAPL!.map((b) => b.close)).toEqual(["1", "3"]);
    for (let i = 2; i < LIMITS.bars + 50; i++) put(bar(i, "9"));
    expect(v.snap.bars.AAPL).toHaveLength(LIMITS.bars);
  });
  it("takes lists that became known, history and the read-only mark", () => {
    const bar = (i: number): Bar => ({
      start: new Date(Date.parse(at) + i * 60000).toISOString(), open: "1", high: "1", low: "1", close: "1", volume: "1", trades: 1,
    });
    let v: View = { ...start(), snap: { ...empty, orders: null, fills: null, bars: { IBM: [bar(0)], AAPL: [bar(2)] } } };
    const tell = (type: string, data: unknown) => (v = fold(v, msg(v.seq + 1, type, data))!);
    tell("orders", []);
    tell("fills", []);
    tell("positions", []);
    tell("read_only", true);
    tell("bars", { width: 1, bars: { AAPL: [bar(1), bar(2)] } });
    expect(v.snap).toEqual({
      ...empty, orders: [], fills: [], positions: [], read_only: true, bar_width: 1, bars: { IBM: [bar(0)], AAPL: [bar(1), bar(2)] },
    });
  });
  it("puts late orders in their place and drops what is older than all in a full list", () => {
    const made = (ref: string, s: number): Order => ({ ...order(ref, "filled"), created: new Date(Date.parse(at) + s * 1000).toISOString() });
    let v: View = { ...start(), snap: { ...empty, orders: null } };
    const tell = (o: Order) => (v = fold(v, msg(v.seq + 1, "order", o))!);
    tell(made("c", 3));
    tell(made("a", 1));
    tell(made("b", 2));
    expect(v.snap.orders!.map((o) => o.ref)).toEqual(["a", "b", "c"]);
    for (let i = 0; i < LIMITS.orders; i++) tell(made(`n${i}`, 10 + i));
    tell(made("old", 0));
    expect(v.snap.orders!.length).toBe(LIMITS.orders);
    expect(v.snap.orders![0]!.ref).toBe("n0");
  });
  it("keeps an order that works before newer ones that have ended", () => {
    const made = (i: number, state: string): Order => ({ ...order(`r${i}`, state), created: new Date(Date.parse(at) + i * 1000).toISOString() });
    let v: View = { ...start(), snap: { ...empty, orders: [] } };
    const tell = (o: Order) => (v = fold(v, msg(v.seq + 1, "order", o))!);
    for (let i = 0; i < 3 * LIMITS.orders; i++) tell(made(i, i === 0 ? "working" : "filled"));
    tell(made(1, "filled"));
    const refs = v.snap.orders!.map((o) => o.ref);
    expect([refs.length, refs[0], refs[1]]).toEqual([LIMITS.orders, "r0", `r${2 * LIMITS.orders + 1}`]);
  });
  it("does not change what it was given", () => {
    const v = start();
    const before = structuredClone(v);
    fold(v, msg(8, "order", order("a", "sent")));
    expect(v).toEqual(before);
  });
});

// The stream is written by the feed's own test: a snapshot that knows nothing,
// one delta of everything, and the snapshot that they must add up to.
const streams = import.meta.glob<Message[]>("../../../feed/testdata/stream.json", { eager: true, import: "default" });

describe.runIf(Object.keys(streams).length > 0)("the feed's golden stream", () => {
  it("folds to the feed's own snapshot", () => {
    const all = Object.values(streams)[0]!;
    const want = all.at(-1)!.data as Snapshot;
    let v: View | null = null;
    for (const m of all.slice(0, -1)) v = fold(v, m);
    const same = (s: Snapshot) => ({ ...s, equity: s.equity.map((e) => ({ ...e, at: Date.parse(e.at) })) });
    expect(same(v!.snap)).toEqual(same(want));
    expect(v!.seq).toBe(all.at(-1)!.seq);
    expect(new Set(all.map((m) => m.type)).size).toBeGreaterThan(15);
  });
});

describe("format", () => {
  it("never shows unknown as zero", () => {
    for (const f of [decimal, money]) {
      expect(f(null)).toBe(UNKNOWN);
      expect(f(undefined)).toBe(UNKNOWN);
      expect(f("")).toBe(UNKNOWN);
    }
    expect(decimal("0")).toBe("0.00");
  });
  it("keeps every decimal of a price", () => {
    expect(decimal("187.2512")).toBe("187.2512");
    expect(decimal("1234567.5")).toBe("1,234,567.50");
    expect(decimal("-0.00000001")).toBe("−0.00000001");
  });
  it("writes amounts to the cent", () => {
    expect(money("-1999.675")).toMatch(/^−1,999\.6[78]$/);
    expect(money("12.3", true)).toBe("+12.30");
    expect(money("-0.001", true)).toBe("0.00");
  });
  it("writes ages", () => {
    expect([500, 65000, 7200000].map(age)).toEqual(["0.5 s", "65 s", "2 h"]);
  });
});

describe("markers", () => {
  const bars: Bar[] = [0, 1].map((i) => ({ start: new Date(Date.parse(at) + i * 60000).toISOString(), open: "1", high: "1", low: "1", close: "1", volume: "1", trades: 1 }));
  const fill = (s: number, side: string, qty: string, symbol = "AAPL"): Fill => ({
    exec_id: `${s}${side}`, ref: "", symbol, side, qty, price: "187.25", exchange: "SIM", at: new Date(Date.parse(at) + s * 1000).toISOString(),
    commission: null, currency: "USD", realized_pnl: null,
  });
  it("adds up the fills of a bar and leaves out other symbols and times before the chart", () => {
    const got = markers([fill(61, "BUY", "50"), fill(70, "BUY", "25"), fill(5, "SELL", "1"), fill(-5, "SELL", "1"), fill(6, "BUY", "1", "IBM")], "AAPL", bars, 6e10);
    expect(got).toEqual([
      { time: Date.parse(at) / 1000, side: "SELL", text: "S 1" },
      { time: Date.parse(at) / 1000 + 60, side: "BUY", text: "B 75" },
    ]);
  });
});
