# A small bank on FastAPI, with an audit trail.
#
# `AuditMiddleware`, at the very end, makes a record of every request. `listen` adds
# what FastAPI knows: the route, and what is refused; `vouches`, who the user is. What
# only a bank can know it says itself, with `audit_mw`; and what it logs is joined by
# the event id.
#
# (Longer than 250 lines, since it is the whole bank.)
import hashlib
import hmac
import json
import logging
import re
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any

from fastapi import (
    Depends,
    FastAPI,
    File,
    Form,
    HTTPException,
    Query,
    Request,
    Response,
    UploadFile,
    WebSocket,
    WebSocketDisconnect,
)
from fastapi.responses import JSONResponse, StreamingResponse

import audit_mw
from audit_mw import AuditMiddleware
from audit_mw.integrations.logging import AuditHandler, EventIdFilter
from audit_mw.integrations.starlette import listen, vouches

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


class Bank:
    """All customers, and who is logged in."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.customers = {
            name: self._customer(name, number, balance, password)
            for name, number, balance, password in (
                ("alice", "22051101", "250.00", "correct horse"),
                ("bob", "22051102", "75.50", "battery staple"),
            )
        }
        self.nobody = self._customer("", "", "0", secrets.token_hex())
        self.sessions: dict[str, Session] = {}

    @staticmethod
    def _customer(name: str, number: str, balance: str, password: str) -> Customer:
        salt = secrets.token_bytes(16)
        return Customer(name, number, Decimal(balance), salt, _hashed(password, salt))

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
        found = [c for c in self.customers.values() if c.number == number]

        return found[0] if found else None


def amount_of(text: object) -> Decimal:
    """Return an amount of money, to the cent."""
    if not isinstance(text, str) or AMOUNT.fullmatch(text) is None:
        raise HTTPException(400, "give the amount as text, such as 12.50")
    if not Decimal(text):
        raise HTTPException(400, "the amount must be above zero")

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
    return JSONResponse({"detail": message}, status)


async def json_object(request: Request) -> dict[str, Any]:
    """Return the body of a request, a JSON object."""
    try:
        found = await request.json()
        json.dumps(found, ensure_ascii=False).encode()  # half a surrogate pair is none
    except ValueError:
        raise HTTPException(400, "the body is no JSON") from None
    if not isinstance(found, dict):
        raise HTTPException(400, "send a JSON object")

    return found


@vouches(name=lambda customer: customer.name)
def who(request: Request) -> Customer:
    """Return who is logged in."""
    bank: Bank = request.app.state.bank
    name = bank.name_of(request.cookies.get("sessionid", ""))
    if name is None:
        raise HTTPException(401, "log in first")
    if here := audit_mw.current():
        here.roles = ROLES

    return bank.customers[name]


Me = Annotated[Customer, Depends(who)]


def make_app(clock: Callable[[], float] = time.monotonic) -> FastAPI:  # noqa: C901, PLR0915 - one short route after the other
    """Return the application, with fresh data; the clock is that of its sessions."""
    app = FastAPI(title="bank")
    bank = app.state.bank = Bank(clock)

    @app.post("/login")
    def login(
        request: Request,
        user: Annotated[str, Form()] = "",
        password: Annotated[str, Form()] = "",
    ) -> Response:
        before = request.cookies.get("sessionid", "")
        session = bank.login(user, password, before)
        if session is None:
            audit_mw.login(user, outcome="FAILURE", reason="wrong name or password")
            raise HTTPException(401, "wrong name or password")
        audit_mw.login(user, session=session, roles=ROLES)
        log.info("%s logged in", user)
        answer = JSONResponse({"user": user})
        answer.set_cookie("sessionid", session, httponly=True, samesite="lax")

        return answer

    @app.post("/logout", status_code=204)
    def logout(request: Request, all: str = "") -> None:  # noqa: A002 - `?all=1`
        bank.logout(request.cookies.get("sessionid", ""), everywhere=all == "1")

    @app.api_route("/search", methods=["GET", "POST"])
    async def search(
        request: Request,
        q: str = "",
        user_id: Annotated[list[str] | None, Query()] = None,
    ) -> dict[str, Any]:
        form = await request.form()
        wanted = [*(user_id or []), *map(str, form.getlist("user_id"))]
        found = [name for name in bank.customers if q.lower() in name]
        if here := audit_mw.current():
            here.rows = len(found)

        return {"found": found, "user_id": wanted}

    @app.post("/transfer")
    async def transfer(request: Request, me: Me) -> Response:
        is_json = request.headers.get("content-type", "").startswith("application/json")
        order = await json_object(request) if is_json else await request.form()
        if order.get("from") != me.number:
            audit_mw.security("authz_fail", account=str(order.get("from")))
            return refused("not your account", 403)
        amount = amount_of(order.get("amount"))
        other = bank.by_number(str(order.get("to")))
        if other is None or other is me:
            raise HTTPException(404, "no such account to send to")
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

        return JSONResponse({"balance": str(me.balance)})

    @app.get("/accounts/{number}")
    def account(number: str, me: Me, currency: str = CURRENCY) -> Response:
        if number != me.number:
            audit_mw.security("authz_fail", account=number)
            return refused("not your account", 403)
        rate = Decimal(1) if currency == CURRENCY else rate_of(currency)
        if rate is None:
            raise HTTPException(404, "no such currency")
        balance = str((me.balance * rate).quantize(Decimal("0.01")))

        return JSONResponse(
            {"number": number, "balance": balance, "currency": currency}
        )

    @app.get("/profile")
    def profile(me: Me) -> dict[str, Any]:
        return {"name": me.name, "profile": me.profile}

    @app.post("/profile")
    async def change_profile(request: Request, me: Me) -> dict[str, Any]:
        me.profile.update(await json_object(request))

        return {"name": me.name, "profile": me.profile}

    @app.post("/upload")
    async def upload(
        files: Annotated[list[UploadFile], File()], note: Annotated[str, Form()] = ""
    ) -> dict[str, Any]:
        got = [{"name": f.filename, "size": len(await f.read())} for f in files]

        return {"note": note, "files": got}

    @app.get("/statement")
    def statement(me: Me) -> StreamingResponse:
        def lines() -> Iterator[str]:
            yield "date,text,amount\n"
            for day in range(1, 6):
                yield f"2026-11-0{day},card payment,-{day}.00\n"
            yield f"2026-11-06,balance,{me.balance}\n"

        if here := audit_mw.current():
            here.rows = 6

        return StreamingResponse(lines(), media_type="text/csv")

    @app.get("/crash", dependencies=[Depends(who)])
    def crash() -> None:
        raise RuntimeError("the ledger does not add up")

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.websocket("/ws")
    async def quotes(socket: WebSocket, *, deny: bool = False) -> None:
        name = bank.name_of(socket.cookies.get("sessionid", ""))
        if deny or name is None:
            await socket.close(1008)
            return
        if here := audit_mw.current():
            here.user, here.roles = name, ROLES
        await socket.accept()
        try:
            while (number := await socket.receive_text()) != "bye":
                me = bank.customers[name]
                await socket.send_text(str(me.balance) if me.number == number else "?")
            await socket.close()
        except WebSocketDisconnect:
            pass

    listen(app)

    return app


app = AuditMiddleware(make_app(), service="bank-fastapi", types=EVENTS)
