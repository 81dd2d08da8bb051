import { describe, expect, it } from "vitest";
import { accountTone, ago, awaited, budget, countdown, dark, dataTone, failureText, journalText, lasting, orderTone, partTone, phaseText, sorted } from "./health";
import type { Freshness, Health, Link, Part, SessionHealth } from "./types";

const now = Date.parse("2026-04-02T14:30:00Z");
const part = (name: string, state: string): Part => ({ name, kind: "market", state, code: 2104, text: "", since: "2026-04-02T14:29:00Z" });
const session: SessionHealth = {
  last_frame: "2026-04-02T14:29:58Z", last_answer: null, round_trip_ms: null, missed: 0, venue: part("venue", "ok"), farms: [], read_only_api: null,
  competing: null, lines: { used: 1, limit: 100 }, history: { used: 0, limit: 60 }, frames_in: 1, frames_out: 1, undecoded: 0,
  pacing: { limit: 45, reserved: 5, sent: 9, waiting: 0, waited: 0, waited_ms: 0, longest_ms: 0, refused: 0, halved_until: null },
};
const link: Link = {
  state: "needs_restart", rung: "version", rungs: [], since: "2026-04-02T14:00:00Z", cause: "", advice: "", attempt: 5, next_retry: null, adapter: "ibkr",
  facts: { gateway: "127.0.0.1:4002", server_version: 0, account: "", client_id: 1, simulated: false, speed: 1 },
  failure: "no_reply", phase: "", until: null, sessions: 0, warnings: null,
  breaker: { state: "open", wedged: 5, limit: 5, tries: 2, max_tries: 12, evidence: null },
};

describe("health", () => {
  it("says of a farm what the gateway said, and nothing of one that was not told", () => {
    expect(["ok", "idle", "connecting", "broken", "", "novelty"].map(partTone)).toEqual(["green", "green", "amber", "red", "dim", "dim"]);
    expect(["live", "wanted", "delayed", "stale", "blocked", "lost", "closed", "novelty"].map(dataTone)).toEqual(
      ["green", "amber", "amber", "red", "red", "red", "dim", "dim"],
    );
  });
  it("keeps the order link apart from the farms", () => {
    expect(orderTone(null, now)).toBe("dim");
    expect(orderTone({ ...session, farms: [part("usfarm", "broken")] }, now)).toBe("green");
    expect(orderTone({ ...session, missed: 1 }, now)).toBe("amber");
    expect(orderTone({ ...session, missed: 2 }, now)).toBe("red");
    expect(orderTone({ ...session, venue: part("venue", "broken") }, now)).toBe("red");
  });
  it("takes neither what was never told nor what is old for well", () => {
    expect(orderTone({ ...session, last_frame: null }, now)).toBe("dim");
    expect(orderTone(session, now + 60_000)).toBe("amber");
    expect(["ok", "idle", "broken", ""].map(accountTone)).toEqual(["green", "amber", "red", "dim"]);
  });
  it("gives the reason of what has no data and should", () => {
    const d = (state: string, cause: string): Freshness => ({ symbol: state, state, cause, since: "", last: null, asked: 1 });
    const list = [d("live", ""), d("stale", "no tick"), d("closed", "outside its regular session"), d("blocked", "not subscribed"), d("wanted", "")];
    expect(dark(list).map((x) => x.cause)).toEqual(["no tick", "not subscribed"]);
    expect(dark(null)).toEqual([]);
  });
  it("never makes an age of what is not known", () => {
    expect(ago(null, now)).toBe("–");
    expect(ago("0001-01-01T00:00:00Z", now)).toBe("–");
    expect(ago("2026-04-02T14:29:58Z", now)).toBe("2.0 s");
    expect(countdown(null, now)).toBe("");
    expect(countdown("2026-04-02T14:29:58Z", now)).toBe("");
    expect(countdown("2026-04-02T14:35:00Z", now)).toBe("5 min");
  });
  it("puts the worst farm first, and leaves the list as it came", () => {
    const farms = [part("b", "ok"), part("a", "ok"), part("c", "broken"), part("d", "idle"), part("e", ""), part("f", "connecting")];
    expect(sorted(farms).map((f) => f.name).join("")).toBe("cfabde");
    expect(farms[0]!.name).toBe("b");
    expect(sorted(null)).toEqual([]);
  });
  it("shows the budget in shares of the limit", () => {
    expect(budget(session.pacing)).toEqual({ sent: 20, reserved: (100 * 5) / 45 });
    expect(budget({ ...session.pacing, limit: 0 })).toEqual({ sent: 0, reserved: 0 });
    expect(budget({ ...session.pacing, sent: 90 }).sent).toBe(100);
  });
  it("has words for failures and phases, and shows one that it does not know", () => {
    expect(failureText("no_reply")).toContain("says nothing");
    expect(failureText("a_novelty")).toBe("a novelty");
    expect(phaseText("second_factor")).toContain("second factor");
    expect(phaseText("a_novelty")).toBe("a novelty");
  });
  it("says what an open breaker waits for", () => {
    const evidence = { readable: true, listening: true, close_wait: 2, process: "java", pid: 7 };
    expect(awaited({ ...link, breaker: { ...link.breaker, state: "closed" } })).toBe("");
    expect(awaited({ ...link, breaker: { ...link.breaker, evidence } })).toContain("open (java, pid 7) with 2 dead sockets");
    expect(awaited({ ...link, breaker: { ...link.breaker, evidence: { ...evidence, listening: false, close_wait: 0 } } })).toContain("is closed.");
    expect(awaited({ ...link, next_retry: "2026-04-02T15:00:00Z" })).toContain("attempt 3 of 12");
    expect(awaited({ ...link, breaker: { ...link.breaker, evidence: { ...evidence, readable: false, why: "on another machine" } } })).toContain("(on another machine), and all 12");
  });
  it("says what a failing journal stops, since when, and what to do", () => {
    const f = { kind: "full", since: "2026-04-02T14:28:00Z", cause: "journal x.db: disk full", advice: "free some space; the journal then goes on by itself", mends: true };
    expect(journalText(null, now)).toBe("");
    expect(journalText(undefined, now)).toBe("");
    expect(journalText(f, now)).toMatch(/^Entries stop: the journal takes nothing since .+ \(2 min\), its disk is full\. Do this: free some space; .+ by itself\.$/);
    expect(journalText({ ...f, kind: "a_novelty" }, now)).toContain("a novelty");
  });
  it("keeps warnings as long as they last", () => {
    const health: Health = { session: { ...session, competing: "2026-04-02T14:00:00Z", read_only_api: "2026-04-02T14:00:00Z" }, account: part("account", "ok"), data: [] };
    expect(lasting(null, null)).toEqual([]);
    expect(lasting({ ...link, warnings: ["slow"] }, health).map((w) => w.slice(0, 9))).toEqual(["slow", "The gatew", "Another s"]);
    expect(lasting(link, { ...health, session })).toEqual([]);
  });
});
