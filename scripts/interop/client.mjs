// Drives @stoqey/ib for interop_test.go: commands come as lines of JSON on the
// standard input, {"op": "reqMktData", "args": […]}, and everything that the
// client decodes goes as lines of JSON to the standard output,
// {"event": "tickPrice", "args": […]}. It judges nothing: the test does.
//
// node client.mjs PORT CLIENT_ID
import process from "node:process";
import readline from "node:readline";
import { EventName, IBApi } from "@stoqey/ib";

const [port, clientId] = process.argv.slice(2).map(Number);
const ib = new IBApi({ host: "127.0.0.1", port, clientId });

// Echoes of what is written and received raw: the gateway's own tests look at bytes.
const raw = new Set([EventName.all, EventName.sent, EventName.received, EventName.result]);

// plain makes JSON of what has no JSON form of its own.
function plain(_key, value) {
  if (value instanceof Error) return { message: value.message };
  if (value instanceof Map) return [...value];
  if (value instanceof Set) return [...value];
  if (typeof value === "bigint") return value.toString();
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  return value;
}

function say(event, args) {
  process.stdout.write(`${JSON.stringify({ event, args }, plain)}\n`);
}

for (const name of Object.values(EventName)) {
  if (!raw.has(name)) ib.on(name, (...args) => say(name, args));
}

const commands = readline.createInterface({ input: process.stdin });
commands.on("line", (line) => {
  const { op, args } = JSON.parse(line);
  ib[op](...args.map((a) => (a === null ? undefined : a)));
  say("done", [op]);
});
commands.on("close", () => ib.disconnect());
ib.connect();
