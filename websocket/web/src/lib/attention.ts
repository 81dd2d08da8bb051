// What a person should look at now: orders whose outcome nobody knows,
// differences to the broker that nothing explains, positions without a stop.
// Pure, so that it can be tested without a browser.
import { decimal, time } from "./format";
import { coverAdvice, coverText, wall, type Holding } from "./protection";
import type { Finding, Health, Mode, Order } from "./types";

export interface Matter {
  id: string;
  title: string;
  text: string;
  advice: string;
}

export const unknown = (orders: Order[] | null): Order[] => (orders ?? []).filter((o) => o.state === "unknown");

/** The differences that neither a later finding nor a person's resume has ended. */
export function open(findings: Finding[] | undefined, mode: Mode | null): Finding[] {
  const last = new Map<string, Finding>();
  for (const f of findings ?? []) last.set([f.kind, f.symbol ?? "", f.ref ?? ""].join(" "), f);
  const resumed = mode?.mode === "active" ? Date.parse(mode.since) : 0;
  return [...last.values()].filter((f) => !f.explained && Date.parse(f.at) >= resumed);
}

export function matters(held: Holding[] | null, orders: Order[] | null, findings: Finding[] | undefined, health: Health | null, mode: Mode | null): Matter[] {
  const list: Matter[] = [];
  for (const h of held ?? []) {
    if (h.state === "naked") list.push({ id: `naked ${h.symbol}`, title: `${decimal(h.qty, 0)} ${h.symbol} has no confirmed stop`, text: coverText(h), advice: coverAdvice(h) });
  }
  for (const o of unknown(orders)) {
    list.push({
      id: `unknown ${o.ref}`, title: `Outcome unknown: ${o.side} ${decimal(o.qty, 0)} ${o.symbol}, since ${time(o.updated)} New York`,
      text: o.note || "the broker has not answered",
      advice: `Entries in ${o.symbol} wait, and nothing is sent again. The trader asks the broker by itself; if it lasts, look for order ${o.order_id} in TWS (${o.ref}).`,
    });
  }
  for (const f of open(findings, mode)) {
    list.push({
      id: `finding ${f.kind} ${f.symbol ?? ""} ${f.ref ?? ""}`, title: `${[f.symbol, f.kind, f.ref].filter(Boolean).join(" ")} differs from the broker since ${wall(f.at)}`,
      text: `The books had ${f.ours}, the broker has ${f.theirs}. ${sentence(f.evidence)} ${sentence(f.done)}`.trim(),
      advice: "Compare with TWS. When the broker's numbers are right, press Resume.",
    });
  }
  if (health?.books) {
    list.push({
      id: "books", title: `Not compared with the broker since ${wall(health.books.since)}`, text: sentence(health.books.text),
      advice: "What is shown may be out of date. The trader goes on asking; look at the connection if it lasts.",
    });
  }
  return list;
}

const sentence = (s: string): string => (s ? s.charAt(0).toUpperCase() + s.slice(1).replace(/\.?$/, ".") : "");
