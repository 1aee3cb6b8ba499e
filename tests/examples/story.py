# A day at the bank on Flask, for docs/analysis.md.
#
# Alice, Bob and Mallory are served, each at an address of theirs. Then another worker,
# `python -m tests.examples.story TRAIL`, logs Alice in; its next request waits for a
# lock that nobody lets go of. It says which session that is, and who started it ends
# it, as a server ends a worker that hangs.
import sys
import threading
from typing import Any

from examples.flask_app.app import make_app

from audit_mw import AuditMiddleware

__all__ = ["TOKEN", "Customers", "live"]

TOKEN = "pat-Zm9vYmFyQmF6-0123456789abcdef"
ADDRESSES = {"alice": "192.0.2.7", "bob": "203.0.113.5", "mallory": "198.51.100.9"}
ALICES, BOBS = "22051101", "22051102"


class Customers:
    """
    The customers of a bank, each with a client of their own.

    Args:
        trail: its directory.
    """

    def __init__(self, trail: str) -> None:
        self._app = make_app()
        self._app.wsgi_app = AuditMiddleware(  # type: ignore[method-assign] # as Flask's manual says
            self._app.wsgi_app, trail=trail, service="bank"
        )
        self._clients = {name: self._app.test_client() for name in ADDRESSES}
        self.bank = self._app.extensions["bank"]

    def close(self) -> None:
        """Let go of the trail."""
        self._app.wsgi_app._auditor.close()  # type: ignore[attr-defined] # it is ours

    def ask(self, who: str, method: str, path: str, **content: Any) -> None:
        """Send a request, its path as it is; read the answer as a server would."""
        environ = {"REMOTE_ADDR": ADDRESSES[who], "RAW_URI": path, "REQUEST_URI": path}
        client = self._clients[who]
        answer = client.open(path, method=method, environ_overrides=environ, **content)
        answer.get_data()
        answer.close()

    def login(self, who: str, name: str, password: str) -> None:
        """Try to log in."""
        self.ask(who, "POST", "/login", data={"user": name, "password": password})

    def transfer(self, amount: str) -> None:
        """Send money of Alice's to Bob."""
        order = {"from": ALICES, "to": BOBS, "amount": amount}
        self.ask("alice", "POST", "/transfer", data=order)

    def session(self, who: str) -> str:
        """Return the session id of somebody who is logged in."""
        cookie = self._clients[who].get_cookie("sessionid")
        assert cookie is not None

        return cookie.value


class NeverFree:
    """A lock that nobody lets go of; who waits for it says so."""

    def __init__(self, said: str) -> None:
        self._said = said

    def __enter__(self) -> None:
        print(self._said, flush=True)
        threading.Event().wait()

    def __exit__(self, *_: object) -> None: ...


def live(them: Customers) -> None:
    """Let the day pass."""
    them.login("mallory", "alice", "123456")
    them.login("mallory", "alice", "qwerty")
    them.login("alice", "alice", "")
    them.login("alice", "alice", "correct horse")
    them.login("bob", "bob", "battery staple")
    them.ask("bob", "GET", f"/accounts/{BOBS}")
    them.ask("alice", "GET", f"/accounts/{ALICES}?currency=USD")
    them.ask("alice", "GET", f"/accounts/{BOBS}")
    them.transfer("9999")
    them.transfer("12.50")
    bearer = {"Authorization": f"Bearer {TOKEN}"}
    them.ask("bob", "GET", "/search?q=a", headers=bearer)
    them.ask("mallory", "GET", f"/search?q=bob&access_token={TOKEN}")
    them.ask("mallory", "GET", "/profile", headers=bearer)
    them.ask("mallory", "GET", '/"reason":"process_died"')
    them.ask("alice", "GET", "/crash")


def main(trail: str) -> None:
    """Serve Alice until the worker hangs."""
    them = Customers(trail)
    them.login("alice", "alice", "correct horse")
    them.bank.lock = NeverFree(them.session("alice"))
    them.transfer("1.00")


if __name__ == "__main__":
    main(sys.argv[1])
