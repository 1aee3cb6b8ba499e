# An exception at each point of ours at which the handler of a signal may raise one:
# SIGALRM of an application that bounds its requests, a server that gives one up.
#
# CPython runs handlers where a function begins, behind a call, and where a loop goes
# back; nowhere else, so a lock that a `with` has taken is given back.
#
# Each request is the same but for its number, and is interrupted some points later than
# the one before. Rule: who was served completely is on record, nobody is so twice, and
# no slot of the journal stays taken.
import dis
import gc
import sys
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

from tests.compiled.roads import Road

import audit_mw

__all__ = ["Interrupted", "Interrupting", "interrupt"]

_OURS = str(Path(audit_mw.__path__[0]))
_POINTS = {"RESUME", "CALL", "CALL_FUNCTION_EX", "CALL_KW", "JUMP_BACKWARD"}
_MOST = 100_000  # a request has some thousand
_PATIENCE = 10.0  # seconds, on a machine that has much else to do


class Interrupted(BaseException):
    """What the handler raises."""


def interrupt(point: int, serve: Callable[[], object]) -> bool:
    """Serve, and raise at a point of ours; tell whether it got there."""
    reached = 0

    def begin(frame: FrameType, _kind: str, _argument: object) -> Any:
        code, before = frame.f_code.co_code, ""
        if not frame.f_code.co_filename.startswith(_OURS):
            return None
        frame.f_trace_opcodes, frame.f_trace_lines = True, False

        def go_on(frame: FrameType, kind: str, _argument: object) -> Any:
            nonlocal reached, before
            if kind == "opcode":
                reached += before in _POINTS
                if before in _POINTS and reached == point:
                    raise Interrupted
                before = dis.opname[code[frame.f_lasti]]
            return go_on

        return go_on

    traced = sys.gettrace()
    # From 3.12 on opcodes are traced only where somebody had asked for it before.
    sys._getframe().f_trace_opcodes = True
    sys.settrace(begin)
    try:
        serve()
    except BaseException:  # noqa: BLE001 - whatever becomes of it is the server's
        return True
    finally:
        sys.settrace(traced)

    return reached >= point


class Interrupting:
    """
    Interrupts requests, and judges what is kept of them.

    Args:
        road: what serves them.
        serve: serves one, by its number, and adds that to the list when all of the
            response was handed over.
    """

    def __init__(self, road: Road, serve: Callable[[int, list[int]], object]) -> None:
        self._road = road
        self._serve = serve
        self._answered: list[int] = []

    def run(self, first: int, every: int) -> int:
        """Interrupt at so many-th points, until none is left; return how many."""
        self._serve(0, self._answered)
        for count, point in enumerate(range(first, _MOST, every)):
            if not interrupt(point, partial(self._serve, point, self._answered)):
                break
            if not count % 50:
                self._settle()
        self._settle()

        return count

    def _settle(self) -> None:
        # What was interrupted is held by its own traceback, until that is collected.
        gc.collect()
        pump = self._road.middleware._auditor._writer.pump
        deadline = time.monotonic() + _PATIENCE
        while pump.pool.used and time.monotonic() < deadline:
            pump._next_adoption = 0.0
            self._road.flush()

    def complaints(self) -> list[str]:
        """Return what is wrong."""
        records = [told for stream, told in self._road.news() if stream == "request"]
        found = Counter(int(told["path"].rpartition(b"/")[2]) for told in records)
        found[0] = 1  # the first, which nothing interrupts, is there for each run
        used = self._road.middleware._auditor._writer.pump.pool.used

        return [
            *(f"{used} slots are used" for _ in range(bool(used))),
            *(f"{step} is not on record" for step in self._answered if not found[step]),
            *(f"{step} is so {n} times" for step, n in found.items() if n > 1),
        ]
