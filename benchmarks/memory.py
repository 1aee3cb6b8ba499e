# What memory the middleware takes: per worker, per request in flight, for an upload.
#
#     python -m benchmarks.memory [--requests 2000] [--upload 1GiB] [--rounds 3]
#
# uvicorn is served with the application alone and with the middleware, in random order.
# Memory is what the kernel says that the process has resident; of the journal, which is
# mapped, the pages that were touched count. What is asked comes from raw sockets, a
# piece at a time: nothing holds an upload whole.
#
# A request is in flight when its head and a part of its body came, and not the rest:
# then the application waits in `receive`.
import argparse
import random
import socket
import statistics
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

from benchmarks.processes import resident
from benchmarks.scale import size
from benchmarks.slopes import Point, linear
from benchmarks.typical import BROWSER, PATH, QUERY
from benchmarks.uvicorn_workers import APPS, raise_limit, served

__all__ = ["Taken", "lines", "main", "measured"]

_BODY = b"q=shoes&page=2&sort=price&colour=red"
_PIECE = 1 << 16
_LOOKS = 256  # at the memory, while an upload streams by
_WARM = 200  # requests before anything is looked at
_WAVES = 4  # of requests in flight, after each of which memory is looked at
_SPARE = 200  # descriptors beside those of the requests
_PATIENCE = 60  # seconds until a server that does not answer is an error


class Taken(NamedTuple):
    """Bytes: of a worker that served, of a request in flight, and for an upload."""

    worker: float
    in_flight: float
    upload: float


def head(length: int, media: str) -> bytes:
    """Return the head of a POST whose body has a length."""
    lines = [f"POST {PATH}?{QUERY} HTTP/1.1"]
    lines += [f"{name}: {value}" for name, value in BROWSER.items()]
    lines += [f"Content-Type: {media}", f"Content-Length: {length}", "", ""]

    return "\r\n".join(lines).encode()


_FORM = head(len(_BODY), "application/x-www-form-urlencoded")


def measured(app: str, requests: int, upload: int) -> Taken:
    """
    Return what one configuration takes.

    Args:
        app: a name of APPS.
        requests: how many are in flight in the end.
        upload: bytes of the body that streams by.
    """
    with tempfile.TemporaryDirectory() as name, served(app, Path(name)) as (pid, port):
        with _connected(port) as plug:
            for _ in range(_WARM):
                plug.sendall(_FORM + _BODY)
                _answered(plug)
        worker = resident(pid)
        streamed = max(_uploading(pid, port, upload)) - worker
        each = linear(list(_in_flight(pid, port, requests)))

    return Taken(worker, each or 0, max(streamed, 0))


def _connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), _PATIENCE)


def _answered(plug: socket.socket) -> None:
    answer = b""
    while not answer.endswith(b"}"):
        piece = plug.recv(65536)
        if not piece:
            raise RuntimeError(f"it was broken off: {answer!r}")
        answer += piece
    if not answer.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"not 200: {answer!r}")


def _uploading(pid: int, port: int, length: int) -> Iterator[int]:
    """Yield the memory while a file streams by, as one part of a multipart body."""
    start = (
        b"--frontier\r\nContent-Disposition: form-data; name=f; filename=a.bin\r\n"
        b"Content-Type: application/octet-stream\r\n\r\n"
    )
    end = b"\r\n--frontier--\r\n"
    whole = len(start) + length + len(end)
    piece = bytes(range(256)) * (_PIECE // 256)
    every = max(length // _LOOKS, 1)
    with _connected(port) as plug:
        plug.sendall(head(whole, "multipart/form-data; boundary=frontier") + start)
        for at in range(0, length, _PIECE):
            plug.sendall(piece[: length - at])
            if at % every < _PIECE:
                yield resident(pid)
        plug.sendall(end)
        _answered(plug)
    yield resident(pid)


def _in_flight(pid: int, port: int, requests: int) -> Iterator[Point]:
    """Yield the memory with ever more requests in flight."""
    half = len(_BODY) // 2
    with ExitStack() as stack:
        plugs: list[socket.socket] = []
        for wave in range(_WAVES + 1):
            while len(plugs) < requests * wave // _WAVES:
                plugs.append(stack.enter_context(_connected(port)))
                plugs[-1].sendall(_FORM + _BODY[:half])
            _seen(port)
            yield Point(len(plugs), resident(pid))
        for plug in plugs:
            plug.sendall(_BODY[half:])
            _answered(plug)


def _seen(port: int) -> None:
    # What came before this request on another socket, its loop has read by then.
    with _connected(port) as plug:
        plug.sendall(_FORM + _BODY)
        _answered(plug)


def lines(rounds: Sequence[Mapping[str, Taken]]) -> Iterator[str]:
    """Yield the table: medians of all rounds; what is added within a round."""
    names = ("a worker, MiB", "a request in flight, KiB", "through an upload, MiB")
    units = (1 << 20, 1 << 10, 1 << 20)
    yield f"{'':28}{'alone':>10}{'with':>10}{'added':>10}   (of {len(rounds)} rounds)"
    for place, (name, unit) in enumerate(zip(names, units, strict=True)):
        alone = [it["alone"][place] / unit for it in rounds]
        audited = [it["with"][place] / unit for it in rounds]
        added = [b - a for a, b in zip(alone, audited, strict=True)]
        low, high = min(added), max(added)
        shown = "".join(
            f"{statistics.median(it):10.2f}" for it in (alone, audited, added)
        )
        yield f"{name:28}{shown}   ({low:.2f} to {high:.2f})"


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="benchmarks.memory")
    parser.add_argument("--requests", type=int, default=2000, help="in flight at once")
    parser.add_argument("--upload", type=size, default="1GiB")
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    if not raise_limit(given.requests + _SPARE):
        parser.error(f"{given.requests} requests need a higher `ulimit -n`")
    rounds = [
        {
            app: measured(app, given.requests, given.upload)
            for app in random.sample([*APPS], len(APPS))
        }
        for _ in range(given.rounds)
    ]
    print(f"upload of {given.upload:,} bytes, {given.requests:,} requests in flight")
    print(*lines(rounds), sep="\n")


if __name__ == "__main__":
    main()
