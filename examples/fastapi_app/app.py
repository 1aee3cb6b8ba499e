# A small bank on FastAPI, with an audit trail.
#
# The last line is all that the trail takes. The application knows nothing of it; it
# puts the logged-in user into `scope["user"]`, as Starlette's authentication does.
import hashlib
import hmac
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
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
from starlette.authentication import SimpleUser

from audit_mw import AuditMiddleware

CURRENCY = "EUR"


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


class Bank:
    """All customers, and who is logged in."""

    def __init__(self) -> None:
        self.customers = {
            name: self._customer(name, number, balance, password)
            for name, number, balance, password in (
                ("alice", "22051101", "250.00", "correct horse"),
                ("bob", "22051102", "75.50", "battery staple"),
            )
        }
        self.sessions: dict[str, str] = {}

    @staticmethod
    def _customer(name: str, number: str, balance: str, password: str) -> Customer:
        salt = secrets.token_bytes(16)
        return Customer(name, number, Decimal(balance), salt, _hashed(password, salt))

    def login(self, name: str, password: str) -> str | None:
        """Return a new session id, or None."""
        customer = self.customers.get(name)
        if customer is None:
            return None
        hashed = _hashed(password, customer.salt)
        if not hmac.compare_digest(hashed, customer.password):
            return None
        session = secrets.token_urlsafe(24)
        self.sessions[session] = name

        return session

    def by_number(self, number: str) -> Customer | None:
        """Return the customer with this account."""
        found = [c for c in self.customers.values() if c.number == number]

        return found[0] if found else None


def amount_of(text: object) -> Decimal:
    """Return an amount of money, to the cent."""
    try:
        amount = Decimal(str(text))
    except InvalidOperation:
        raise HTTPException(400, "amount is no number, such as 12.50") from None
    if not amount.is_finite() or amount <= 0 or amount != round(amount, 2):
        raise HTTPException(400, "amount must be above zero, to the cent")

    return amount


def who(request: Request) -> Customer:
    """Return who is logged in, and vouch for it."""
    bank: Bank = request.app.state.bank
    name = bank.sessions.get(request.cookies.get("sessionid", ""))
    if name is None:
        raise HTTPException(401, "log in first")
    request.scope["user"] = SimpleUser(name)

    return bank.customers[name]


Me = Annotated[Customer, Depends(who)]


def make_app() -> FastAPI:  # noqa: C901, PLR0915 - one short route after the other
    """Return the application, with fresh data."""
    app = FastAPI(title="bank")
    bank = app.state.bank = Bank()

    @app.post("/login")
    def login(
        user: Annotated[str, Form()], password: Annotated[str, Form()]
    ) -> Response:
        session = bank.login(user, password)
        if session is None:
            raise HTTPException(401, "wrong name or password")
        answer = JSONResponse({"user": user})
        answer.set_cookie("sessionid", session, httponly=True, samesite="lax")

        return answer

    @app.post("/logout", status_code=204)
    def logout(request: Request) -> None:
        bank.sessions.pop(request.cookies.get("sessionid", ""), None)

    @app.api_route("/search", methods=["GET", "POST"])
    async def search(
        request: Request,
        q: str = "",
        user_id: Annotated[list[str] | None, Query()] = None,
    ) -> dict[str, Any]:
        form = await request.form()
        wanted = [*(user_id or []), *map(str, form.getlist("user_id"))]
        found = [name for name in bank.customers if q.lower() in name]

        return {"found": found, "user_id": wanted}

    @app.post("/transfer")
    async def transfer(request: Request, me: Me) -> dict[str, str]:
        is_json = request.headers.get("content-type", "").startswith("application/json")
        order = await request.json() if is_json else dict(await request.form())
        if not isinstance(order, dict):
            raise HTTPException(400, "send a JSON object")
        amount = amount_of(order.get("amount"))
        other = bank.by_number(str(order.get("to")))
        if other is None:
            raise HTTPException(404, "no such account")
        if amount > me.balance:
            raise HTTPException(422, "insufficient funds")
        me.balance -= amount
        other.balance += amount

        return {"balance": str(me.balance)}

    @app.get("/accounts/{number}")
    def account(number: str, me: Me) -> dict[str, str]:
        if number != me.number:
            raise HTTPException(403, "not your account")

        return {"number": number, "balance": str(me.balance), "currency": CURRENCY}

    @app.get("/profile")
    def profile(me: Me) -> dict[str, Any]:
        return {"name": me.name, "profile": me.profile}

    @app.post("/profile")
    async def change_profile(request: Request, me: Me) -> dict[str, Any]:
        try:
            changes = await request.json()
        except ValueError:
            raise HTTPException(400, "the body is no JSON") from None
        if not isinstance(changes, dict):
            raise HTTPException(400, "send a JSON object")
        me.profile.update(changes)

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

        return StreamingResponse(lines(), media_type="text/csv")

    @app.get("/crash")
    def crash() -> None:
        raise RuntimeError("the ledger does not add up")

    @app.get("/health")
    def health() -> dict[str, str]:
        return {"status": "ok"}

    @app.websocket("/ws")
    async def quotes(socket: WebSocket, *, deny: bool = False) -> None:
        if deny:
            await socket.close(1008)
            return
        await socket.accept()
        try:
            while (number := await socket.receive_text()) != "bye":
                customer = bank.by_number(number)
                await socket.send_text(str(customer.balance) if customer else "?")
            await socket.close()
        except WebSocketDisconnect:
            pass

    return app


app = AuditMiddleware(make_app(), service="bank-fastapi")
