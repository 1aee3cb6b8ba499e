# System calls of the thread that serves, with the middleware and without.
#
# One client sends one request after the other to a uvicorn whose main thread, and none
# else, is under strace: a writer that strace holds up would hold the interpreter's lock
# as long. What counts stands between the first witness and the last: start-up does not.
import os
import re
import signal
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from pathlib import Path
from statistics import median

from tests.serving import SECONDS
from tests.torture.prey import Prey

__all__ = ["POLLING", "SELDOM", "compare", "count_calls"]

_CALL = re.compile(r"(\w+)\(")
_HEADERS = {
    "User-Agent": "torture",
    "Cookie": "theme=dark; lang=en; cart=17",
    "Accept": "text/html",
}
# How often a loop polls, and asks for its process, depends on how late its client is.
POLLING = frozenset({"epoll_wait", "epoll_pwait", "getpid"})
# What may be more all in all, and why it is not by the request. Python's own lock, for
# which the writer's thread asks when it looks, and the bell that wakes it when it is
# idle, are futex: that depends on the time that passes. Memory, and random bytes for
# ids, are asked of the kernel in bulk.
SELDOM = frozenset(
    {"futex", "brk", "mmap", "munmap", "madvise", "mremap", "getrandom"} | POLLING
)


def count_calls(requests: int, directory: Path, *, bare: bool) -> list[Counter[str]]:
    """Return how often the serving thread made each system call, for each request."""
    directory.mkdir(parents=True)
    log = directory / "calls"
    strace = ("strace", "-qq", "-o", log)
    environ = {"TORTURE_BARE": "1"} if bare else {}
    prey = Prey("uvicorn", directory, environ=environ, under=strace)
    try:
        _ask(prey.port, requests)
        for child in prey.children():  # strace itself ends with it, and writes all
            os.kill(child, signal.SIGTERM)
        prey.process.wait(SECONDS)
    finally:
        prey.close()

    return list(_by_request(log))


def _ask(port: int, requests: int) -> None:
    connection = HTTPConnection("127.0.0.1", port, SECONDS * 10)
    for number in ("warm", "first", *range(requests), "last"):
        target = f"/quick?n=w-{number}&a=1&b=two&flag"
        connection.request("GET", target, headers=_HEADERS)
        assert connection.getresponse().read() == b"whole"
    connection.close()


def _by_request(log: Path) -> Iterator[Counter[str]]:
    # From one witness to the next: the end of a request, and the head of its follower.
    counted: Counter[str] | None = None
    with log.open(errors="replace") as lines:
        for line in lines:
            found = _CALL.match(line)  # nor signals, nor the end
            if counted is not None and found:
                counted[found[1]] += 1
            if line.startswith("writev"):
                if counted is not None:
                    yield counted
                counted = None if '"w-last"' in line else counted
                if '"w-first"' in line or counted is not None:
                    counted = Counter()


def compare(requests: int, directory: Path) -> tuple[Counter[str], Counter[str]]:
    """Return what the middleware makes more: of a typical request, and of all."""
    bare = count_calls(requests, directory / "bare", bare=True)
    wrapped = count_calls(requests, directory / "wrapped", bare=False)
    names = {name for counted in bare + wrapped for name in counted}

    def more(of: Callable[[list[int]], float]) -> Counter[str]:
        found = {
            name: int(of([it[name] for it in wrapped]) - of([it[name] for it in bare]))
            for name in names
        }
        return Counter({name: n for name, n in found.items() if n})

    return more(median), more(sum)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as _directory:
        _typical, _all = compare(int(sys.argv[1]), Path(_directory))
    print(f"more in a typical request: {dict(_typical)}, in all: {dict(_all)}")
