# A small bank on Flask, with an audit trail.
#
# `AuditMiddleware`, at the very end, makes a record of every request. `listen` adds
# what Flask knows: the endpoint, crashes and aborts. What only a bank can know it says
# itself, with `audit_mw`; and what it logs is joined by the event id.
#
# (Longer than 250 lines, since it is the whole bank.)
import hashlib
import hmac
import logging
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from flask import Flask, Response, abort, current_app, jsonify, request

import audit_mw
from audit_mw import AuditMiddleware
from audit_mw.integrations.flask import listen
from audit_mw.integrations.logging import AuditHandler, EventIdFilter

CURRENCY = "EUR"
RATES = {"USD": Decimal("1.10"), "SEK": Decimal("11.00")}
ROLES = ("customer",)
IDLE = 15 * 60  # seconds after which a session that nobody uses ends
LARGE = Decimal(100)  # a transfer from which on the bank must report it
EVENTS = ("large_transfer",)  # the names that OWASP's vocabulary does not have
AMOUNT = re.compile(r"[0-9]{1,9}(?:\.[0-9]{1,2})?")
POOL = ThreadPoolExecutor(2, "rates")


def _logger() -> logging.Logger:
    # Errors go to the trail; all goes to stderr as ever, with the event id before it.
    usual = logging.StreamHandler()
    usual.addFilter(EventIdFilter())
    usual.setFormatter(logging.Formatter("%(asctime)s %(event_id)s %(message)s"))
    logger = logging.getLogger(__name__)
    logger.setLevel(logging.INFO)
    for handler in (usual, AuditHandler()):
        logger.addHandler(handler)

    return logger


log = _logger()


def _hashed(password: str, salt: bytes) -> bytes:
    return hashlib.scrypt(password.encode(), salt=salt, n=2**10, r=8, p=1)


@dataclass
class Customer:
    """Who has an account."""

    name: str
    number: str
    balance: Decimal
    salt: bytes
    password: bytes
    profile: dict[str, Any] = field(default_factory=dict)


@dataclass
class Session:
    """Who is logged in, and when that was last made use of."""

    name: str
    used: float


def _customer(name: str, number: str, balance: str, password: str) -> Customer:
    salt = secrets.token_bytes(16)

    return Customer(name, number, Decimal(balance), salt, _hashed(password, salt))


