# Clients that load servers which are killed under them.
#
# Each request carries a word of its own in its query, and each client notes what it
# sent and which answers it got whole: that is all that the judge takes from here. A
# connection that breaks is made anew; the listening socket is the harness's own, so a
# server that is dead lets clients wait, and refuses none.
import asyncio
import http.client
import random
from asyncio import IncompleteReadError, StreamReader, StreamWriter
from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

__all__ = ["FORM", "Load", "Request", "answer", "ask", "compose"]

FORM = "application/x-www-form-urlencoded"
_HEAD = "Host: example.org\r\nUser-Agent: torture\r\nCookie: theme=dark; lang=en\r\n"
_SECONDS = 60  # until a server that does not answer is an error
_LOST = (ConnectionError, IncompleteReadError)


class Request(NamedTuple):
    """A request as it stands on the wire, in the pieces in which it is sent."""

    word: str
    pieces: tuple[bytes, ...]


def compose(word: str, path: str, more: str = "", body: bytes = b"") -> bytes:
    """Return a request; with a body, a POST of a form."""
    target = f"{path}?n={word}{more}"
    if not body:
        return f"GET {target} HTTP/1.1\r\n{_HEAD}\r\n".encode()
    length = f"Content-Type: {FORM}\r\nContent-Length: {len(body)}\r\n"

    return f"POST {target} HTTP/1.1\r\n{_HEAD}{length}\r\n".encode() + body


def _quick(word: str) -> Request:
    return Request(word, (compose(word, "/quick", "&a=1&b=two&flag"),))


def _posted(word: str) -> Request:
    body = f"word={word}&text=a+b&password=secret".encode()

    return Request(word, (compose(word, "/echo", "", body),))


def _spilled(word: str) -> Request:
    # One that is spilled each time anew, and one that all requests have.
    body = f"own={word * 40}&common={'long ' * 80}".encode()

    return Request(word, (compose(word, "/echo", "", body),))


def _large(word: str) -> Request:
    # Its record has more than 4 KiB, though no value is spilled.
    more = "".join(f"&p{number}={word}-{'x' * 90}" for number in range(50))

    return Request(word, (compose(word, "/quick", more),))


def _halved(word: str) -> Request:
    whole = compose(word, "/echo", "", b"a=1&b=" + b"y" * 100)

    return Request(word, (whole[:-50], whole[-50:]))


def _path(path: str) -> Callable[[str], Request]:
    return lambda word: Request(word, (compose(word, path, "", b"read=1"),))


_KINDS: dict[Callable[[str], Request], int] = {
    _quick: 60,
    _posted: 12,
    _spilled: 8,
    _large: 8,
    _halved: 4,
    _path("/stream"): 4,
    _path("/slow"): 4,
    _path("/say"): 8,
}
_hanging = _path("/hang")


async def answer(reader: StreamReader) -> tuple[int, bytes, bool]:
    """
    Return status and body of a whole answer, and whether the connection stays.

    Raises:
        IncompleteReadError: it is not whole.
    """
    text = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    lines = text.split("\r\n")[1:-2]
    fields = dict(line.split(": ", 1) for line in lines)
    status = int(text.split(" ", 2)[1])
    stays = fields.get("connection") != "close"
    if fields.get("transfer-encoding") == "chunked":
        return status, await _chunks(reader), stays

    return status, await reader.readexactly(int(fields["content-length"])), stays


async def _chunks(reader: StreamReader) -> bytes:
    body = b""
    while size := int(await reader.readuntil(b"\r\n"), 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readexactly(2)

    return body


def ask(port: int, target: str) -> int:
    """Return the status of a GET; it waits as long as a server needs to come up."""
    connection = http.client.HTTPConnection("127.0.0.1", port, _SECONDS)
    try:
        connection.request("GET", target)
        response = connection.getresponse()
        response.read()
        return response.status
    finally:
        connection.close()


class Load:
    """
    Clients of several servers.

    Args:
        seed: of all that is random here.
    """

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self._count = 0
        self._tasks: list[asyncio.Task[None]] = []
        # What was sent, and of what was answered whole the status.
        self.sent: dict[str, int | None] = {}

    def add(self, port: int, clients: int, hanging: int = 0) -> None:
        """Load a port from so many connections, and some whose requests hang."""
        for number in range(clients + hanging):
            work = self._work(port, hangs=number >= clients)
            self._tasks.append(asyncio.create_task(work))

    async def end(self) -> None:
        """Stop all clients, wherever they are; raise what went wrong in one."""
        for task in self._tasks:
            task.cancel()
        for ended in await asyncio.gather(*self._tasks, return_exceptions=True):
            if not isinstance(ended, asyncio.CancelledError):
                raise ended or AssertionError("a client stopped by itself")

    async def requests(self, count: int) -> None:
        """Return when so many requests were sent."""
        async with asyncio.timeout(_SECONDS):
            while len(self.sent) < count:  # noqa: ASYNC110 - there is no hurry
                await asyncio.sleep(0.02)

    def word(self) -> str:
        """Return the word of the next request."""
        self._count += 1

        return f"w-{self._count}"

    async def _work(self, port: int, *, hangs: bool) -> None:
        while True:
            writer: StreamWriter | None = None
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
                while await self._exchange(reader, writer, hangs=hangs):
                    pass
            except _LOST:
                await asyncio.sleep(0.002)
            finally:
                if writer is not None:
                    await _close(writer)

    async def _exchange(
        self, reader: StreamReader, writer: StreamWriter, *, hangs: bool
    ) -> bool:
        kinds = [_hanging] if hangs else [*_KINDS]
        (kind,) = self._chance.choices(kinds, None if hangs else [*_KINDS.values()])
        request = kind(self.word())
        self.sent[request.word] = None
        for number, piece in enumerate(request.pieces):
            if number:
                await asyncio.sleep(self._chance.random() / 50)
            writer.write(piece)
            await writer.drain()
        async with asyncio.timeout(None if hangs else _SECONDS):
            status, _, stays = await answer(reader)
        self.sent[request.word] = status

        return stays


async def _close(writer: StreamWriter) -> None:
    writer.close()
    with suppress(*_LOST):
        await writer.wait_closed()
