"""
The hooks of gunicorn that put on record what its arbiter does: a worker that is ended
since it does not answer, a reload, a second server that is to take over.

    # gunicorn.conf.py
    from audit_mw.integrations.gunicorn_arbiter import child_exit, on_reload, pre_exec
"""

# Rule 1: the arbiter tells of a timeout, when the worker is gone. One that hangs in C
#         code runs no hook of its own, and SIGKILL asks nobody.
# Rule 2: not the arbiter itself opens the trail, but a child that it forks, for one
#         record. The arbiter forks workers, for which it must have no thread; and a
#         disk that stalls must not hold it up.
# Rule 3: no trail is made here. The arbiter may be root where the workers are not, and
#         an application may name a trail that we do not know of. Where no worker has
#         opened ours there is nothing to tell.
import os
import signal
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from audit_mw import voice
from audit_mw.config import Config

__all__ = ["child_exit", "on_reload", "pre_exec"]

_SECONDS = 30  # until a child gives up on a disk that stalls
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT, signal.SIGHUP)


def child_exit(server: Any, worker: Any) -> None:
    """Put on record that a worker was ended, if it was since it did not answer."""
    if getattr(worker, "aborted", False):
        reason = f"worker {worker.pid} did not answer for {server.timeout} s"
        _tell(server, "sys_timeout", reason, worker=worker.pid)


def on_reload(server: Any) -> None:
    """Put on record that the configuration was read again: SIGHUP."""
    _tell(server, "sys_reload", "SIGHUP", workers=server.cfg.workers)


def pre_exec(server: Any) -> None:
    """Put on record that a second server is started, to take over: SIGUSR2."""
    _tell(server, "sys_restart", "SIGUSR2: a second server starts beside this one")


def _tell(server: Any, kind: str, reason: str, **details: object) -> None:
    # Whatever fails in here, a hook that raises would end gunicorn.
    try:
        config = Config.load()
        if not Path(config.home).is_dir():
            return
        if os.fork():
            return  # gunicorn reaps all children, those that it does not know as well
    except Exception as error:  # noqa: BLE001 - see above
        _say(kind, error)
        return
    try:
        _stand_alone(server)
        _record(config, _module(server.app), kind, reason, details)
    except BaseException as error:  # noqa: BLE001 - this process is not gunicorn's to run on in
        _say(kind, error)
    finally:
        os._exit(0)  # another code would be a worker that failed


def _stand_alone(server: Any) -> None:
    for each in _SIGNALS:
        signal.signal(each, signal.SIG_IGN)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(_SECONDS)
    # Else its port would be in use as long as the disk stalls, with nobody there.
    for listener in server.LISTENERS:
        with suppress(OSError):
            os.close(listener.fileno())


def _record(
    config: Config,
    module: str | None,
    kind: str,
    reason: str,
    details: dict[str, Any],
) -> None:
    service = config.service or module
    with voice.open(automation="gunicorn", trail=config.trail, service=service):
        outcome = "FAILURE" if kind == "sys_timeout" else "SUCCESS"
        voice.system(kind, outcome=outcome, reason=reason, **details)


def _module(app: Any) -> str | None:
    # As the service of the workers is named; gunicorn's may also be the path of a file.
    module = str(getattr(app, "app_uri", None) or "").partition(":")[0]

    return module if all(map(str.isidentifier, module.split("."))) else None


def _say(kind: str, error: BaseException) -> None:
    with suppress(OSError, ValueError):
        sys.stderr.write(f"audit_mw: {kind} is not on record: {error}\n")
