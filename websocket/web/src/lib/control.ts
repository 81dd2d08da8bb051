// What the page may make the trader do. The token is asked once and swapped for
// a cookie that no script can read; it is kept nowhere here.

export interface SignedIn {
  signed_in: boolean;
  until: string | null;
  /** Whether there is anything to sign in for. */
  control: boolean;
  /** Whether this browser is told what the trader knows. */
  read: boolean;
}

/** What the trader answered, or why nothing came. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly mend: string,
  ) {
    super(message);
  }
}

/** Longer than the trader takes for an order at most. */
const PATIENCE_MS = 8000;

async function ask<T>(path: string, init: RequestInit): Promise<T> {
  let res: Response;
  try {
    res = await fetch(path, { ...init, signal: AbortSignal.timeout(PATIENCE_MS) });
  } catch {
    throw new Refusal(0, "The trader did not answer.", "Try again; asking twice is harmless.");
  }
  const body = (await res.json().catch(() => ({}))) as Record<string, unknown>;
  if (!res.ok) {
    throw new Refusal(res.status, String(body.error ?? res.statusText), String(body.mend ?? ""));
  }
  return body as T;
}

export const session = (): Promise<SignedIn> => ask<SignedIn>("/api/session", {});

export const login = (token: string): Promise<SignedIn> =>
  ask<SignedIn>("/api/login", {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ token }),
  });

export const reconnect = (): Promise<unknown> => ask("/api/reconnect", { method: "POST" });

export type Command = "halt" | "resume" | "flatten";

export const command = (name: Command, reason = ""): Promise<unknown> =>
  ask("/api/" + name, reason === "" ? { method: "POST" } : {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ reason }),
  });
