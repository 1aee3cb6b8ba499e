# What the kernel knows of its own clock: whether something keeps it in step, and how
# far off it may be. A trail whose times nobody vouches for should say so itself.
#
# adjtimex(2) with no mode set asks, changes nothing, and needs no right. It is the
# kernel that is asked, so within a container the answer is the machine's. What keeps
# the clock has to tell the kernel: chrony does with `rtcsync` only.
import ctypes
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

__all__ = ["ClockState", "clock_state"]

_UNSYNCHRONISED = 0x0040  # STA_UNSYNC
_ERROR = 5  # TIME_ERROR: the call's own word for a clock that is not in step


class ClockState(NamedTuple):
    """
    What is known of the clock.

    Args:
        synchronised: whether it is kept in step; None where that cannot be told.
        error: the estimated error, in microseconds.
        source: which call told.
    """

    synchronised: bool | None = None
    error: int | None = None
    source: str | None = None


class _Timex(ctypes.Structure):
    """
    `struct timex` of <sys/timex.h>.

    ctypes pads as the platform's compiler does, and its c_long is as long as the
    kernel's: with 64 bits there are gaps behind `modes`, `status` and `shift`, with 32
    there are none.
    """

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("constant", ctypes.c_long),
        ("precision", ctypes.c_long),
        ("tolerance", ctypes.c_long),
        ("time", ctypes.c_long * 2),
        ("tick", ctypes.c_long),
        ("ppsfreq", ctypes.c_long),
        ("jitter", ctypes.c_long),
        ("shift", ctypes.c_int),
        ("stabil", ctypes.c_long),
        ("jitcnt", ctypes.c_long),
        ("calcnt", ctypes.c_long),
        ("errcnt", ctypes.c_long),
        ("stbcnt", ctypes.c_long),
        ("tai", ctypes.c_int),
        # Eleven by the header. The kernel must not write behind our memory where its
        # fields are wider than we think.
        ("reserved", ctypes.c_int * 64),
    )


def _bound() -> Callable[[Any], int] | None:
    call = getattr(ctypes.CDLL(None), "adjtimex", None) if _IS_LINUX else None
    if call is not None:
        call.argtypes = [ctypes.POINTER(_Timex)]

    return call


_IS_LINUX = sys.platform == "linux"  # others have other structures
_adjtimex = _bound()


def clock_state() -> ClockState:
    """Return what the kernel says of its clock."""
    timex = _Timex()
    state = -1 if _adjtimex is None else _adjtimex(ctypes.byref(timex))
    if state < 0:
        return ClockState()  # a sandbox may forbid the question
    is_off = state == _ERROR or bool(timex.status & _UNSYNCHRONISED)

    return ClockState(not is_off, timex.esterror, "adjtimex")