class Bank:
    """All customers, and who is logged in."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.sessions: dict[str, Session] = {}
        self.lock = threading.Lock()
        self.nobody = _customer("", "", "0", secrets.token_hex())
        self.customers = {
            "alice": _customer("alice", "22051101", "250.00", "correct horse"),
            "bob": _customer("bob", "22051102", "75.50", "battery staple"),
        }

    def login(self, name: str, password: str, before: str) -> str | None:
        """Return a new session id in the place of the one before, or None."""
        customer = self.customers.get(name, self.nobody)
        # Hashed for nobody as well: the time must not tell which names exist.
        hashed = _hashed(password, customer.salt)
        if not hmac.compare_digest(hashed, customer.password):
            return None
        self.sessions.pop(before, None)
        session = secrets.token_urlsafe(24)
        self.sessions[session] = Session(name, self.clock())

        return session

    def name_of(self, session: str) -> str | None:
        """Return who is logged in; a session that nobody used for long ends here."""
        found = self.sessions.get(session)
        if found is None:
            return None
        now = self.clock()
        if now - found.used > IDLE:
            if self.sessions.pop(session, None):  # of two requests at once one says so
                audit_mw.session_expired(found.name)
            return None
        found.used = now

        return found.name

    def logout(self, session: str, *, everywhere: bool) -> None:
        """End a session, and all others of the same customer if asked to."""
        name = self.name_of(session)
        if name is None or self.sessions.pop(session, None) is None:
            return
        audit_mw.logout(name)
        others = [key for key, it in list(self.sessions.items()) if it.name == name]
        for other in others if everywhere else ():
            if self.sessions.pop(other, None):
                audit_mw.session_invalidated(
                    name, session=other, reason="logged out everywhere"
                )

    def by_number(self, number: str) -> Customer | None:
        """Return the customer with this account."""
        return next((c for c in self.customers.values() if c.number == number), None)


def the_bank() -> Bank:
    """Return the data of the application that serves this request."""
    bank = current_app.extensions["bank"]
    if not isinstance(bank, Bank):
        raise TypeError("make the application with make_app()")

    return bank


def who() -> Customer:
    """Return who is logged in, and vouch for it."""
    bank = the_bank()
    name = bank.name_of(request.cookies.get("sessionid", ""))
    if name is None:
        abort(401, "log in first")
    if here := audit_mw.current():
        here.user, here.roles = name, ROLES

    return bank.customers[name]


def amount_of(text: object) -> Decimal:
    """Return an amount of money, to the cent."""
    if not isinstance(text, str) or AMOUNT.fullmatch(text) is None:
        abort(400, "give the amount as text, such as 12.50")
    if not Decimal(text):
        abort(400, "the amount must be above zero")

    return Decimal(text)


def rate_of(currency: str) -> Decimal | None:
    """Ask the service of rates, and wait for it no longer than a customer would."""
    # A thread of the pool does not know by itself whose request it works for.
    asked = POOL.submit(audit_mw.carry(asked_rate), currency)
    rate: Decimal | None = asked.result(timeout=5)

    return rate


def asked_rate(currency: str) -> Decimal | None:
    """Ask the service of rates, which a table stands for here."""
    began, rate = time.monotonic(), RATES.get(currency)
    audit_mw.call(
        f"http://rates.example/{CURRENCY}/{currency}",
        outcome="FAILURE" if rate is None else "SUCCESS",
        reason="no such currency" if rate is None else None,
        rows=0 if rate is None else 1,
        micros=round((time.monotonic() - began) * 1e6),
    )
    if rate is None:
        log.error("rates.example has no rate of %r", currency)

    return rate


def refused(message: str, status: int) -> Response:
    """Return an answer that says why; what of it is on record was said before."""
    answer = jsonify(error=message)
    answer.status_code = status

    return answer


def login() -> Response:
    """Log in with a form of user and password."""
    name = request.form.get("user", "")
    before = request.cookies.get("sessionid", "")
    session = the_bank().login(name, request.form.get("password", ""), before)
    if session is None:
        audit_mw.login(name, outcome="FAILURE", reason="wrong name or password")
        abort(401, "wrong name or password")
    audit_mw.login(name, session=session, roles=ROLES)
    log.info("%s logged in", name)
    answer = jsonify(user=name)
    answer.set_cookie("sessionid", session, httponly=True, samesite="Lax")

    return answer


def logout() -> tuple[str, int]:
    """Forget the session; with `?all=1` those on other devices, too."""
    everywhere = request.args.get("all") == "1"
    the_bank().logout(request.cookies.get("sessionid", ""), everywhere=everywhere)

    return "", 204


def search() -> Response:
    """List customers by a part of their name."""
    wanted = request.values.getlist("user_id")
    part = request.args.get("q", "").lower()
    found = [name for name in the_bank().customers if part in name]
    if here := audit_mw.current():
        here.rows = len(found)

    return jsonify(found=found, user_id=wanted)


def transfer() -> Response:
    """Send money to another account; a form or JSON."""
    me = who()
    order = request.get_json() if request.is_json else dict(request.form)
    if not isinstance(order, dict):
        abort(400, "send a JSON object")
    if order.get("from") != me.number:
        audit_mw.security("authz_fail", account=str(order.get("from")))
        return refused("not your account", 403)
    amount = amount_of(order.get("amount"))
    other = the_bank().by_number(str(order.get("to")))
    if other is None or other is me:
        abort(404, "no such account to send to")
    with the_bank().lock:
        if amount > me.balance:
            audit_mw.error("insufficient funds", account=me.number, amount=amount)
            return refused("insufficient funds", 422)
        me.balance -= amount
        other.balance += amount
    if amount >= LARGE:
        audit_mw.security("large_transfer", outcome="SUCCESS", amount=amount)
    if here := audit_mw.current():
        here.action = "accounts.transfer"
        here.note(order=secrets.token_hex(4), balance=me.balance)

    return jsonify(balance=str(me.balance))


def account(number: str) -> Response:
    """Show an account to its owner."""
    me = who()
    if number != me.number:
        audit_mw.security("authz_fail", account=number)
        return refused("not your account", 403)
    currency = request.args.get("currency", CURRENCY)
    rate = Decimal(1) if currency == CURRENCY else rate_of(currency)
    if rate is None:
        abort(404, "no such currency")
    balance = (me.balance * rate).quantize(Decimal("0.01"))

    return jsonify(number=number, balance=str(balance), currency=currency)


def profile() -> Response:
    """Show the profile, or change it with a JSON object."""
    me = who()
    if request.method == "POST":
        changes = request.get_json()
        if not isinstance(changes, dict):
            abort(400, "send a JSON object")
        me.profile.update(changes)

    return jsonify(name=me.name, profile=me.profile)


def upload() -> Response:
    """Take files and a note."""
    files = request.files.getlist("files")
    got = [{"name": file.filename, "size": len(file.read())} for file in files]

    return jsonify(note=request.form.get("note", ""), files=got)


def statement() -> Response:
    """Stream the account's movements as CSV."""
    me = who()

    def lines() -> Iterator[str]:
        yield "date,text,amount\n"
        for day in range(1, 6):
            yield f"2026-11-0{day},card payment,-{day}.00\n"
        yield f"2026-11-06,balance,{me.balance}\n"

    if here := audit_mw.current():
        here.rows = 6
    return Response(lines(), mimetype="text/csv")


def crash() -> Response:
    """Fail, to show what the trail says then."""
    who()
    raise RuntimeError("the ledger does not add up")


def health() -> Response:
    """Tell that the service runs."""
    return jsonify(status="ok")


ROUTES = (
    ("/login", login, ["POST"]),
    ("/logout", logout, ["POST"]),
    ("/search", search, ["GET", "POST"]),
    ("/transfer", transfer, ["POST"]),
    ("/accounts/<number>", account, ["GET"]),
    ("/profile", profile, ["GET", "POST"]),
    ("/upload", upload, ["POST"]),
    ("/statement", statement, ["GET"]),
    ("/crash", crash, ["GET"]),
    ("/health", health, ["GET"]),
)


def make_app(clock: Callable[[], float] = time.monotonic) -> Flask:
    """Return the application, with fresh data; the clock is that of its sessions."""
    app = Flask("bank")
    app.extensions["bank"] = Bank(clock)
    for path, view, methods in ROUTES:
        app.add_url_rule(path, view_func=view, methods=methods)
    listen(app)

    return app


app = make_app()
app.wsgi_app = AuditMiddleware(  # type: ignore[method-assign] # as Flask's manual says
    app.wsgi_app, service="bank-flask", types=EVENTS
)
