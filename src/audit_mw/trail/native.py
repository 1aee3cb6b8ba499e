# Threads, locks and sleep as the kernel has them, also where gevent has put its own in
# their place: the writer must run while the hub of greenlets does not.
import _thread
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

__all__ = ["is_patched", "make_lock", "pause", "start_thread", "this_thread"]


def _original(module: Any, name: str) -> Any:
    monkey = sys.modules.get("gevent.monkey")
    if monkey is None:
        return getattr(module, name)

    return monkey.get_original(module.__name__, name)


def make_lock() -> "_thread.LockType":
    """Return a lock that blocks its thread, and no other."""
    lock: _thread.LockType = _original(_thread, "allocate_lock")()

    return lock


def start_thread(run: Callable[[], None]) -> None:
    """
    Run `run` in a thread that does not keep the interpreter from its end.

    Raises:
        RuntimeError: the system gives no further thread.
    """

    def traced() -> None:
        # As a thread of `threading` begins: debuggers and coverage follow it.
        sys.settrace(threading.gettrace())
        run()

    _original(_thread, "start_new_thread")(traced, ())


def this_thread() -> int:
    """Return the number of this thread, whichever greenlet runs in it."""
    return int(_original(_thread, "get_ident")())


def pause(seconds: float) -> None:
    """Hold this thread, greenlets and all."""
    _original(time, "sleep")(seconds)


def is_patched() -> bool:
    """Tell whether a wait in this thread is a switch to another greenlet."""
    return bool(time.sleep is not _original(time, "sleep"))
