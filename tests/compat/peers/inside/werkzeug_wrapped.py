# Werkzeug: every application that its test client runs goes through `audited`.
from importlib import import_module
from typing import Any

from .audited import ask, audited

_test: Any = import_module("werkzeug.test")
_run = _test.run_wsgi_app


def _run_wrapped(app: Any, *args: Any, **named: Any) -> Any:
    ask()
    return _run(audited(app, interface="wsgi"), *args, **named)


_test.run_wsgi_app = _run_wrapped
