# A shop, wrapped by the middleware, on a day with a little of everything: Alice and Bob
# shop, Mallory tries what there is. Each saved query is put to its trail.
import io
import time
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs
from wsgiref.util import setup_testing_defaults

from tests.settling import settle

import audit_mw
from audit_mw import AuditMiddleware

__all__ = ["ALICE", "BOB", "MALLORY", "SLOW_SECONDS", "Shop", "day"]

ALICE, BOB, MALLORY = "192.0.2.7", "203.0.113.5", "198.51.100.9"
SLOW_SECONDS = 0.05
_BROWSER = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
_FORM = "application/x-www-form-urlencoded"
_FILE = (
    b"--x\r\nContent-Disposition: form-data; name=doc; filename=cv.pdf\r\n"
    b"Content-Type: application/pdf\r\n\r\n%PDF-1.7 and so on\r\n--x--\r\n"
)


def _shop(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    exchange = audit_mw.current()
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    user = environ.get("HTTP_X_TEST_USER")
    if exchange is not None and user:
        exchange.user = user
        exchange.session = f"session of {user}, long enough"
    status = _PAGES.get(environ["PATH_INFO"], _page)(body)
    start_response(status, [("Content-Type", "text/plain")])

    return [b"ok"]


def _page(_body: bytes) -> str:
    return "200 OK"


def _login(body: bytes) -> str:
    form = {key: values[0] for key, values in parse_qs(body.decode()).items()}
    if form["password"] == "right horse battery":
        session = f"session of {form['user']}, long enough"
        audit_mw.login(form["user"], session=session)
        return "200 OK"
    audit_mw.login(form["user"], outcome="FAILURE", reason="wrong password")

    return "401 Unauthorized"


def _slow(_body: bytes) -> str:
    time.sleep(SLOW_SECONDS)

    return "200 OK"


def _crash(_body: bytes) -> str:
    raise ValueError("no such thing as 17")


def _refuse(_body: bytes) -> str:
    audit_mw.error("insufficient funds")

    return "422 Unprocessable Content"


def _missing(_body: bytes) -> str:
    return "404 Not Found"


def _admin(_body: bytes) -> str:
    audit_mw.security("authz_fail", resource="/admin")

    return "403 Forbidden"


_PAGES = {
    "/login": _login,
    "/slow": _slow,
    "/crash": _crash,
    "/pay": _refuse,
    "/wp-login.php": _missing,
    "/admin": _admin,
}


class Shop:
    """
    The shop, and what its trail is.

    Args:
        trail: its directory, which is made.
    """

    def __init__(self, trail: Path) -> None:
        self._app: Any = AuditMiddleware(
            _shop, trail=str(trail), service="shop", key=bytes(range(32))
        )

    def ask(self, client: str, path: str, body: bytes = b"", /, **fields: str) -> None:
        """Send a request, a POST if it has a body."""
        path, _, query = path.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "POST" if body else "GET",
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REMOTE_ADDR": client,
            "REMOTE_PORT": "4711",
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": _FORM,
            "HTTP_USER_AGENT": _BROWSER,
            "wsgi.input": io.BytesIO(body),
        } | fields
        setup_testing_defaults(environ)
        with suppress(ValueError):  # what the shop raises, a server would log
            list(self._app(environ, lambda *_: None))

    def login(self, client: str, user: str, password: str) -> None:
        """Try to log in."""
        form = f"user={user}&password={password.replace(' ', '+')}"
        self.ask(client, "/login", form.encode())

    def close(self) -> None:
        """Let go of the trail."""
        self._app._auditor.close()


def day(trail: Path) -> Path:
    """Let a day pass at the shop; return its trail."""
    shop = Shop(trail)
    alice, bob = {"HTTP_X_TEST_USER": "alice"}, {"HTTP_X_TEST_USER": "bob"}
    shop.login(ALICE, "alice", "mistyped")
    shop.login(ALICE, "alice", "right horse battery")
    shop.ask(ALICE, "/basket?item=17&page=2", b"", **alice)
    shop.ask(BOB, "/basket?item=18", b"", **bob)
    shop.ask(BOB, "/slow", b"", **bob)
    shop.ask(BOB, "/cv", _FILE, CONTENT_TYPE="multipart/form-data; boundary=x", **bob)
    shop.ask(ALICE, "/pay", b"amount=100&to=bob", **alice)
    for user in ("alice", "bob", "carol", "dave", "erin", "frank"):
        shop.login(MALLORY, user, "123456")
    shop.login(MALLORY, "frank", "right horse battery")
    shop.ask(MALLORY, "/wp-login.php", HTTP_USER_AGENT="sqlmap/1.9")
    shop.ask(MALLORY, "/pay?to=bob&to=mallory", b"amount=1&to=mallory")
    shop.ask(MALLORY, "/admin")
    shop.ask(MALLORY, "/basket?api_key=0123456789abcdef0123456789abcdef")
    shop.ask(MALLORY, "/basket?item=19", b"", **bob)
    shop.ask(ALICE, "/crash", b"", **alice)
    settle(trail)
    shop.close()

    return trail
