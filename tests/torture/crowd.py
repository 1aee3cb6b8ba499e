# Thousands of clients at once that stay: websockets, and bodies that do not end.
#
# `python -m tests.torture.crowd PORT SOCKETS SLOW` runs in a process of its own, for
# the descriptors. It opens them one after the other, each with a word of its own, says
# how each was met as JSON, and holds what stays until a line comes in; then it ends
# each websocket by a close and each body by its rest, and says how those ended.
import asyncio
import base64
import json
import resource
import sys
from asyncio import IncompleteReadError, StreamReader, StreamWriter
from contextlib import suppress

from tests.torture.load import FORM, answer

__all__ = ["FILES", "raise_limit"]

FILES = 12_000  # descriptors that a process may have open
_KEY = base64.b64encode(bytes(16)).decode()
_AT_ONCE = 64
_SECONDS = 120
_REFUSED = (
    3  # until who is not refused is served: long, for 64 at once on a busy machine
)
_LOST = (ConnectionError, IncompleteReadError, TimeoutError)
_TEXT, _CLOSE = 0x81, 0x88
_NORMAL = (1000).to_bytes(2, "big")

Held = tuple[StreamReader, StreamWriter]
Ended = dict[str, int]


def raise_limit() -> None:
    """Let this process, and what it starts, have as many files as it needs."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, hard), hard))


async def _open_socket(port: int, word: str) -> tuple[int, Held]:
    """Ask for a websocket; return the status, and the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    lines = [
        f"GET /socket?n={word} HTTP/1.1",
        "Host: example.org",
        "Upgrade: websocket",
        "Connection: Upgrade",
        "Sec-WebSocket-Version: 13",
        f"Sec-WebSocket-Key: {_KEY}",
    ]
    writer.write("\r\n".join([*lines, "", ""]).encode())
    head = await reader.readuntil(b"\r\n\r\n")

    return int(head.split(b" ", 2)[1]), (reader, writer)


async def _open_slow(port: int, word: str) -> tuple[int, Held]:
    """Begin a request whose body does not end; a server that refuses answers at once."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = (
        f"POST /echo?n={word} HTTP/1.1\r\nHost: example.org\r\n"
        f"Content-Type: {FORM}\r\nContent-Length: 10\r\n\r\na=1&"
    )
    writer.write(head.encode())
    # Whoever is not refused within this time reads the body.
    with suppress(TimeoutError):
        async with asyncio.timeout(_REFUSED):
            status, _, _ = await answer(reader)
            return status, (reader, writer)

    return 0, (reader, writer)


async def _end_socket(reader: StreamReader, writer: StreamWriter) -> int:
    writer.write(_frame(_TEXT, b"hello"))
    echo = await reader.readexactly(7)
    writer.write(_frame(_CLOSE, _NORMAL))
    await reader.readexactly(4)

    return 101 if echo[2:] == b"hello" else 0


def _frame(opcode: int, payload: bytes) -> bytes:
    # A mask of zeros leaves the payload as it is.
    return bytes([opcode, 0x80 | len(payload)]) + bytes(4) + payload


async def _end_slow(reader: StreamReader, writer: StreamWriter) -> int:
    writer.write(b"b=2&c=")

    return (await answer(reader))[0]


async def _crowd(port: int, sockets: int, slow: int) -> None:
    held: dict[str, Held] = {}
    said: Ended = {}
    gate = asyncio.Semaphore(_AT_ONCE)

    async def enter(word: str) -> None:
        opening = _open_socket if word[0] == "s" else _open_slow
        async with gate:
            said[word], held[word] = await opening(port, word)

    async with asyncio.TaskGroup() as group:
        for number in range(sockets):
            group.create_task(enter(f"s-{number}"))
        for number in range(slow):
            group.create_task(enter(f"b-{number}"))
    print(json.dumps(said), flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    staying = {word: it for word, it in held.items() if said[word] in (0, 101)}
    print(json.dumps(await _leave(staying)), flush=True)
    for _, writer in held.values():
        writer.close()


async def _leave(held: dict[str, Held]) -> Ended:
    ended: Ended = {}

    async def leave(word: str, connection: Held) -> None:
        end = _end_socket if word[0] == "s" else _end_slow
        with suppress(*_LOST):
            async with asyncio.timeout(_SECONDS):
                ended[word] = await end(*connection)

    async with asyncio.TaskGroup() as group:
        for word, connection in held.items():
            group.create_task(leave(word, connection))

    return ended


if __name__ == "__main__":
    raise_limit()
    asyncio.run(_crowd(*map(int, sys.argv[1:])))
