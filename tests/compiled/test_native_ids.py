"""
Event ids of the compiled road: sorted, none twice, UUIDv7 by the letter.
"""

import os
import sys
import threading
import time
import uuid
from collections.abc import Iterator

import pytest

from audit_mw.ids import EventIds, begin_in_children

_native = pytest.importorskip("audit_mw._native", reason="it was not built")


@pytest.fixture
def switching() -> Iterator[None]:
    """Let threads give way to each other as often as can be."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_sorted() -> None:
    """Each is greater than the one before, also beyond what one pool has."""
    ids = _native.Ids()
    made = [ids.make()[0] for _ in range(3_000)]

    assert sorted(set(made)) == made


def test_uuid7() -> None:
    """Version and variant are those of RFC 9562, the text is its canonical form."""
    ids = _native.Ids()
    for _ in range(2_000):
        text, _micros = ids.make()
        found = uuid.UUID(text)

        assert (7, uuid.RFC_4122, text) == (found.version, found.variant, str(found))


def test_time() -> None:
    """The time that is told is that of the id, and that of the clock."""
    ids = _native.Ids()
    before = time.time_ns() // 1000
    text, micros = ids.make()
    after = time.time_ns() // 1000

    assert before <= micros <= after
    assert micros // 1000 == int(text.replace("-", "")[:12], 16)


def test_as_in_python() -> None:
    """Ids of both makers sort by the time that they were made."""
    makers = _native.Ids(), EventIds()
    made = []
    for turn in range(200):
        made.append(makers[turn % 2].make()[0])
        time.sleep(2e-6)  # an id tells no less than a quarter of a microsecond

    assert sorted(made) == made


@pytest.mark.usefixtures("switching")
def test_threads() -> None:
    """Threads at once get none twice, and each thread sorted ones."""
    ids, made = _native.Ids(), [list[str]() for _ in range(4)]

    def make(own: list[str]) -> None:
        own.extend(ids.make()[0] for _ in range(2_000))

    threads = [threading.Thread(target=make, args=(own,)) for own in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert [sorted(own) for own in made] == made
    assert len({text for own in made for text in own}) == sum(map(len, made))


def test_forks() -> None:
    """A child makes none of the ids that its parent makes, though both go on at once."""
    ids = _native.Ids()
    begin_in_children(ids)
    ids.make()
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.write(writer, b"".join(ids.make()[0].encode() for _ in range(100)))
        os._exit(0)
    os.waitpid(child, 0)
    told = os.read(reader, 100 * 36).decode()  # a pipe holds as much
    os.close(reader)
    os.close(writer)
    theirs = {told[at + 19 : at + 36] for at in range(0, len(told), 36)}
    ours = {ids.make()[0][19:] for _ in range(100)}

    assert len(theirs) == 100
    assert not theirs & ours
