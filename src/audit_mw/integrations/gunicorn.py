"""
A configuration of gunicorn that audits whatever it serves, with no change of code.

    gunicorn -c python:audit_mw.integrations.gunicorn shop:app

gunicorn takes one configuration, so yours is read from here: `gunicorn.conf.py` in the
directory where gunicorn starts, as it would be without -c, or the file that
AUDIT_MW_GUNICORN_CONFIG names. The hooks in it are called after ours, `worker_exit`
before it.
"""

import importlib.util
import os
import sys
from pathlib import Path
from typing import Any

from audit_mw.config import Config
from audit_mw.errors import ConfigError
from audit_mw.integrations import gunicorn_arbiter, gunicorn_worker

__all__ = [
    "child_exit",
    "on_reload",
    "post_worker_init",
    "pre_exec",
    "when_ready",
    "worker_exit",
]

VARIABLE = "AUDIT_MW_GUNICORN_CONFIG"
_USUAL = "gunicorn.conf.py"  # what gunicorn reads when it is given none


def _settings_of(path: Path) -> dict[str, Any]:
    spec = importlib.util.spec_from_file_location("__config__", path)
    if spec is None or spec.loader is None:
        right = f"name a Python file, such as {_USUAL}"
        raise ConfigError("gunicorn_config", str(path), right, f"variable {VARIABLE}")
    module = importlib.util.module_from_spec(spec)
    sys.modules["__config__"] = module  # as gunicorn has it
    spec.loader.exec_module(module)

    return {name: it for name, it in vars(module).items() if name[:2] != "__"}


def _theirs() -> dict[str, Any]:
    named = os.environ.get(VARIABLE)
    path = Path(named or _USUAL).absolute()
    if path.is_file():
        return _settings_of(path)
    if named:
        right = f"there is no such file; {Path.cwd()} is where gunicorn starts"
        raise ConfigError("gunicorn_config", named, right, f"variable {VARIABLE}")

    return {}


def _then_theirs(hook: str, *arguments: Any) -> None:
    if hook in _their_settings:
        _their_settings[hook](*arguments)


def post_worker_init(worker: Any) -> None:
    """Put the trail around the application that a worker has just loaded."""
    gunicorn_worker.post_worker_init(worker)
    _then_theirs("post_worker_init", worker)


def worker_exit(server: Any, worker: Any) -> None:
    """Write what a worker that ends has on record; our hook comes last here."""
    _then_theirs("worker_exit", server, worker)
    gunicorn_worker.worker_exit(server, worker)


def when_ready(server: Any) -> None:
    """Let a SIGHUP read the configuration again."""
    _forget()
    _then_theirs("when_ready", server)


def on_reload(server: Any) -> None:
    """Put a reload on record, and let the next SIGHUP read it again, too."""
    _forget()
    gunicorn_arbiter.on_reload(server)
    _then_theirs("on_reload", server)


def child_exit(server: Any, worker: Any) -> None:
    """Put on record that a worker was ended, if it was since it did not answer."""
    gunicorn_arbiter.child_exit(server, worker)
    _then_theirs("child_exit", server, worker)


def pre_exec(server: Any) -> None:
    """Put on record that a second server is started, to take over."""
    gunicorn_arbiter.pre_exec(server)
    _then_theirs("pre_exec", server)


def _forget() -> None:
    # gunicorn imports a configuration by name, and would get this one for ever.
    sys.modules.pop(__name__, None)


# A wrong option ends gunicorn here, in one line, before there are workers.
Config.load()
_their_settings = _theirs()
globals().update(
    {name: it for name, it in _their_settings.items() if name not in __all__}
)
