# Events -> lines in files, first form: one write a line, under the lock, at once.
#
# This is the seam behind which the journal comes to stand. What the floors above rely
# on: `ready` refuses when the last write failed and does not work again; after
# `commit` returned the record is with the kernel; `hold` keeps, in memory, what could
# not be written, and it is written before anything else as soon as that works.
#
# A seq is the number of the append: only one that worked counts, so a failure leaves
# no gap.
import errno
import os
import secrets
import socket
import threading
from collections import deque
from pathlib import Path
from weakref import WeakSet

from audit_mw.errors import AuditUnavailable
from audit_mw.event import STREAMS, Event
from audit_mw.trail.forks import in_child
from audit_mw.trail.record import VALUES, draft_event, finish_line
from audit_mw.trail.segment import SegmentFile
from audit_mw.trail.spill import SpillFile

__all__ = ["Writer"]

_writers: "WeakSet[Writer]" = WeakSet()


class Writer:
    """
    All streams of one trail, for this process.

    Args:
        trail: the directory; made when it is first needed.
        rotate: `day` or `hour`.
    """

    def __init__(self, trail: Path, rotate: str) -> None:
        self._trail = trail
        self._rotate = rotate
        self._held: deque[Event] = deque()
        self._begin_process()
        _writers.add(self)

    def _begin_process(self) -> None:
        # Locks, descriptors and numbers belong to one process; a forked child that
        # went on with its parent's would write the same seq twice.
        self._lock = threading.Lock()
        self._failed: OSError | None = None
        self._segments = {
            stream: SegmentFile(self._trail, stream, self._rotate)
            for stream in (*STREAMS, VALUES)
        }
        self._spills = SpillFile(self._segments[VALUES])
        boot = secrets.token_hex(4)
        self.instance = f"{socket.gethostname()}:{os.getpid()}:{boot}"

    def begin_child(self) -> None:
        """Start anew in a forked child; what the parent holds is the parent's."""
        self._close()  # without the lock, which may be locked for ever
        self._held.clear()
        self._begin_process()

    def open(self) -> None:
        """
        Open the segment of requests, so that a trail that cannot be is known at once.

        Raises:
            AuditUnavailable: it cannot be opened.
        """
        with self._lock:
            self._probe()

    def ready(self) -> None:
        """
        Return if a record can be written, as far as can be known before.

        Raises:
            AuditUnavailable: the last write failed, and fails again.
        """
        if self._failed is not None or self._held:
            with self._lock:
                self._write_held()

    def commit(self, event: Event) -> None:
        """
        Write an event, and what was held before it.

        Raises:
            AuditUnavailable: nothing of `event` is in its segment.
        """
        with self._lock:
            self._write_held()
            self._write(event)

    def hold(self, event: Event) -> None:
        """Keep an event that could not be written until it can be."""
        self._held.append(event)

    def close(self) -> None:
        """Let go of all files; the next commit opens them again."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        for segment in self._segments.values():
            segment.close()

    def _write_held(self) -> None:
        if self._failed is not None and not self._held:
            self._probe()
        while self._held:
            self._write(self._held[0])
            self._held.popleft()

    def _probe(self) -> None:
        # With nothing to write, a file that can be opened is all that can be known.
        try:
            self._segments["request"].current()
        except OSError as error:
            raise self._unavailable(error) from error
        self._failed = None

    def _write(self, event: Event) -> None:
        segment = self._segments[event.stream]
        try:
            self._spills.append(event)
            segment.append(finish_line(draft_event(event), segment.appends + 1))
        except OSError as error:
            raise self._unavailable(error) from error
        self._failed = None

    def _unavailable(self, error: OSError) -> AuditUnavailable:
        self._failed = error
        name = errno.errorcode.get(error.errno or 0, "unknown error")

        return AuditUnavailable(
            f"the trail {str(self._trail)!r} takes no record: {name}"
        )


def _begin_children() -> None:
    for writer in tuple(_writers):
        writer.begin_child()


in_child(_begin_children)
