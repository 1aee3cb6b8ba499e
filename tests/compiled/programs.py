# Programs of odd servers and applications of ASGI, drawn at random, and what runs them.
#
# A server may raise when it is called, before it waits, or behind that; it may swallow
# what is thrown into it, go on, or return something. An application may drive what the
# tees return by hand: throw into it, close it, drop it, run several at a time, send it
# values, await it twice. And who drives both may throw into them, or close them.
#
# There is no loop: what waits yields, and is gone on with, until all is over.
import sys
import types
import warnings
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from hypothesis import strategies as st
from tests.compiled.roads import Road
from tests.compiled.test_tees import BODY, START, scope

__all__ = ["Program", "Run", "programs"]

_ERRORS = (
    StopIteration,
    StopAsyncIteration,
    GeneratorExit,
    KeyboardInterrupt,
    SystemExit,
    OSError,
    ValueError,
    RecursionError,
    MemoryError,
    RuntimeError,
)
_MOST = 200  # times that a program is gone on with


class _Odd(dict[str, Any]):
    """A message that is no dict exactly."""


_MESSAGES: dict[str, Any] = {
    "start": START,
    "body": BODY,
    "none": {**START, "status": 204},
    "failed": {**START, "status": 500},
    "odd status": {**START, "status": "x"},
    "sized": {**START, "headers": [(b"content-length", b"2")]},
    "more": {**BODY, "more_body": True},
    "odd start": _Odd(START),
    "odd body": _Odd(BODY),
    "no message": {"x": 1},
    "of a socket": {"type": "websocket.send"},
    "nothing": None,
}
_FORM = {"type": "http.request", "body": b"a=1&b=2", "more_body": False}
_BODIES: dict[str, tuple[Any, ...]] = {
    "whole": (_FORM,),
    "in pieces": (
        {**_FORM, "body": b"a=1", "more_body": True},
        {**_FORM, "body": b"&b=2", "more_body": True},
        {**_FORM, "body": b""},
    ),
    "gone": ({"type": "http.disconnect"},),
    "odd": (_Odd(_FORM),),
}
_NO_MORE = {"type": "http.disconnect"}


class Call(NamedTuple):
    """What the server does at one call; how, with what error, after how many waits."""

    how: str = "gives"
    error: type[BaseException] = ValueError
    waits: int = 1


class Step(NamedTuple):
    """What the application does: with `receive` or a message; how; with what error."""

    what: str
    how: str = "awaits"
    error: type[BaseException] = ValueError
    resumes: bool = False  # one of those that it had begun


class Program(NamedTuple):
    """A server, an application, and who drives both; all that they do."""

    calls: tuple[Call, ...]
    bodies: str
    steps: tuple[Step, ...]
    catches: bool
    fails: bool
    stops_at: int | None
    stops_by: type[BaseException] | None  # None: it closes


_errors = st.sampled_from(_ERRORS)
_mostly = st.sampled_from
_calls = st.builds(
    Call,
    _mostly(
        ["gives"] * 6
        + ["raises", "raises first", "raises last", "swallows", "goes on", "returns"]
    ),
    _errors,
    st.integers(0, 2),
)
_hows = _mostly(
    ["awaits"] * 6
    + ["throws", "throws first", "closes", "drops", "begins", "sends", "awaits twice"]
)
_courses = _mostly(
    [("receive", "start", "body")] * 6
    + [
        ("start", "body"),
        ("receive", "receive", "receive", "start", "body"),
        ("receive", "sized", "more", "body"),
        ("receive", "none", "body"),
        ("receive", "failed", "body"),
        ("receive", "odd status", "body"),
        ("receive", "odd start", "odd body"),
        ("receive", "start", "body", "body"),
        ("receive", "start", "body", "start"),
        ("receive", "no message", "start", "body"),
        ("receive", "receive", "receive", "of a socket", "start", "body"),
        ("receive", "start", "nothing", "body"),
    ]
)


@st.composite
def _steps(draw: st.DrawFn) -> tuple[Step, ...]:
    return tuple(
        Step(what, draw(_hows), draw(_errors), draw(st.booleans()))
        for what in draw(_courses)
    )


programs = st.builds(
    Program,
    st.lists(_calls, max_size=8).map(tuple),
    st.sampled_from(sorted(_BODIES)),
    _steps(),
    st.booleans(),
    _mostly([False] * 9 + [True]),
    _mostly([None] * 5 + [1, 2, 3]),
    st.none() | _errors,
)


