#!/usr/bin/env python3
"""dip: a strategy in a program of its own, over the trader's bus.

It buys when a trade is below the mean of the newest ones, and sells when one is
above it: an example of how to take part, not of how to earn money. The subjects
and payloads are those of services/event/asyncapi.yaml.

    dip.py --server nats://127.0.0.1:4223 --user dip --password-file dip.password AAPL

With nats-py (pip install nats-py) it uses that; without, natsmini.py beside it."""

import argparse
import asyncio
import json
import signal
import ssl
import sys
from collections import deque
from datetime import datetime, timezone
from decimal import Decimal

try:
    import nats
    import nats.errors as errors
except ImportError:
    import natsmini as nats
    errors = nats

KEPT = ("link", "desk.order", "desk.fill", "desk.mode")  # topics whose losses matter to this program
LISTED = 500  # orders and fills that desk.get lists at most
ENDED = ("filled", "cancelled", "rejected", "dropped")


def say(event, **facts):
    print(json.dumps({"event": event, **facts}), flush=True)


class Dip:
    def __init__(self, args):
        self.args, self.nc = args, None
        self.prices = deque(maxlen=args.window)
        self.newest, self.told, self.life = {}, {}, None
        self.ready, self.mode, self.known = False, None, False
        self.orders, self.fills = {}, {}  # our own: ref → (state, filled), exec_id → (ref, signed quantity)
        self.open = set()  # refs of orders that have not ended, as far as is known
        self.asking = False
        self.market = None
        self.count = self.rounds = 0
        self.done = asyncio.Event()
        self.stale = asyncio.Event()  # the desk is to be asked for its state

    def subject(self, topic):
        return f"trader.{self.args.instance}.{topic}"

    def own(self, ref):
        return ref.startswith(self.args.user + ":")

    def envelope(self, data):
        at = datetime.now(timezone.utc).isoformat()
        return json.dumps({"pub": self.args.user, "seq": 0, "at": at, "data": data}).encode()

    async def ask(self, topic, data, timeout):
        answer = json.loads((await self.nc.request(self.subject(topic), self.envelope(data), timeout=timeout)).data)
        if "error" in answer:
            raise ValueError(answer["error"])
        return answer["data"]

    # What is heard.

    async def hear(self, msg):
        topic = msg.subject.removeprefix(self.subject(""))
        m = json.loads(msg.data)
        if topic in KEPT and not self.counts(topic, m["seq"]):
            return
        data = m["data"]
        if topic == "bus":
            self.beat(data)
        elif topic == "link":
            self.ready = data["state"] == "ready"
        elif topic == "desk.mode":
            self.mode = data["mode"]
        elif topic == "desk.order":
            self.order(data)
        elif topic == "desk.fill":
            self.fill(data)
        else:
            await self.ticks(data["ticks"] or [])

    def counts(self, topic, seq):
        """Reports whether a message is new. A number that is missing is a loss."""
        before = self.newest.get(topic)
        if before is not None and seq <= before:
            return False  # written again, because nobody had confirmed it
        if before is not None and seq > before + 1:
            self.lost(topic, before, seq)
        self.newest[topic] = seq
        return True

    def beat(self, state):
        """Holds what the trader has written against what came until now."""
        for topic, number in self.told.items():
            before = self.newest.get(topic, 0)
            if topic in KEPT and number > before:
                self.lost(topic, before, number)
                self.newest[topic] = number
        self.told = dict(state["newest"] or {})
        if state["life"] != self.life:  # the trader was started anew: its numbers are, too
            self.life, self.newest, self.told = state["life"], self.told, {}  # what was written before is not lost
            self.known = False
            self.stale.set()

    def lost(self, topic, before, number):
        say("lost", topic=topic, before=before, number=number)
        self.known = False
        self.stale.set()

    def order(self, o):
        if not self.own(o["ref"]):
            return
        self.orders[o["ref"]] = (o["state"], Decimal(o["filled"]))
        if o["state"] not in ENDED:
            self.open.add(o["ref"])

    def fill(self, f):
        if self.own(f["ref"]) and f["exec_id"] not in self.fills and f["symbol"] == self.args.symbol:
            self.fills[f["exec_id"]] = (f["ref"], Decimal(f["qty"]) * (1 if f["side"] == "BUY" else -1))
            say("fill", ref=f["ref"], side=f["side"], qty=f["qty"], price=f["price"])

    def position(self):
        return sum((qty for _, qty in self.fills.values()), Decimal(0))

    def ended(self, ref):
        """An order has ended when its executions are here, too: they come apart."""
        state, filled = self.orders.get(ref, ("sent", None))
        return state in ENDED and sum(abs(qty) for r, qty in self.fills.values() if r == ref) == filled

    async def ticks(self, ticks):
        for t in ticks:
            if t["kind"] != "trade" or t["price"] is None:
                continue
            self.market = t["at"]
            self.prices.append(Decimal(t["price"]))
        if len(self.prices) == self.prices.maxlen:
            self.decide(self.prices[-1])

    # What is done.

    def decide(self, price):
        self.open = {ref for ref in self.open if not self.ended(ref)}
        if self.asking or self.open or not (self.known and self.ready and self.mode != "halted"):
            return
        mean = sum(self.prices) / len(self.prices)
        position = self.position()
        if position <= 0 and self.rounds == self.args.rounds and self.args.rounds:
            self.done.set()
        elif position <= 0 and self.mode == "active" and price <= mean * (1 - self.args.dip / 100):
            self.want("BUY", self.args.qty, f"{price} is below the mean {mean:.4f}")
        elif position > 0 and price >= mean * (1 + self.args.gain / 100):
            self.want("SELL", position, f"{price} is above the mean {mean:.4f}")

    def want(self, side, qty, why):
        self.asking = True
        self.count += 1
        at = datetime.fromisoformat(self.market.replace("Z", "+00:00"))
        ref = f"{self.args.user}:{at:%y%m%d%H%M%S}-{at.microsecond // 1000:03}-{self.count % 1000}"
        intent = {
            "id": ref, "action": "place", "strategy": self.args.user, "symbol": self.args.symbol, "side": side,
            "type": "MKT", "tif": "DAY", "qty": str(qty), "reason": why, "at": self.market,
        }
        self.task = asyncio.create_task(self.place(intent))

    async def place(self, intent):
        """Asks until there is an answer, with the same id: that is harmless."""
        for pause in (0.2, 0.5, 1, 2, 5):
            try:
                reply = await self.ask("order.request." + self.args.user, intent, 7)
            except errors.NoRespondersError:
                reply = {"result": "refused", "rule": "nobody", "reason": "no trader answers: nothing was done"}
            except ValueError as e:
                reply = {"result": "invalid", "reason": str(e)}
            except (errors.TimeoutError, ConnectionError):
                reply = {"result": "unknown"}
            say("asked", ref=intent["id"], side=intent["side"], **{k: reply[k] for k in ("result", "rule", "reason") if k in reply})
            if reply["result"] != "unknown":
                break
            self.open.add(intent["id"])
            await asyncio.sleep(pause)
        if reply["result"] == "written":
            self.open.add(intent["id"])
            self.rounds += intent["side"] == "SELL"
        elif reply["result"] == "unknown":
            self.known = False
            self.stale.set()  # the desk's state tells
        else:
            self.open.discard(intent["id"])
            await asyncio.sleep(1)  # a refusal does not change within a tick
        self.asking = False

    async def learn(self):
        """Asks the desk and the link for their state whenever that is needed."""
        while True:
            await self.stale.wait()
            self.stale.clear()
            try:
                link, desk = await self.ask("link.get", {}, 3), await self.ask("desk.get", {}, 3)
            except (errors.NoRespondersError, errors.TimeoutError, ConnectionError, ValueError) as e:
                say("not_known", why=repr(e))
                await asyncio.sleep(1)
                self.stale.set()
                continue
            self.ready, self.mode = link["state"] == "ready", desk["mode"]["mode"]
            orders = desk["orders"] or []
            for o in orders:
                # The answer may have been made before an end that we have heard of.
                if self.orders.get(o["ref"], ("sent", None))[0] not in ENDED:
                    self.order(o)
            if len(orders) < LISTED and not self.asking:  # what is not in the whole list is not there
                self.open &= {o["ref"] for o in orders}
            for f in desk["fills"] or []:
                self.fill(f)
            self.known = not self.stale.is_set()
            say("known", ready=self.ready, mode=self.mode, position=str(self.position()))

    async def run(self):
        a = self.args

        async def cut(*_):
            say("disconnected")
            self.known = False

        async def back(*_):
            say("reconnected")
            self.stale.set()

        async def bad(e):
            say("error", why=str(e))

        options = {}
        if a.ca:
            options["tls"] = ssl.create_default_context(cafile=a.ca)
            if a.cert:
                options["tls"].load_cert_chain(a.cert, a.key)
        self.nc = await nats.connect(
            servers=[a.server], user=a.user, password=a.password, name=a.user, inbox_prefix=b"_INBOX." + a.user.encode(),
            error_cb=bad, disconnected_cb=cut, reconnected_cb=back, **options)
        for topic in ("bus", *KEPT, "desk.ticks." + a.symbol.replace(".", "_").replace(" ", "_")):
            await self.nc.subscribe(self.subject(topic), cb=self.hear)
        self.stale.set()
        learner = asyncio.create_task(self.learn())
        stop = asyncio.get_running_loop()
        for s in (signal.SIGINT, signal.SIGTERM):
            stop.add_signal_handler(s, self.done.set)
        await self.done.wait()
        learner.cancel()
        await self.nc.drain()
        say("done", rounds=self.rounds, position=str(self.position()))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("symbol")
    p.add_argument("--server", default="nats://127.0.0.1:4223")
    p.add_argument("--user", default="dip", help="of bus.users_file; the strategy's name")
    p.add_argument("--password-file", required=True)
    p.add_argument("--ca"), p.add_argument("--cert"), p.add_argument("--key")
    p.add_argument("--instance", default="main")
    p.add_argument("--window", type=int, default=20, help="trades of the mean")
    p.add_argument("--dip", type=Decimal, default=Decimal("0.05"), help="per cent below the mean at which it buys")
    p.add_argument("--gain", type=Decimal, default=Decimal("0"), help="per cent above the mean at which it sells")
    p.add_argument("--qty", type=Decimal, default=Decimal(1))
    p.add_argument("--rounds", type=int, default=0, help="end after so many (0 = never)")
    args = p.parse_args()
    with open(args.password_file, encoding="utf-8") as f:
        args.password = f.read().strip()
    try:
        asyncio.run(Dip(args).run())
    except (OSError, ConnectionError, asyncio.TimeoutError) as e:
        sys.exit(f"dip: cannot join the bus at {args.server}: {e}")


if __name__ == "__main__":
    main()
