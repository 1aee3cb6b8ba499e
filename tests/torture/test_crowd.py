# Thousands of clients that stay: what a small journal refuses, and that what it took it
# keeps.
import json
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tests.serving import ROOT
from tests.torture.app import witnessed
from tests.torture.crowd import raise_limit
from tests.torture.judge import Trail, complaints, verify
from tests.torture.load import ask
from tests.torture.prey import Prey

SMALL = 128  # slots; the last eighth of them is for requests that run
_COUNT = re.compile('"count":([0-9]+)')
_STATUSES = {403, 503}  # a websocket is denied, a request is refused


@contextmanager
def crowd(port: int, sockets: int, slow: int) -> Iterator[subprocess.Popen[str]]:
    """Run a crowd in a process of its own."""
    words = [sys.executable, "-m", "tests.torture.crowd", port, sockets, slow]
    child = subprocess.Popen(
        [str(word) for word in words],
        cwd=ROOT,
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        yield child
    finally:
        child.kill()
        child.communicate()


def told(child: subprocess.Popen[str], word: str = "") -> dict[str, int]:
    """Return what a crowd says next, when it is told to go on."""
    assert child.stdin
    assert child.stdout
    if word:
        child.stdin.write(f"{word}\n")
        child.stdin.flush()
    said: dict[str, int] = json.loads(child.stdout.readline())

    return said


def _visit(
    directory: Path, sockets: int, slow: int, **options: int
) -> tuple[dict[str, int], dict[str, int], list[int]]:
    """Let a crowd come and go; return how each was met, and left, and how others were."""
    raise_limit()
    prey = Prey("uvicorn", directory, json.dumps(options))
    try:
        assert ask(prey.port, "/quick?n=first") == 200
        with crowd(prey.port, sockets, slow) as child:
            met = told(child)
            others = [ask(prey.port, f"/quick?n=other-{n}") for n in range(5)]
            left = told(child, "leave")
            # Who was refused later than a client waited for it knows so only now.
            late = {
                word: status for word, status in left.items() if status in _STATUSES
            }
            met |= late
            left = {word: it for word, it in left.items() if word not in late}
            after = ask(prey.port, "/quick?n=after")
        prey.stop()
    finally:
        prey.close()

    return met, left, [*others, after]


def _judge(directory: Path, left: dict[str, int]) -> list[str]:
    trail = directory / "trail"
    # A websocket that was opened has the status 101; a request what it was answered.
    began = witnessed(directory)
    known = dict.fromkeys(["first", "after", *began]) | left

    return [*complaints(trail, known, began), *verify(trail)]


def test_small_journal(tmp_path: Path) -> None:
    """
    Beyond its slots a journal refuses, unserved; what runs ends well and is on record.
    """
    met, left, others = _visit(tmp_path, 200, 50, max_slots=SMALL)

    staying = {word for word, status in met.items() if status in (0, 101)}
    refused = {word for word, status in met.items() if status in _STATUSES}
    assert met.keys() == staying | refused
    assert 0 < len(staying) <= SMALL - SMALL // 8
    assert others == [503] * 5 + [200]
    assert not refused & set(witnessed(tmp_path))
    assert left.keys() == staying
    assert _judge(tmp_path, left) == []
    # On a slow machine they are told in more than one record.
    lines = Trail(tmp_path / "trail").of_type("log_refused")
    counts = [_COUNT.search(line["details"]) for line in lines]
    assert sum(int(found[1]) for found in counts if found) == len(refused) + 5


def test_default_journal(tmp_path: Path) -> None:
    """A journal of the usual size takes a crowd, and each of it is on record."""
    met, left, others = _visit(tmp_path, 200, 50)

    assert Counter(met.values()) == {101: 200, 0: 50}
    assert others == [200] * 6
    assert met.keys() == left.keys()
    assert _judge(tmp_path, left) == []


@pytest.mark.torture
@pytest.mark.parametrize("max_slots", [2048, None])
def test_five_thousand(tmp_path: Path, max_slots: int | None) -> None:
    """The same with 5,000 websockets and 500 bodies that do not end."""
    options = {} if max_slots is None else {"max_slots": max_slots}
    met, left, others = _visit(tmp_path, 5000, 500, **options)

    staying = {word for word, status in met.items() if status in (0, 101)}
    assert len(staying) == 5500 if max_slots is None else len(staying) <= 1792
    assert others == ([200] * 6 if max_slots is None else [503] * 5 + [200])
    assert left.keys() == staying
    assert _judge(tmp_path, left) == []
