// What travels on the feed. Prices, quantities and amounts are strings; null is
// unknown and is never shown as 0.

export interface Rung {
  name: string;
  ok: boolean;
  at_ms: number;
  note?: string;
}

export interface Link {
  state: string;
  rung: string;
  rungs: Rung[] | null;
  since: string;
  cause: string;
  advice: string;
  attempt: number;
  next_retry: string | null;
  /** Since when no session is ready or degraded, over all attempts. */
  down_since?: string | null;
  adapter: string;
  facts: { gateway: string; server_version: number; account: string; client_id: number; simulated: boolean; speed: number };
  /** How the newest attempt or session ended, in one word; "" = it did not. */
  failure: string;
  /** What the gateway goes through by its calendar; "" = nothing special. */
  phase: string;
  until: string | null;
  breaker: Breaker;
  sessions: number;
  warnings: string[] | null;
}

export interface Breaker {
  state: string;
  wedged: number;
  limit: number;
  tries: number;
  max_tries: number;
  /** When it opened, and when the newest attempt hung. */
  since?: string | null;
  hung?: string | null;
  evidence: Evidence | null;
}

/** What the kernel tells of who listens at the gateway's address. */
export interface Evidence {
  readable: boolean;
  why?: string;
  listening: boolean;
  close_wait: number;
  pid?: number;
  process?: string;
}

/** One of the things whose health is separate. */
export interface Part {
  name: string;
  kind: string;
  state: string;
  code: number;
  text: string;
  since: string;
}

export interface Use {
  used: number;
  limit: number;
}

export interface SessionHealth {
  last_frame: string | null;
  last_answer: string | null;
  round_trip_ms: number | null;
  missed: number;
  venue: Part;
  farms: Part[] | null;
  read_only_api: string | null;
  competing: string | null;
  pacing: {
    limit: number; reserved: number; sent: number; waiting: number; waited: number; waited_ms: number; longest_ms: number;
    refused: number; halved_until: string | null;
  };
  lines: Use;
  history: Use;
  frames_in: number;
  frames_out: number;
  undecoded: number;
}

export interface Freshness {
  symbol: string;
  state: string;
  cause: string;
  since: string;
  last: string | null;
  asked: number;
}

/** How the session and what comes over it stand; unknown is null. */
/** Why the journal takes nothing: as long as it lasts no entry is sent. */
export interface JournalFailure {
  kind: string;
  since: string;
  cause: string;
  advice: string;
  mends: boolean;
}

export interface Health {
  session: SessionHealth | null;
  account: Part;
  data: Freshness[] | null;
  journal?: JournalFailure; // absent while it works
  books?: Part; // since when and why the books could not be held against the broker; absent while they are
}

export interface Quote {
  symbol: string;
  bid: string | null;
  ask: string | null;
  last: string | null;
  bid_size: string | null;
  ask_size: string | null;
  volume: string | null;
  bid_at: string | null;
  ask_at: string | null;
  last_at: string | null;
  received: string;
  halted: boolean;
  delayed: boolean;
}

export interface Bar {
  start: string;
  open: string;
  high: string;
  low: string;
  close: string;
  volume: string;
  trades: number;
}

export interface Order {
  ref: string;
  order_id: number;
  perm_id: number;
  client_id: number;
  strategy: string;
  symbol: string;
  side: string;
  type: string;
  tif: string;
  qty: string;
  limit: string | null;
  stop_price?: string; // of a stop order
  state: string;
  filled: string;
  avg_price: string | null;
  reason: string;
  note: string;
  created: string;
  updated: string;
  change?: { id: string; qty: string; limit: string | null; stop_price?: string }; // written and not shown by the broker yet
}

export interface Fill {
  exec_id: string;
  ref: string;
  symbol: string;
  side: string;
  qty: string;
  price: string;
  exchange: string;
  at: string;
  commission: string | null;
  currency: string;
  realized_pnl: string | null;
}

export interface Position {
  account: string;
  symbol: string;
  qty: string;
  avg_cost: string | null;
  /** The kind of what is no stock, such as OPT. */
  sec_type?: string;
  /** The account holds it, and this program does not trade it. */
  unmanaged?: boolean;
}

/** How the stops at the broker protect the positions. */
export interface Protection {
  off: boolean;
  guards: Guard[] | null;
}

export interface Guard {
  symbol: string;
  position: string;
  covered: boolean;
  /** What confirmed stops hold of the position, without a sign. */
  held?: string;
  stop_price: string | null;
  ref: string;
  since: string;
  cause: string;
}