@types.coroutine
def _wait(word: str) -> Generator[str, Any, Any]:
    return (yield word)


class Run:
    """One run of a program; `told` and `late` are all that anybody saw of it."""

    def __init__(self, program: Program) -> None:
        self._program = program
        self._calls = iter(program.calls)
        self._bodies = iter(_BODIES[program.bodies])
        self._begun: list[Any] = []
        self.told: list[tuple[str, str]] = []
        # What the server does that was closed, and went on: somebody must drop it, and
        # when he does depends on who holds it.
        self.late: list[tuple[str, str]] = []

    def serve(self, road: Road) -> None:
        """Run it on a road, around which this is the application."""
        with self._hearing():
            coroutine = road.middleware(scope(), self._receive, self._send)
            try:
                self._drive(coroutine)
            except BaseException as error:  # noqa: BLE001 - it must be the same
                self._tell("raised", error)
            del coroutine
            self._begun.clear()

    def _tell(self, what: str, found: object) -> None:
        self.told.append((what, repr(found)))

    @contextmanager
    def _hearing(self) -> Iterator[None]:
        hook = sys.unraisablehook
        sys.unraisablehook = lambda it: self.late.append(("lost", repr(it.exc_value)))
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of what was never awaited
                yield
        finally:
            sys.unraisablehook = hook

    def _drive(self, coroutine: Any) -> None:
        program = self._program
        for turn in range(_MOST):
            try:
                coroutine.send(None)
                if turn == program.stops_at and program.stops_by is None:
                    coroutine.close()
                    return
                if turn == program.stops_at and program.stops_by is not None:
                    coroutine.throw(program.stops_by("outside"))
            except StopIteration as end:
                self._tell("ended", end.value)
                return

    # --- the server

    def _receive(self) -> Any:
        return self._called(next(self._bodies, _NO_MORE), None)

    def _send(self, message: Any) -> Any:
        return self._called(None, message)

    def _called(self, answer: Any, message: Any) -> Any:
        call = next(self._calls, Call())
        if call.how == "raises":
            raise call.error("called")

        return self._answer(call, answer, message)

    async def _answer(self, call: Call, answer: Any, message: Any) -> Any:
        told = self.told
        if call.how == "raises first":
            raise call.error("first")
        for _ in range(call.waits):
            try:
                await _wait("waits")
            except BaseException as error:
                if call.how not in ("swallows", "goes on"):
                    raise
                if isinstance(error, GeneratorExit):
                    told = self.late
                if call.how == "goes on":
                    await _wait("goes on")
        if call.how == "raises last":
            raise call.error("last")
        if message is not None:
            sent = type(message).__name__, message.get("type")
            told.append(("sent", repr(sent)))

        return answer or ("returned" if call.how == "returns" else None)

    # --- the application

    async def __call__(self, _scope: Any, receive: Any, send: Any) -> None:
        """Do what the program says."""
        for step in self._program.steps:
            is_received = step.what == "receive"
            passage = receive() if is_received else send(_MESSAGES[step.what])
            await self._trying(step.how, self._done(step, passage))
            del passage
            if step.resumes and self._begun:
                await self._trying("resumes", self._awaited(self._begun.pop()))
        while self._begun:
            await self._trying("ends", self._awaited(self._begun.pop()))
        if self._program.fails:
            raise ValueError("of the application")

    async def _trying(self, what: str, doing: Any) -> None:
        try:
            await doing
        except BaseException as error:
            self._tell(what, error)
            if not self._program.catches:
                raise

    async def _awaited(self, passage: Any) -> None:
        self._tell("got", await passage)

    async def _done(self, step: Step, passage: Any) -> None:
        if step.how in ("awaits", "awaits twice"):
            await self._awaited(passage)
            if step.how == "awaits twice":
                await passage
            return
        if step.how == "throws first":
            passage.throw(step.error("thrown"))
            return
        self._tell("yields", passage.send(None))
        if step.how == "throws":
            self._tell("yields", passage.throw(step.error("thrown")))
        if step.how == "sends":
            self._tell("yields", passage.send(3))
        if step.how == "closes":
            passage.close()
        elif step.how != "drops":
            self._begun.append(passage)
