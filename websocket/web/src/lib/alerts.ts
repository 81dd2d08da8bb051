// How alerting is put into words and colours. Pure, so that it can be tested
// without a browser.
import type { Tone } from "./health";
import type { Alerts, AlertTarget } from "./types";

/** A place that was not tried yet is neither well nor ill. */
export function targetTone(state: string): Tone {
  switch (state) {
    case "working":
      return "green";
    case "failing":
      return "red";
    default:
      return "dim";
  }
}

/** What a person should know of a place, beside its state. */
export function targetText(t: AlertTarget): string {
  const parts = [`${t.delivered} delivered`];
  if (t.waiting > 0) parts.push(`${t.waiting} waiting`);
  if (t.lost > 0) parts.push(`${t.lost} lost`);
  if (t.cause) parts.push(t.cause);
  return parts.join(" · ");
}

/** The newest messages first, at most so many. */
export function newest(a: Alerts | null, most: number): NonNullable<Alerts["sent"]> {
  return [...(a?.sent ?? [])].reverse().slice(0, most);
}
