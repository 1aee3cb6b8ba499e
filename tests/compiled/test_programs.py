"""
Whatever a server and an application do to the tees, both roads do the same of it.

It is told the same, to the server, the application and who drives them, and recorded.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.compiled.programs import Call, Program, Run, Step, programs
from tests.compiled.roads import Pair
from tests.compiled.test_tees import Holder
from tests.effort import at_length

pytest.importorskip("audit_mw._native", reason="it was not built")

_AT_ONCE = 12  # of one pair of trails, so that what came before is known


@contextmanager
def _pair(holder: Holder) -> Iterator[Pair]:
    with tempfile.TemporaryDirectory() as trail:
        made = Pair(holder, Path(trail), max_slots=64, event_header="x-event")
        try:
            yield made
        finally:
            made.close()


def _check(drawn: list[Program]) -> None:
    holder = Holder()
    with _pair(holder) as pair:
        for program in drawn:
            off, on = Run(program), Run(program)
            for run, road in ((off, pair.off), (on, pair.on)):
                holder.app = run
                run.serve(road)

            assert off.told == on.told
            assert sorted(off.late) == sorted(on.late)
            pair.check()


_WAITING = Step("receive"), Step("start"), Step("body")


@pytest.mark.parametrize(
    ("calls", "steps"),
    [
        ((), (*_WAITING[:2], Step("body", "throws first", StopIteration))),
        (
            (Call("swallows", StopIteration, 2),),
            (Step("receive", "throws first"), Step("start", "closes"), _WAITING[2]),
        ),
        ((), (*[Step("receive")] * 3, Step("of a socket"), *_WAITING[1:])),
    ],
    ids=["thrown into what was not begun", "closed, and goes on", "of a socket"],
)
def test_program(calls: tuple[Call, ...], steps: tuple[Step, ...]) -> None:
    """Programs on which the roads, or Pythons, once parted."""
    ordinary = Program(
        (),
        "in pieces",
        _WAITING,
        catches=False,
        fails=False,
        stops_at=None,
        stops_by=None,
    )
    _check([ordinary, ordinary._replace(calls=calls, steps=steps, catches=True)])


_drawn = st.lists(programs, min_size=_AT_ONCE, max_size=_AT_ONCE)
test_programs = settings(max_examples=6)(given(_drawn)(_check))
test_programs_at_length = pytest.mark.long(at_length(80)(given(_drawn)(_check)))
