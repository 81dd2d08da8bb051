// fold is the page's whole memory: a snapshot, then numbered deltas. It is pure
// so that it can be tested without a browser.
import type {
  Account, Bar, DataState, FeedEvent, Fill, Finding, Health, Link, Message, Order, Portfolio, Position, Protection, Quote, Snapshot, Strategy,
} from "./types";

/** The same bounds as the feed's own lists: the newest stay, and orders that have not ended. */
export const LIMITS = { orders: 200, fills: 500, events: 200, bars: 500, equity: 1000, positions: 200, strategies: 200, findings: 50 };

export interface View {
  epoch: string;
  seq: number;
  /** Wall time of the newest message, by the trader's clock. */
  at: string;
  snap: Snapshot;
}

/** The feed lost a message; the client must connect again. */
export class Gap extends Error {}

export function fold(view: View | null, m: Message): View | null {
  if (m.type === "snapshot") {
    if (m.data === null) return null; // the trader knows nothing, so neither do we
    return { epoch: m.epoch, seq: m.seq, at: m.at, snap: m.data as Snapshot };
  }
  if (!view) throw new Gap("a delta before the snapshot");
  if (m.epoch !== view.epoch || m.seq !== view.seq + 1) {
    throw new Gap(`message ${m.seq} of ${m.epoch} after ${view.seq} of ${view.epoch}`);
  }
  return { epoch: m.epoch, seq: m.seq, at: m.at, snap: apply(view.snap, m) };
}

function apply(s: Snapshot, m: Message): Snapshot {
  switch (m.type) {
    case "link":
      return { ...s, link: m.data as Link };
    case "health":
      return { ...s, health: m.data as Health };
    case "mode":
      return { ...s, mode: m.data as Snapshot["mode"] };
    case "read_only":
      return { ...s, read_only: m.data as boolean };
    case "quote": {
      const q = m.data as Quote;
      return { ...s, quotes: { ...s.quotes, [q.symbol]: q } };
    }
    case "bar": {
      const b = m.data as { symbol: string; width: number; bar: Bar };
      const bars = put(s.bars[b.symbol] ?? [], b.bar, sameStart, LIMITS.bars, (x) => x.start);
      return { ...s, bar_width: b.width, bars: { ...s.bars, [b.symbol]: bars } };
    }
    case "bars": {
      // all bars of some symbols: history
      const b = m.data as { width: number; bars: Record<string, Bar[]> };
      return { ...s, bar_width: b.width, bars: { ...s.bars, ...b.bars } };
    }
    case "orders":
      return { ...s, orders: m.data as Snapshot["orders"] };
    case "order":
      return { ...s, orders: putOrder(s.orders ?? [], m.data as Order) };
    case "fills":
      return { ...s, fills: m.data as Snapshot["fills"] };
    case "fill":
      return { ...s, fills: put(s.fills ?? [], m.data as Fill, (a, b) => a.exec_id === b.exec_id, LIMITS.fills, (f) => f.at) };
    case "positions":
      return { ...s, positions: m.data as Snapshot["positions"] };
    case "position":
      return {
        ...s,
        positions: put(s.positions ?? [], m.data as Position, (a, b) => a.symbol === b.symbol && a.account === b.account, LIMITS.positions),
      };
    case "protection":
      return { ...s, protection: m.data as Protection };
    case "finding":
      return { ...s, findings: put(s.findings ?? [], m.data as Finding, sameFinding, LIMITS.findings, (x) => x.at) };
    case "account":
      return { ...s, account: m.data as Account };
    case "portfolio": {
      const p = m.data as Portfolio;
      return { ...s, account: { ...s.account, portfolio: p }, equity: putEquity(s.equity, p) };
    }
    case "risk":
      return { ...s, risk: m.data as Snapshot["risk"] };
    case "strategy":
      return {
        ...s,
        strategies: put(s.strategies, m.data as Strategy, (a, b) => a.name === b.name && a.symbol === b.symbol, LIMITS.strategies),
      };
    case "data": {
      const d = m.data as DataState;
      return { ...s, data: { ...s.data, [d.symbol]: d } };
    }
    case "sim":
      return { ...s, sim: m.data as Snapshot["sim"] };
    case "alerts":
      return { ...s, alerts: m.data as Snapshot["alerts"] };
    case "bus":
      return { ...s, bus: m.data as Snapshot["bus"] };
    case "event":
      return { ...s, events: [...s.events, m.data as FeedEvent].slice(-LIMITS.events) };
    default:
      return s; // a newer trader may tell more than this page knows
  }
}

function sameOrder(a: Order, b: Order): boolean {
  if (a.ref || b.ref) return a.ref === b.ref;
  return a.perm_id === b.perm_id && a.order_id === b.order_id && a.client_id === b.client_id;
}

const ENDED = ["filled", "cancelled", "rejected", "dropped"];

/** Beyond the bound the oldest that has ended goes, or the oldest where none has. The feed does the same. */
function putOrder(list: Order[], o: Order): Order[] {
  if (list.length >= LIMITS.orders && !list.some((x) => sameOrder(x, o))) {
    const least = Math.max(0, list.findIndex((x) => ENDED.includes(x.state)));
    const goes = list[least]!;
    const [ended, over] = [ENDED.includes(o.state), ENDED.includes(goes.state)];
    if ((ended && !over) || (ended === over && Date.parse(o.created) < Date.parse(goes.created))) return list;
    list = list.toSpliced(least, 1);
  }
  return put(list, o, sameOrder, LIMITS.orders, (x) => x.created);
}

const sameFinding = (a: Finding, b: Finding): boolean =>
  a.kind === b.kind && a.symbol === b.symbol && a.ref === b.ref && Date.parse(a.at) === Date.parse(b.at);

const sameStart = (a: Bar, b: Bar): boolean => Date.parse(a.start) === Date.parse(b.start);

/**
 * Replaces the newest element that is the same as v, or else adds v behind the
 * last that is not later; without a time all are equally late. Beyond most the
 * oldest goes. The feed does the same with its own lists.
 */
function put<T>(list: T[], v: T, same: (a: T, b: T) => boolean, most: number, at?: (x: T) => string): T[] {
  const i = list.findLastIndex((x) => same(x, v));
  if (i >= 0) return list.with(i, v);
  let where = list.length;
  if (at) {
    const t = Date.parse(at(v));
    while (where > 0 && Date.parse(at(list[where - 1]!)) > t) where--;
  }
  return list.toSpliced(where, 0, v).slice(-most);
}

function putEquity(list: Snapshot["equity"], p: Portfolio): Snapshot["equity"] {
  if (!p.equity || p.market.startsWith("0001")) return list;
  const at = new Date(Math.floor(Date.parse(p.market) / 60000) * 60000).toISOString();
  return put(list, { at, equity: p.equity }, (x, y) => Date.parse(x.at) === Date.parse(y.at), LIMITS.equity, (x) => x.at);
}
