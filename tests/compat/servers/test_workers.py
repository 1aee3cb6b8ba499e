# Several processes of one server write to one trail: each request once, no line torn, no
# number missing; also after a reload, and when the server is told to stop.
import signal
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest
from tests.compat.servers.more import ALL
from tests.edges.fleet import Served, start
from tests.serving import SECONDS
from tests.settling import settle

from audit_mw.trail.reader import read_segment, segments
from audit_mw.trail.record import Record

# How each server that can is told to run two workers.
WORKERS = {
    # Its master would kill one that a busy machine holds up for 5 s.
    "uvicorn": f"--workers 2 --timeout-worker-healthcheck {SECONDS}",
    "hypercorn": "--workers 2",
    "granian asgi": "--workers 2",
    "granian wsgi": "--workers 2",
    "gunicorn asgi": "--workers 2",
    "gunicorn uvicorn": "--workers 2",
    "gunicorn sync": "--workers 2",
    "gunicorn gthread": "--workers 2",
    "gunicorn gevent": "--workers 2",
    "gunicorn sync, preloaded": "--workers 2 --preload",
    "gunicorn asgi, preloaded": "--workers 2 --preload",
    "uWSGI": "--processes 2",
    "uWSGI, loaded by each": "--processes 2 --lazy-apps",
}
_AT_ONCE = 8


def _records(served: Served) -> list[Record]:
    settle(served.trail)
    paths = segments(served.trail, "request")
    items = [item for path in paths for item in read_segment(path)]
    assert [item for item in items if not isinstance(item, Record)] == []

    return items  # type: ignore[return-value] # as was just seen


def _numbers(served: Served) -> dict[str, list[int]]:
    numbers = defaultdict(list)
    for record in _records(served):
        numbers[record.event.instance].append(record.seq)

    return numbers


def _paths(prefix: str) -> Iterator[list[str]]:
    for batch in range(100_000):
        yield [f"/{prefix}/{batch}/{number}" for number in range(4 * _AT_ONCE)]


def _ask_until(served: Served, prefix: str, done: Callable[[], bool]) -> list[bytes]:
    # Which worker takes a connection is the kernel's choice.
    asked: list[bytes] = []
    until = time.monotonic() + SECONDS
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for paths in _paths(prefix):
            answers = pool.map(lambda path: served.running.ask("POST", path)[0], paths)
            assert {answer.status for answer in answers} == {200}
            asked += [path.encode() for path in paths]
            if done() or time.monotonic() > until:
                break
    assert done(), served.running.said()

    return asked


def _assert_whole(served: Served, asked: list[bytes]) -> None:
    """Each request has its one record, and each instance counts from 1."""
    assert Counter(record.event.path for record in _records(served)) == Counter(asked)
    _assert_numbered(served)


def _assert_numbered(served: Served) -> None:
    for seqs in _numbers(served).values():
        assert seqs == list(range(1, len(seqs) + 1))


@pytest.mark.parametrize("name", WORKERS)
def test_workers(name: str, tmp_path: Path) -> None:
    """Two workers write to one trail, and end by themselves when they are told to."""
    server = ALL[name.partition(",")[0]]
    server = replace(server, command=f"{server.command} {WORKERS[name]}")
    served = start(server, server.tcp, tmp_path)
    try:
        asked = _ask_until(served, "a", lambda: len(_numbers(served)) >= 2)
    finally:
        served.running.end()

    assert served.running.process.returncode != -signal.SIGKILL
    _assert_whole(served, asked)


def test_reload(tmp_path: Path) -> None:
    """A server that starts its worker anew when a file changes goes on in the trail."""
    watched = tmp_path / "watched"
    watched.mkdir()
    server = ALL["uvicorn"]
    command = f"{server.command} --reload --reload-dir {watched}"
    server = replace(server, command=command)
    served = start(server, server.tcp, tmp_path / "served")
    try:
        asked = _ask_until(served, "before", lambda: len(_numbers(served)) == 1)
        for path in _each_reload(served, watched):
            # A request may come just when the old worker goes.
            with suppress(OSError):
                served.running.ask("POST", path)
                asked.append(path.encode())
    finally:
        served.running.end()

    recorded = Counter(record.event.path for record in _records(served))
    assert Counter(asked) <= recorded
    assert set(recorded.values()) == {1}
    _assert_numbered(served)


def _each_reload(served: Served, watched: Path) -> Iterator[str]:
    until = time.monotonic() + SECONDS
    for number in range(100_000):
        if len(_numbers(served)) > 1:
            return
        assert time.monotonic() < until, served.running.said()
        (watched / f"{number}.py").touch()
        yield f"/after/{number}"


STOP = {name: ALL[name] for name in ("uvicorn", "hypercorn", "granian asgi", "daphne")}


@pytest.mark.parametrize("name", STOP)
def test_keeps_serving_after_a_stop_and_a_start(name: str, tmp_path: Path) -> None:
    """A server that is stopped and started again goes on in the same trail."""
    asked = []
    for turn in ("first", "second"):
        served = start(STOP[name], STOP[name].tcp, tmp_path)
        try:
            asked += _ask_until(served, turn, lambda: True)
        finally:
            served.running.end()
        assert served.running.process.returncode != -signal.SIGKILL

    assert len(_numbers(served)) == 2
    _assert_whole(served, asked)