/** A difference between the trader's books and the broker, or the end of one. */
export interface Finding {
  kind: string;
  symbol?: string;
  ref?: string;
  ours: string;
  theirs: string;
  explained: boolean;
  evidence: string;
  done: string;
  at: string;
}

export interface PositionView {
  symbol: string;
  qty: string;
  avg_cost: string | null;
  last: string | null;
  unrealized: string | null;
  realized: string;
}

export interface Portfolio {
  cash: string | null;
  equity: string | null;
  realized: string;
  unrealized: string | null;
  commission: string;
  pending: number;
  positions: PositionView[] | null;
  market: string;
}

export interface AccountValue {
  account: string;
  key: string;
  value: string;
  currency: string;
}

export interface Account {
  id: string;
  values: AccountValue[] | null;
  portfolio: Portfolio | null;
}

export interface Strategy {
  name: string;
  symbol: string;
  state: string;
  detail: string;
  values: Record<string, string> | null;
  market: string;
}

export interface DataState {
  symbol: string;
  state: string;
  cause: string;
  since: string;
}

export interface FeedEvent {
  at: string;
  level: string;
  source: string;
  name: string;
  code?: number;
  text: string;
  symbol?: string;
  ref?: string;
}

/** Whom the trader tells of troubles, and of which. */
export interface Alerts {
  targets: AlertTarget[] | null;
  on: AlertOn[] | null;
  sent: { at: string; kind: string; title: string; text: string; urgent: boolean }[] | null;
  counts: { kind: string; said: number; held: number; delivered: number; failed: number }[] | null;
}

export interface AlertTarget {
  name: string;
  where: string;
  /** untried, working or failing. */
  state: string;
  cause: string;
  since: string;
  delivered: number;
  lost: number;
  waiting: number;
}

export interface AlertOn {
  kind: string;
  key?: string;
  title: string;
  cause: string;
  advice: string;
  since: string;
  /** Held back by quiet hours or the hour's budget: nobody was told yet. */
  untold?: boolean;
}

export interface Decided {
  intent: { id: string; symbol: string; side?: string; qty: string };
  decision: { allowed: boolean; rule?: string; reason?: string; at: string };
}

/** How far one risk limit is used up now; null is unknown. */
export interface LimitUse {
  rule: string;
  limit: string; // its key under risk
  symbol?: string; // of a limit that each symbol has for itself
  used: string | null;
  most: string;
  share: number | null;
  off?: boolean;
}

/** What the risk gate decided, and how far its limits are used up now. */
export interface Risk {
  allowed: number;
  refused: number;
  last: Decided | null;
  use?: LimitUse[] | null;
  currency?: string;
  newest_at?: string | null; // of the newest decision about an order
  last_at?: string | null; // of last
}

/** The desk's mode, and what it has still to do. */
export interface Mode {
  mode: string;
  reason: string;
  since: string;
  flatten?: boolean;
  pending?: Ending[];
  closing?: Closing[];
  flat?: string;
  /** What a flatten does not close, as it is not traded here. */
  left?: Position[];
}

export interface Ending {
  order_id: number;
  ref: string;
  symbol: string;
  cancel: string;
}

export interface Closing {
  symbol: string;
  state: string;
  position: string | null;
  tries: number;
  detail?: string;
}

export interface Snapshot {
  started: string;
  version: string;
  link: Link | null;
  health: Health | null;
  mode: Mode | null;
  read_only: boolean;
  quotes: Record<string, Quote>;
  bars: Record<string, Bar[]>;
  bar_width: number;
  positions: Position[] | null;
  /** Null is not known; an older trader does not tell it. */
  protection?: Protection | null;
  findings?: Finding[];
  orders: Order[] | null;
  fills: Fill[] | null;
  account: Account;
  risk: Risk;
  strategies: Strategy[];
  data: Record<string, DataState>;
  equity: { at: string; equity: string }[];
  sim: {
    simulated: boolean; source: string; speed: number; market: string; ended: boolean;
    faults?: { line: number; text: string; times: number; last: string }[];
  } | null;
  /** Null where nobody is told of troubles. */
  alerts?: Alerts | null;
  bus: { state: string; since: string; cause: string } | null; // the way to programs outside
  events: FeedEvent[];
}

export interface Message {
  type: string;
  epoch: string;
  seq: number;
  at: string;
  data: unknown;
}
