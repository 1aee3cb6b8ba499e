# Flask: each application is wrapped as the README says, as soon as it is made.
from importlib import import_module
from typing import Any

from .audited import audited, counting

_flask = import_module("flask").Flask
_client = import_module("werkzeug.test").Client
_make = _flask.__init__


def _wrapped(self: Any, *args: Any, **named: Any) -> None:
    _make(self, *args, **named)
    self.wsgi_app = audited(self.wsgi_app)


_flask.__init__ = _wrapped
_client.run_wsgi_app = counting(_client.run_wsgi_app)
