# A program in which somebody speaks at each moment of what we do: an object that is
# collected as garbage in between, as asyncio logs of a task that nobody awaited, and a
# signal's handler. It prints what it is through with; one that waits for itself hangs.
import faulthandler
import gc
import signal
import sys
from collections.abc import Callable
from contextlib import suppress

import audit_mw
from audit_mw import AuditMiddleware, AuditUnavailable

_SECONDS = 60
_ENVIRON = {"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.url_scheme": "http"}


def speak(*_: object) -> None:
    """Say something; in the middle of an opening it cannot be recorded."""
    with suppress(AuditUnavailable):
        audit_mw.error("said in between")


class Loud:
    """Garbage that speaks when it is collected."""

    def __init__(self) -> None:
        self.me = self

    def __del__(self) -> None:
        speak()


def collected_in(act: Callable[[], object], moments: range) -> None:
    """Let garbage be collected at each of these moments of `act`."""
    for moment in moments:
        gc.set_threshold(0)
        gc.collect()
        Loud()
        gc.set_threshold(moment, 1, 1)
        act()
    gc.set_threshold(0)


def interrupted(act: Callable[[], object], times: int) -> None:
    """Let signals come in at many moments of `act`."""
    signal.signal(signal.SIGALRM, speak)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0007)
    for _ in range(times):
        act()
    signal.setitimer(signal.ITIMER_REAL, 0)


def main(trail: str) -> None:
    """Do all of it."""
    faulthandler.dump_traceback_later(_SECONDS, exit=True)

    def app(_environ: object, start_response: Callable[..., object]) -> list[bytes]:
        start_response("200 OK", [])
        return [b"ok"]

    wrapped = AuditMiddleware(app, trail=trail)

    def serve() -> None:
        b"".join(wrapped(dict(_ENVIRON), lambda *_: None))

    def reopen() -> None:
        wrapped.close_trail()
        speak()

    serve()
    gc.freeze()
    for name, act, moments in (
        ("say", speak, range(1, 300, 5)),
        ("serve", serve, range(1, 500, 9)),
        ("reopen", reopen, range(1, 900, 23)),
    ):
        collected_in(act, moments)
        gc.collect()
        interrupted(act, 40)
        sys.stdout.write(f"{name}\n")
    wrapped.close_trail()


if __name__ == "__main__":
    main(sys.argv[1])
