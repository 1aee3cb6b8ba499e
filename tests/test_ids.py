import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import partial
from itertools import repeat
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import few
from tests.trail.crew import outcome
from tests.trail.samples import threads

from audit_mw.ids import EventIds

NOW = 1_795_238_767_123_456_789  # nanoseconds
SetClock = Callable[[Iterator[int]], None]


def millis(event: str) -> int:
    return UUID(event).int >> 80


def fraction(event: str) -> int:
    """Return the 12 bits behind the version, in nanoseconds of a millisecond."""
    return ((UUID(event).int >> 64) & 0xFFF) * 1_000_000 // 4096


@pytest.fixture
def set_clock(monkeypatch: pytest.MonkeyPatch) -> SetClock:
    """Sets what `time.time_ns` says, call by call."""

    def set_clock(times: Iterator[int]) -> None:
        monkeypatch.setattr(time, "time_ns", lambda: next(times))

    return set_clock


def test_form() -> None:
    """
    An id is a UUID of version 7 and the variant of RFC 9562, in lower-case hex.
    """
    event, _ = EventIds().make()
    parsed = UUID(event)

    assert event == str(parsed)
    assert parsed.version == 7
    assert parsed.variant == RFC_4122


def test_form_over_pools() -> None:
    """
    Ids keep their form, and no two are equal, when the random bits are filled again.
    """
    ids = EventIds()
    made = [ids.make()[0] for _ in range(2000)]

    assert {(7, RFC_4122)} == {(UUID(e).version, UUID(e).variant) for e in made}
    assert len({UUID(event).int & (1 << 62) - 1 for event in made}) == 2000


@few
@given(st.integers(1_000_000, (1 << 48) * 1_000_000 - 1))
def test_time_inside(now: int) -> None:
    """
    The time in an id is the time given with it, to a quarter of a microsecond.
    """
    ids = EventIds()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time_ns", lambda: now)
        event, micros = ids.make()

    assert now // 1000 == micros
    assert now // 1_000_000 == millis(event)
    assert 0 <= now % 1_000_000 - fraction(event) <= 245  # and its rounding


def test_time_is_now() -> None:
    """
    The time given is that of the wall clock, in microseconds.
    """
    before = datetime.now(UTC).timestamp()
    _, micros = EventIds().make()

    assert before <= micros / 1e6 <= datetime.now(UTC).timestamp()


def test_order_at_one_moment(set_clock: SetClock) -> None:
    """
    Ids made at one moment sort by their making, and all tell that moment as their time.
    """
    set_clock(iter([NOW] * 5000))
    ids = EventIds()
    made = [ids.make() for _ in range(5000)]
    events = [event for event, _ in made]

    assert sorted(events) == events
    assert len(set(events)) == 5000
    assert {NOW // 1000} == {micros for _, micros in made}


@few
@given(st.lists(st.integers(-(10**13), 10**13), min_size=1, max_size=30))
def test_order_over_steps(steps: list[int]) -> None:
    """
    Whatever the clock does, an id sorts behind all that were made before it.
    """
    ids = EventIds()
    times = [NOW + step for step in steps]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time_ns", iter(times).__next__)
        made = [ids.make() for _ in steps]
    events = [event for event, _ in made]

    assert sorted(events) == events
    assert len(steps) == len(set(events))
    assert [now // 1000 for now in times] == [micros for _, micros in made]


def test_step_back_lasts(set_clock: SetClock) -> None:
    """
    After a step back ids stay at the time before it until the clock has caught up.
    """
    set_clock(iter([NOW, NOW - 10**12, NOW + 10**6]))
    ids = EventIds()
    before, during, after = (ids.make()[0] for _ in range(3))

    assert UUID(before).int >> 64 < UUID(during).int >> 64
    assert millis(before) == millis(during)
    assert millis(before) + 1 == millis(after)


def test_threads(set_clock: SetClock) -> None:
    """
    Threads get ids that rise for each of them and are apart, though the clock stands.
    """
    set_clock(repeat(NOW))
    ids = EventIds()
    made: list[list[str]] = [[] for _ in range(8)]

    def make(into: list[str]) -> None:
        into.extend(ids.make()[0] for _ in range(2000))

    with threads(*(partial(make, into) for into in made)):
        pass

    assert all(sorted(into) == into for into in made)
    assert len({UUID(event).int >> 64 for into in made for event in into}) == 16_000


def test_order_between_threads() -> None:
    """
    An id that one thread makes after another thread's sorts behind it.
    """
    ids = EventIds()
    made: list[str] = []
    turn = threading.Lock()

    def make() -> None:
        for _ in range(500):
            with turn:
                made.append(ids.make()[0])

    with threads(*[make] * 4):
        pass

    assert sorted(made) == made


def test_makers_are_apart() -> None:
    """
    Two makers in one process make no id that is the same.
    """
    one, other = EventIds(), EventIds()

    assert len({maker.make()[0] for _ in range(1000) for maker in (one, other)}) == 2000


def test_fork() -> None:
    """
    Parent and child go on with ids of their own, behind those made before the fork.
    """
    before, parents, childs = outcome("make_ids", 1000)

    assert len({*before, *parents, *childs}) == 3000
    randoms = {UUID(event).int & (1 << 62) - 1 for event in (*parents, *childs)}
    assert len(randoms) == 2000
    assert max(before) < min(*parents, *childs)
