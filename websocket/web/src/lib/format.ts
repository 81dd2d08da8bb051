// How facts are written. Unknown is a dash, never a zero.

export const UNKNOWN = "–";

/** A decimal string with at least `places` decimals; none are dropped. */
export function decimal(s: string | null | undefined, places = 2): string {
  if (s === null || s === undefined || s === "") return UNKNOWN;
  const [whole = "0", frac = ""] = s.replace("-", "").split(".");
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ",");
  const f = frac.padEnd(places, "0");
  return (s.startsWith("-") ? "−" : "") + grouped + (f ? "." + f : "");
}

/** An amount to the cent, with a sign when asked. */
export function money(s: string | null | undefined, signed = false): string {
  if (s === null || s === undefined || s === "") return UNKNOWN;
  const n = Number(s);
  if (!Number.isFinite(n)) return s;
  const text = Math.abs(n).toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
  const zero = text === "0.00";
  if (n < 0 && !zero) return "−" + text;
  return signed && !zero ? "+" + text : text;
}

export function tone(s: string | null | undefined): "up" | "down" | "" {
  const n = Number(s ?? 0);
  return n > 0 ? "up" : n < 0 ? "down" : "";
}

/** How long ago, in words: "3 s", "2 min", "4 h", "3 d". */
export function age(ms: number): string {
  const s = Math.max(0, ms) / 1000;
  if (s < 10) return s.toFixed(1) + " s";
  if (s < 100) return Math.round(s) + " s";
  if (s < 5400) return Math.round(s / 60) + " min";
  if (s < 129600) return Math.round(s / 3600) + " h";
  return Math.round(s / 86400) + " d";
}

const clock = new Intl.DateTimeFormat("en-GB", {
  timeZone: "America/New_York", hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false,
});
const day = new Intl.DateTimeFormat("en-CA", { timeZone: "America/New_York" });

/** Unknown times are Go's zero time or null. */
export function known(t: string | null | undefined): t is string {
  return !!t && !t.startsWith("0001-");
}

/** Time of day in New York, where the market is. */
export function time(t: string | null | undefined): string {
  return known(t) ? clock.format(new Date(t)) : UNKNOWN;
}

export function date(t: string | null | undefined): string {
  return known(t) ? day.format(new Date(t)) : UNKNOWN;
}

/** Milliseconds with a sensible number of digits. */
export function millis(ms: number): string {
  if (ms < 10) return ms.toFixed(2) + " ms";
  if (ms < 1000) return Math.round(ms) + " ms";
  return (ms / 1000).toFixed(1) + " s";
}

export function words(s: string): string {
  return s.replaceAll("_", " ");
}

/** A count, with its thousands apart. */
export function count(n: number): string {
  return n.toLocaleString("en-US", { maximumFractionDigits: 0 });
}
