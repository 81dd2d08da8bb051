import { describe, expect, it } from "vitest";
import { newest, targetText, targetTone } from "./alerts";
import type { AlertTarget } from "./types";

const target: AlertTarget = { name: "ntfy", where: "ntfy.sh", state: "working", cause: "", since: "", delivered: 3, lost: 0, waiting: 0 };

describe("alerts", () => {
  it("takes a place that was not tried for neither well nor ill", () => {
    expect(["untried", "working", "failing", "novelty"].map(targetTone)).toEqual(["dim", "green", "red", "dim"]);
  });
  it("says what is lost and why", () => {
    expect(targetText(target)).toBe("3 delivered");
    expect(targetText({ ...target, lost: 1, waiting: 2, cause: "ntfy: it answers 403" })).toBe("3 delivered · 2 waiting · 1 lost · ntfy: it answers 403");
  });
  it("shows the newest messages first", () => {
    const m = (title: string) => ({ at: "", kind: "mode", title, text: "", urgent: false });
    expect(newest({ targets: [], on: [], counts: [], sent: [m("a"), m("b"), m("c")] }, 2).map((x) => x.title)).toEqual(["c", "b"]);
    expect(newest(null, 2)).toEqual([]);
    expect(newest({ targets: null, on: null, counts: null, sent: null }, 2)).toEqual([]);
  });
});
