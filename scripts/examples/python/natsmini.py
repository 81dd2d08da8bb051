"""A NATS client of the standard library alone, with the few calls of nats-py that
dip.py needs, for machines where nats-py is not to be had: connect, subscribe,
publish, request, drain. It speaks TLS, users and tokens. It knows one server at a
time and no headers, nkeys or clusters; for those take nats-py."""

import asyncio
import json
import secrets
import ssl
from urllib.parse import urlparse

LINE = 64 << 10  # of one control line, bytes


class NoRespondersError(Exception):
    """Nobody answers: nothing was done."""


class TimeoutError(Exception):
    """No answer in time: the outcome is unknown."""


class Msg:
    def __init__(self, subject, reply, data):
        self.subject, self.reply, self.data = subject, reply, data


class Client:
    def __init__(self, options):
        self.o, self.subs, self.answers, self.sid = options, {}, {}, 0
        self.inbox = options["inbox_prefix"].decode() + "." + secrets.token_hex(8)
        self.writer = self.task = None
        self.closing = False

    async def start(self):
        await self._dial()
        self.task = asyncio.create_task(self._run())
        self.sid += 1
        await self._line(f"SUB {self.inbox}.* {self.sid}")
        self.subs[self.sid] = (f"{self.inbox}.*", self._answered)

    async def _dial(self):
        u = urlparse(self.o["servers"][0])
        reader, writer = await asyncio.wait_for(asyncio.open_connection(u.hostname, u.port or 4222, limit=LINE), 5)
        info = json.loads((await reader.readline()).split(b" ", 1)[1])
        if info.get("tls_required") or u.scheme == "tls":
            context = self.o.get("tls") or ssl.create_default_context()
            await writer.start_tls(context, server_hostname=u.hostname)
        hello = {"verbose": False, "pedantic": False, "lang": "python", "version": "0", "protocol": 1, "name": self.o["name"], "headers": True, "no_responders": True}
        for ours, theirs in (("user", "user"), ("password", "pass"), ("token", "auth_token")):
            if self.o.get(ours):
                hello[theirs] = self.o[ours]
        writer.write(b"CONNECT " + json.dumps(hello).encode() + b"\r\nPING\r\n")
        for sid, (subject, _) in self.subs.items():
            writer.write(f"SUB {subject} {sid}\r\n".encode())
        await writer.drain()
        line = await asyncio.wait_for(reader.readline(), 5)
        if not line.startswith(b"PONG"):
            raise ConnectionError("refused: " + line.decode(errors="replace").strip())
        self.reader, self.writer = reader, writer

    async def _line(self, head, body=None):
        if self.writer is None:
            raise ConnectionError("not connected")
        self.writer.write(head.encode() + b"\r\n" + (body + b"\r\n" if body is not None else b""))
        await self.writer.drain()

    async def _run(self):
        """Reads until the end, and connects again every second after a loss."""
        while not self.closing:
            try:
                await self._read()
            except (OSError, EOFError, ValueError, asyncio.IncompleteReadError, asyncio.TimeoutError):
                pass
            if self.closing:
                return
            self.writer = None
            await self.o["disconnected_cb"]()
            while self.writer is None and not self.closing:
                await asyncio.sleep(1)
                try:
                    await self._dial()
                except (OSError, EOFError, ValueError, IndexError, asyncio.TimeoutError):
                    continue
                await self.o["reconnected_cb"]()

    async def _read(self):
        while True:
            line = await asyncio.wait_for(self.reader.readline(), 60)  # the server pings more often
            if not line:
                raise EOFError
            words = line.split()
            if words[:1] == [b"PING"]:
                await self._line("PONG")
            elif words[:1] == [b"-ERR"]:
                await self.o["error_cb"](ConnectionError(line.decode(errors="replace").strip()))
            elif words[:1] in ([b"MSG"], [b"HMSG"]):
                data = (await self.reader.readexactly(int(words[-1]) + 2))[:-2]
                empty = words[0] == b"HMSG"  # only "no responders" comes with headers
                reply = words[3].decode() if len(words) == (6 if empty else 5) else ""
                msg = Msg(words[1].decode(), reply, None if empty else data)
                _, cb = self.subs.get(int(words[2]), (None, None))
                if cb:
                    await cb(msg)

    async def _answered(self, msg):
        waiting = self.answers.get(msg.subject)
        if waiting and not waiting.done():
            waiting.set_result(msg)

    async def subscribe(self, subject, cb):
        self.sid += 1
        self.subs[self.sid] = (subject, cb)
        await self._line(f"SUB {subject} {self.sid}")

    async def publish(self, subject, payload):
        await self._line(f"PUB {subject} {len(payload)}", payload)

    async def request(self, subject, payload, timeout=1):
        inbox = self.inbox + "." + secrets.token_hex(6)
        self.answers[inbox] = asyncio.get_running_loop().create_future()
        try:
            await self._line(f"PUB {subject} {inbox} {len(payload)}", payload)
            msg = await asyncio.wait_for(self.answers[inbox], timeout)
        except asyncio.TimeoutError:
            raise TimeoutError from None
        finally:
            del self.answers[inbox]
        if msg.data is None:
            raise NoRespondersError
        return msg

    async def drain(self):
        self.closing = True
        if self.task:
            self.task.cancel()
        if self.writer:
            self.writer.close()


async def _nothing(*_):
    pass


async def connect(servers, name="", inbox_prefix=b"_INBOX", **options):
    options = {"error_cb": _nothing, "disconnected_cb": _nothing, "reconnected_cb": _nothing, **options}
    options.update(servers=[servers] if isinstance(servers, str) else servers, name=name, inbox_prefix=inbox_prefix)
    client = Client(options)
    await client.start()
    return client
