# Seeing a fork from within the child, also one that Python is not told of: uWSGI forks
# its workers in C, and runs nothing of os.register_at_fork.
#
# The kernel wipes a page of ours in every child (MADV_WIPEONFORK, Linux 4.14). To look
# at it is no system call, so each request may. Where the kernel cannot, Python's own
# forks are seen all the same.
import mmap
import os
import threading
from collections.abc import Callable
from contextlib import suppress

__all__ = ["in_child", "see_fork", "wiped_page"]

_WIPE_ON_FORK = 18  # Python has no name for it

_page = mmap.mmap(-1, mmap.PAGESIZE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
with suppress(OSError):
    _page.madvise(_WIPE_ON_FORK)
_page[0] = 1
_hooks: list[Callable[[], None]] = []
_lock = threading.Lock()


def in_child(hook: Callable[[], None]) -> None:
    """Call `hook` in each forked child, before it serves anything."""
    _hooks.append(hook)


def wiped_page() -> memoryview:
    """Return the page of which the first byte is 0 in a child that saw no fork yet."""
    return memoryview(_page)


def see_fork() -> None:
    """Begin anew if this process was forked since the last look."""
    if _page[0]:
        return
    with _lock:  # the threads of a child come here at once, and go on when it is done
        if not _page[0]:
            _begin_child()


def _begin_child() -> None:
    for hook in _hooks:
        hook()
    _page[0] = 1


def _after_fork() -> None:
    global _lock  # noqa: PLW0603 - a thread of the parent may hold it
    _lock = threading.Lock()
    _begin_child()


os.register_at_fork(after_in_child=_after_fork)
