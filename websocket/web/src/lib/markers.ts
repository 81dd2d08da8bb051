// markers puts each fill on the bar in which it happened.
import type { Bar, Fill } from "./types";

export interface Marker {
  /** Start of the bar, epoch seconds. */
  time: number;
  side: string;
  text: string;
}

/** width is the bars' width in nanoseconds, as the feed tells it. */
export function markers(fills: Fill[], symbol: string, bars: Bar[], width: number): Marker[] {
  const first = bars[0];
  if (!first || width <= 0) return [];
  const step = width / 1e9;
  const from = Date.parse(first.start) / 1000;
  const byBar = new Map<string, { time: number; side: string; qty: number }>();
  for (const f of fills) {
    const at = Date.parse(f.at) / 1000;
    if (f.symbol !== symbol || at < from) continue;
    const time = Math.floor(at / step) * step;
    const key = `${time} ${f.side}`;
    const seen = byBar.get(key);
    byBar.set(key, { time, side: f.side, qty: (seen?.qty ?? 0) + Number(f.qty) });
  }
  return [...byBar.values()]
    .sort((a, b) => a.time - b.time)
    .map((m) => ({ time: m.time, side: m.side, text: `${m.side === "BUY" ? "B" : "S"} ${m.qty}` }));
}
