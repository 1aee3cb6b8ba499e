# What the writer does for a request that waits for it: written, synced, or room made.
#
# Any thread may wait, and an event loop may ask to be called: the writer answers from
# a thread of its own, once.
import time
from collections.abc import Callable
from contextlib import suppress

from audit_mw.errors import AuditUnavailable
from audit_mw.trail.native import is_patched, make_lock

__all__ = ["Receipt"]

_SECONDS = 20.0  # until a request gives up on a disk that stalls
_POLL = 0.002


class Receipt:
    """The answer of the writer to one request, which may be waited for."""

    __slots__ = ("_answered", "_call", "_error", "_gate")

    def __init__(self) -> None:
        self._answered = False
        self._error: str | None = None
        self._call: Callable[[], object] | None = None
        self._gate = make_lock()
        self._gate.acquire()

    @property
    def answered(self) -> bool:
        """Whether the writer is through with it."""
        return self._answered

    def answer(self, error: str | None = None) -> None:
        """Say that it is done, or why it is not; the writer's thread calls this."""
        self._error = error
        self._answered = True
        with suppress(RuntimeError):
            self._gate.release()
        if self._call is not None:
            with suppress(RuntimeError):  # its loop is closed
                self._call()

    def on_answer(self, call: Callable[[], object]) -> None:
        """Call `call` from the writer's thread when it is answered, or now."""
        self._call = call
        if self._answered:
            call()

    def check(self) -> None:
        """
        Return if it is done.

        Raises:
            AuditUnavailable: it failed, or nobody answers.
        """
        if not self._answered:
            raise AuditUnavailable("the trail does not answer: its disk stalls")
        if self._error is not None:
            raise AuditUnavailable(self._error)

    def wait(self, seconds: float = _SECONDS) -> None:
        """
        Wait in this thread.

        Raises:
            AuditUnavailable: it failed, or nobody answers.
        """
        if is_patched():
            # A lock of the kernel would hold all greenlets of this thread.
            until = time.monotonic() + seconds
            while not self._answered and time.monotonic() < until:
                time.sleep(_POLL)
        elif self._gate.acquire(timeout=seconds):
            self._gate.release()
        self.check()
