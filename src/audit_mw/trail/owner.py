# One trail, one owner: who may write to a trail, and as whom root does.
#
# Rule 1: a trail of another uid is refused. Two uids in one trail would make files that
#         one of them cannot append to, lock or adopt.
# Rule 2: root is not refused, but whatever it makes for a trail gets the uid and gid of
#         that trail: else one command of an administrator locks the service out.
#
# A server cannot setuid for a while: other threads of it serve requests. Linux gives
# each thread an identity for files alone, setfsuid(2) and setfsgid(2), which the libc
# does not spread over the process as it does setuid. With root's identity the kernel
# also takes its right to pass over modes from the thread: what the owner may not do
# fails here too.
#
# What that does not cover:
# - Supplementary groups stay root's. The owner's own are not added, so a trail below a
#   directory that its owner enters only by such a group is refused with EACCES; and
#   what root's groups may read can be read within the block.
# - A thread that is started within the block keeps the identity for its life, and a
#   greenlet that is switched to has it meanwhile: start none, and do not wait there.
# - Python's own files: a module or a codec that is first needed within the block is
#   looked for as the owner, who may not find it.
# - What is open already: a write to a descriptor asks nobody. Space is charged to the
#   owner of the file.
import ctypes
import errno
import os
import pwd
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["acting_as", "check_owner"]

_ROOT = 0
_ASK = 0xFFFF_FFFF  # nobody's id: the call changes nothing, and returns what holds


def _bound(name: str) -> Callable[[int], int] | None:
    if sys.platform != "linux":
        return None
    call = getattr(ctypes.CDLL(None), name)
    call.argtypes = [ctypes.c_uint32]
    # The default is signed, and an id beyond 2**31 would come back as another.
    call.restype = ctypes.c_uint32
    bound: Callable[[int], int] = call

    return bound


_set_uid = _bound("setfsuid")
_set_gid = _bound("setfsgid")


def check_owner(trail: Path) -> None:
    """
    Return if this process may write to a trail: it is root, the owner, or the first.

    Raises:
        PermissionError: the trail belongs to another uid; both are named.
        OSError: that cannot be told.
    """
    own = os.geteuid()
    owner = None if own == _ROOT else _owner(trail)
    if owner is not None and owner[0] != own:
        raise PermissionError(
            errno.EPERM,
            f"the trail {str(trail)!r} belongs to {_named(owner[0])}, this process "
            f"runs as {_named(own)}: run it as the owner, or give it a trail of its "
            "own",
        )


@contextmanager
def acting_as(trail: Path) -> Iterator[None]:
    """
    Let this thread of root's use files as the owner of a trail for the block.

    It does nothing where the process is not root, the trail is root's own, or there is
    none yet: that will be the one's who makes it. Blocks may be nested.

    Raises:
        PermissionError: the owner's identity cannot be had.
        OSError: the owner cannot be told.
    """
    owner = _owner(trail) if os.geteuid() == _ROOT else None
    held = _held()
    if owner is None or owner[0] == held[0] == _ROOT:
        yield
        return
    try:
        # Inside: a signal's handler may raise between the two calls.
        _take(owner)
        # Neither says whether it worked, and root's file would lock the owner out.
        if _held() != owner:
            raise _refused(trail, owner)
        yield
    finally:
        _take(held)


def _held() -> tuple[int, int]:
    if _set_uid is None or _set_gid is None:
        return os.geteuid(), os.getegid()

    return _set_uid(_ASK), _set_gid(_ASK)


def _take(ids: tuple[int, int]) -> None:
    if _set_uid is not None and _set_gid is not None:
        _set_gid(ids[1])
        _set_uid(ids[0])


def _owner(trail: Path) -> tuple[int, int] | None:
    try:
        status = trail.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None

    return status.st_uid, status.st_gid


def _refused(trail: Path, owner: tuple[int, int]) -> PermissionError:
    return PermissionError(
        errno.EPERM,
        f"the trail {str(trail)!r} belongs to {_named(owner[0])}, and this process, "
        "though it runs as root, cannot use files as that user: run it as the owner",
    )


def _named(uid: int) -> str:
    try:
        return f"uid {uid} ({pwd.getpwuid(uid).pw_name})"
    except KeyError:
        return f"uid {uid}"
