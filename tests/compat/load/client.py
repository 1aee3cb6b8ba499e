# An asynchronous client over plain streams, which does what well-behaved ones cannot:
# sends several requests in one piece, and leaves in the middle.
import asyncio
import base64
import random
import socket
import struct
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Iterator
from contextlib import suppress

from tests.compat.load.mix import Case

__all__ = ["Client"]

_GIVE_UP = 300  # seconds until a server that hangs is an error
_MESSAGES = 3
_UPGRADE = [
    "Upgrade: websocket",
    "Connection: Upgrade",
    "Sec-WebSocket-Version: 13",
    f"Sec-WebSocket-Key: {base64.b64encode(bytes(16)).decode()}",
]
_TEXT, _CLOSE = 0x81, 0x88
_NORMAL = (1000).to_bytes(2, "big")


class Client:
    """
    Sends a plan of requests over several connections at once.

    Args:
        port: of the server, on loopback.
        batches: the plan.
        chance: decides when and how a connection ends.
        pause: gives the seconds to wait before a batch.
    """

    def __init__(
        self,
        port: int,
        batches: Iterator[list[Case]],
        chance: random.Random,
        pause: Callable[[], float] | None = None,
    ) -> None:
        self._port = port
        self._batches = batches
        self._chance = chance
        self._pause = pause
        # What was sent, and of what was answered whole the status.
        self.sent: dict[Case, int | None] = {}

    async def run(self, connections: int) -> None:
        """Send all, over so many connections at once."""
        async with asyncio.TaskGroup() as group:
            for _ in range(connections):
                group.create_task(self._work())

    async def _work(self) -> None:
        held: _Connection | None = None
        try:
            for batch in self._batches:
                if self._pause is not None:
                    await asyncio.sleep(self._pause())
                async with asyncio.timeout(_GIVE_UP):
                    held = await self._send(batch, held)
        finally:
            if held is not None:
                await held.end()

    async def _send(
        self, batch: list[Case], held: "_Connection | None"
    ) -> "_Connection | None":
        self.sent.update(dict.fromkeys(batch))
        if batch[0].manner != "whole":
            await self._alone(batch[0])
            return held
        connection = held or await _connect(self._port)
        # What a server does not answer stays without a status, for the judge to see.
        try:
            await connection.write(b"".join(case.wire for case in batch))
            for case in batch:
                self.sent[case] = await connection.answer(case)
        except (ConnectionError, asyncio.IncompleteReadError):
            connection.closing = True
        if not connection.closing and self._chance.random() < 0.9:
            return connection
        await connection.end()

        return None

    async def _alone(self, case: Case) -> None:
        small = 65536 if case.manner == "response" else None
        connection = await _connect(self._port, small)
        # Who leaves may be hindered in what it does before, and left all the same.
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            self.sent[case] = await _MANNERS[case.manner](connection, case)
        await connection.end(hard=self._chance.random() < 0.5)


class _Connection:
    def __init__(self, reader: StreamReader, writer: StreamWriter) -> None:
        self.reader = reader
        self._writer = writer
        self.closing = False

    async def write(self, request: bytes) -> None:
        self._writer.write(request)
        await self._writer.drain()

    async def head(self) -> tuple[int, dict[str, str]]:
        text = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        first, *lines = text.split("\r\n")[:-2]
        fields = dict(line.lower().split(": ", 1) for line in lines)
        self.closing = self.closing or fields.get("connection") == "close"

        return int(first.split()[1]), fields

    async def answer(self, case: Case) -> int:
        status, fields = await self.head()
        if case.kind == "head":
            return status
        if fields.get("transfer-encoding") == "chunked":
            body = await self._chunks()
        elif "content-length" in fields:
            body = await self.reader.readexactly(int(fields["content-length"]))
        else:
            body, self.closing = await self.reader.read(), True
        # It is the answer to this very request.
        if case.kind not in ("error", "streamed"):
            assert body == case.word.encode()

        return status

    async def _chunks(self) -> bytes:
        body = b""
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            body += (await self.reader.readexactly(size + 2))[:-2]
        await self.reader.readexactly(2)

        return body

    async def message(self, opcode: int, content: bytes) -> None:
        masked = bytes([opcode, 0x80 | len(content)]) + bytes(4) + content
        await self.write(masked)

    async def reply(self) -> bytes:
        _opcode, length = await self.reader.readexactly(2)

        return await self.reader.readexactly(length)

    async def end(self, *, hard: bool = False) -> None:
        if hard:  # reset
            linger = struct.pack("ii", 1, 0)
            raw = self._writer.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()


async def _connect(port: int, buffer: int | None = None) -> _Connection:
    plug = socket.socket()
    plug.setblocking(False)  # noqa: FBT003 - its signature
    if buffer is not None:
        plug.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    try:
        await asyncio.get_running_loop().sock_connect(plug, ("127.0.0.1", port))
        return _Connection(*await asyncio.open_connection(sock=plug))
    except BaseException:
        plug.close()
        raise


# --- who goes its own way; each gives the status if it has the whole response


async def _leave_body(connection: _Connection, case: Case) -> None:
    content = case.body.content
    await connection.write(case.head() + content[: len(content) // 2])


async def _leave_response(connection: _Connection, case: Case) -> None:
    await connection.write(case.wire)
    await connection.head()
    await connection.reader.read(1)


async def _converse(connection: _Connection, case: Case) -> int:
    await connection.write(case.head(*_UPGRADE))
    status, _ = await connection.head()
    for _ in range(_MESSAGES):
        await connection.message(_TEXT, case.word.encode())
        assert await connection.reply() == case.word.encode()

    return status


async def _converse_and_close(connection: _Connection, case: Case) -> int:
    status = await _converse(connection, case)
    await connection.message(_CLOSE, _NORMAL)
    assert await connection.reply() == _NORMAL

    return status


_MANNERS = {
    "body": _leave_body,
    "response": _leave_response,
    "lost websocket": _converse,
    "websocket": _converse_and_close,
}
