import { describe, expect, it } from "vitest";
import { closingText, closingTone, confirms, endingText, may, modeTitle, modeTone } from "./mode";
import type { Mode } from "./types";

const mode = (m: string, more: Partial<Mode> = {}): Mode => ({ mode: m, reason: "", since: "2026-04-02T14:30:00Z", ...more });

describe("mode", () => {
  it("shows unknown as unknown, never as active", () => {
    expect([modeTitle(null), modeTone(null)]).toEqual(["Unknown", "dim"]);
    expect([modeTitle(mode("novelty")), modeTone(mode("novelty"))]).toEqual(["Unknown", "dim"]);
  });
  it("names what holds", () => {
    expect([mode("active"), mode("reduce_only"), mode("halted"), mode("halted", { flatten: true }), mode("halted", { flat: "2026-04-02T14:30:00Z" }), mode("halted", { flat: "2026-04-02T14:30:00Z", left: [{ account: "DU1", symbol: "AAPL#1", qty: "5", avg_cost: null }] })].map(modeTitle)).toEqual(
      ["Active", "Reduce only", "Halted", "Flattening", "Halted, flat", "Halted, flat in stocks"],
    );
    expect(["active", "reduce_only", "halted"].map((m) => modeTone(mode(m)))).toEqual(["green", "amber", "red"]);
  });
  it("offers to stop whenever that is not known to be done, and to resume only when it may be", () => {
    expect([null, mode("active"), mode("reduce_only"), mode("halted")].map((m) => may(m, "halt"))).toEqual([true, true, true, false]);
    expect([null, mode("active"), mode("reduce_only"), mode("halted"), mode("halted", { flatten: true })].map((m) => may(m, "resume"))).toEqual(
      [false, false, true, true, false],
    );
    expect([null, mode("halted", { flatten: true })].map((m) => may(m, "flatten"))).toEqual([true, true]); // asked again, it tries again
  });
  it("tells what is pending", () => {
    const e = { order_id: 7, ref: "a", symbol: "AAPL", cancel: "waits" };
    expect(endingText(e)).toBe("AAPL order 7 has not ended; its cancel waits for the link");
    expect(endingText({ ...e, cancel: "novelty" })).toContain("unknown");
  });
  it("tells how far a position is, an unknown one as unknown", () => {
    const c = { symbol: "AAPL", state: "closing", position: "-1200", tries: 0, detail: "why" };
    expect(closingText(c)).toBe("position −1,200: why");
    expect(closingText({ ...c, position: null, tries: 2, detail: undefined })).toBe("position unknown, 2 tried");
    expect(["flat", "failed", "closing", "novelty"].map((state) => closingTone({ ...c, state }))).toEqual(["green", "red", "amber", "dim"]);
  });
  it("takes only the word for a flatten", () => {
    expect(["FLATTEN", " flatten ", "flat", ""].map(confirms)).toEqual([true, true, false, false]);
  });
});
