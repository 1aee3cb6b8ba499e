# One big upload: the CPU that it takes, and whether memory stays flat while it streams
# through. What is sent is a form with a file, which the middleware reads as one.
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from benchmarks.asking import connected, status_of
from benchmarks.processes import cpu_micros, resident, workers
from benchmarks.servers import pinned, serving

__all__ = ["MIB", "Uploaded", "upload"]

MIB = 1 << 20
_BOUNDARY = b"----5d0f6a7c"
_START = (
    b"--" + _BOUNDARY + b"\r\nContent-Disposition: form-data; name=file;"
    b" filename=film.mp4\r\nContent-Type: video/mp4\r\n\r\n"
)
_END = b"\r\n--" + _BOUNDARY + b"--\r\n"
_CHUNK = bytes(range(256)) * 256
_WARM = 8 * MIB  # what one upload needs anyhow is no growth
_EVERY = 0.02  # seconds between two looks at the memory


class Uploaded(NamedTuple):
    """CPU of the server in us a MiB, MiB a second, and growth of its memory in MiB."""

    micros: float
    per_second: float
    grown: float


def upload(server: str, contender: str, size: int) -> Uploaded:
    """Send so many bytes; RuntimeError, if they are not answered with 200."""
    with (
        tempfile.TemporaryDirectory() as name,
        serving(server, contender, Path(name)) as (pid, port),
        pinned(server_side=False),
    ):
        _send(port, _WARM)
        (worker,) = workers(pid)
        cpu, start = cpu_micros(worker), time.monotonic()
        grown = _send_watched(port, size, worker)
        taken, passed = cpu_micros(worker) - cpu, time.monotonic() - start

    return Uploaded(taken / size * MIB, size / MIB / passed, grown / MIB)


def _send_watched(port: int, size: int, worker: int) -> int:
    before, highest, done = resident(worker), 0, threading.Event()

    def watch() -> None:
        nonlocal highest
        while not done.wait(_EVERY):
            highest = max(highest, resident(worker))

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        _send(port, size)
    finally:
        done.set()
        watching.join()

    return max(0, highest - before)


def _send(port: int, size: int) -> None:
    with connected(port) as plug:
        answered = status_of(plug, _pieces(size))
    if answered != 200:
        raise RuntimeError(f"the upload was answered with {answered}")


def _pieces(size: int) -> Iterator[bytes]:
    whole, rest = divmod(size, len(_CHUNK))
    length = len(_START) + size + len(_END)
    yield (
        b"POST /upload HTTP/1.1\r\nHost: shop.example\r\n"
        b"Content-Type: multipart/form-data; boundary=%b\r\n"
        b"Content-Length: %d\r\n\r\n" % (_BOUNDARY, length)
    )
    yield _START
    for _ in range(whole):
        yield _CHUNK
    yield _CHUNK[:rest] + _END
