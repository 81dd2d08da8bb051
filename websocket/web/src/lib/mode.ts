// How the desk's mode is written, and what may be asked of it.
import type { Command } from "./control";
import { decimal } from "./format";
import type { Closing, Ending, Mode } from "./types";

/** A mode that is not known is no colour at all, and never the calm one. */
export function modeTone(m: Mode | null): string {
  if (m === null) return "dim";
  return { active: "green", reduce_only: "amber", halted: "red" }[m.mode] ?? "dim";
}

export function modeTitle(m: Mode | null): string {
  if (m === null) return "Unknown";
  if (m.flatten) return "Flattening";
  return { active: "Active", reduce_only: "Reduce only", halted: m.flat ? (m.left?.length ? "Halted, flat in stocks" : "Halted, flat") : "Halted" }[m.mode] ?? "Unknown";
}

/** What makes sense to ask. With the mode unknown, to stop always does. */
export function may(m: Mode | null, c: Command): boolean {
  if (c === "resume") return m !== null && m.mode !== "active" && !m.flatten;
  if (c === "halt") return m === null || m.mode !== "halted";
  return true;
}

export function endingText(e: Ending): string {
  const cancel = { next: "its cancel is about to be written", written: "its cancel is written", waits: "its cancel waits for the link" }[e.cancel];
  return `${e.symbol} order ${e.order_id} has not ended; ${cancel ?? "how its cancel stands is unknown"}`;
}

export function closingTone(c: Closing): string {
  return { cancelling: "amber", waiting: "amber", closing: "amber", verifying: "amber", flat: "green", failed: "red" }[c.state] ?? "dim";
}

export function closingText(c: Closing): string {
  const tries = c.tries > 0 ? `, ${c.tries} tried` : "";
  return `position ${c.position === null ? "unknown" : decimal(c.position, 0)}${tries}${c.detail ? ": " + c.detail : ""}`;
}

/** Whether what a person typed confirms a flatten. */
export const confirms = (typed: string): boolean => typed.trim().toUpperCase() === "FLATTEN";
