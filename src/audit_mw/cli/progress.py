# How far a long scan is, on a terminal and nowhere else.
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Progress", "watching"]

_EVERY_SECONDS = 0.2
_QUIET_SECONDS = 1.0  # what takes less needs no bar
_WIDTH = 30


class Progress:
    """What is shown, by whoever works; it is drawn by a thread of its own."""

    def __init__(self) -> None:
        self._words = ""
        self._part: Callable[[], float] = lambda: -1.0

    def show(self, words: str, part: Callable[[], float]) -> None:
        """Show what is done, and how much of it, from 0 to 1; negative: unknown."""
        self._words, self._part = words, part

    def line(self) -> str:
        """Return the line as it is now."""
        part = min(self._part(), 1.0)
        if part < 0:
            return self._words
        done = "#" * int(part * _WIDTH)

        return f"{self._words} [{done:{_WIDTH}}] {part:4.0%}"


@contextmanager
def watching() -> Iterator[Progress]:
    """Show on the terminal how far it is, and clear the line at the end."""
    progress, over = Progress(), threading.Event()
    if not sys.stderr.isatty():
        yield progress
        return
    thread = threading.Thread(target=_draw, args=(progress, over), daemon=True)
    thread.start()
    try:
        yield progress
    finally:
        over.set()
        thread.join()


def _draw(progress: Progress, over: threading.Event) -> None:
    if over.wait(_QUIET_SECONDS):
        return
    while not over.wait(_EVERY_SECONDS):
        sys.stderr.write(f"\r\x1b[K{progress.line()}")
        sys.stderr.flush()
    sys.stderr.write("\r\x1b[K")
    sys.stderr.flush()
