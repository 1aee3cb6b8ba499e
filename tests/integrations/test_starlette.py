# Starlette and FastAPI applications that are heard: their routes, errors and users.
import base64
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import ExitStack
from functools import partial
from typing import Annotated, Any

import pytest
from fastapi import APIRouter, Body, Depends, FastAPI, HTTPException, WebSocket
from pydantic import BaseModel
from starlette.applications import Starlette
from starlette.authentication import (
    AuthCredentials,
    AuthenticationBackend,
    SimpleUser,
    requires,
)
from starlette.middleware.authentication import AuthenticationMiddleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Mount, Route
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect
from tests.canary.spellings import leaks
from tests.edges.audited import Audited
from tests.integrations.slots import no_slot_left

import audit_mw
from audit_mw import ConfigError
from audit_mw.event import Event
from audit_mw.integrations.starlette import listen, vouches

CANARY = "c4n4ry-0f-a-s3cret-value"


class Order(BaseModel):
    """What is ordered."""

    item: str
    count: int


class User:
    """A user as the application has it."""

    def __init__(self, name: str) -> None:
        self.username = name


class Insufficient(Exception):
    """An error of the application's own, which it answers."""


def order(order: Order) -> str:
    """Take an order."""
    return order.item


def account(tenant: str, number: int) -> str:
    """Show an account."""
    return f"{tenant} {number}"


def refuse(status: int) -> str:
    """Refuse."""
    raise HTTPException(status, "so it is")


def spend() -> str:
    """Fail, by an exception that the application answers."""
    raise Insufficient(CANARY)


def fail() -> str:
    """Fail."""
    raise LookupError("no such account")


async def _not_enough(_request: Request, _error: Exception) -> Response:
    return JSONResponse({"error": "not enough"}, 409)


def _not_enough_either(_request: Request, _error: Exception) -> Response:
    return PlainTextResponse("not enough", 409)


def make_app() -> FastAPI:
    """Make an application that knows nothing of its trail."""
    app = FastAPI()
    accounts = APIRouter(prefix="/{tenant}")
    accounts.add_api_route("/accounts/{number:int}", account)
    app.add_api_route("/orders", order, methods=["POST"])
    app.add_api_route("/refuse/{status}", refuse)
    app.add_api_route("/spend", spend)
    app.add_api_route("/fail", fail)
    app.include_router(accounts, prefix="/of")
    app.add_exception_handler(Insufficient, _not_enough)

    return app


def _heard(app: Any, audited: Callable[[Any], Any], **options: Any) -> TestClient:
    app.add_middleware(partial(audited, **options))
    listen(app)

    return TestClient(app, raise_server_exceptions=False)


@pytest.fixture
def client(audited: Audited) -> TestClient:
    """Return a client of an application that is heard."""
    return _heard(make_app(), audited)


def _told(event: Event) -> tuple[str, str, object, object]:
    return event.type, event.outcome, event.user, event.details.get("reason")


@pytest.mark.parametrize(
    ("path", "action"),
    [
        ("/of/acme/accounts/22051102", b"/of/{tenant}/accounts/{number}"),
        ("/refuse/409", b"/refuse/{status}"),
        ("/nowhere", None),
    ],
)
def test_action(
    path: str, action: bytes | None, client: TestClient, audited: Audited
) -> None:
    """The action is the template of the route, with that of the router around it."""
    client.get(path)

    assert audited.event().action == action


async def _page(_request: Request) -> Response:
    return PlainTextResponse("hello")


async def _page_of_old(request: Request) -> Response:
    # Starlette 1.0 and before do not tell the route.
    request.scope.pop("route", None)
    return PlainTextResponse("hello")


async def _file_of_old(scope: Any, receive: Any, send: Any) -> None:
    scope.pop("route", None)
    await PlainTextResponse("a file")(scope, receive, send)


@pytest.mark.parametrize(
    ("page", "file"),
    [(_page, PlainTextResponse("a file")), (_page_of_old, _file_of_old)],
    ids=["told", "searched"],
)
@pytest.mark.parametrize(
    ("path", "action"),
    [
        ("/a/acme/b/17", b"/a/{tenant}/b/{number}"),
        ("/b/17", b"/b/{number}"),
        ("/static/17.png", b"/static"),
        ("/nowhere", None),
    ],
)
def test_mounted(
    path: str, action: bytes | None, page: Any, file: Any, audited: Audited
) -> None:
    """The template of what is mounted begins with where it is mounted."""
    route = Route("/b/{number:int}", page)
    mounts = [Mount("/a/{tenant}", routes=[route]), Mount("/static", file)]
    _heard(Starlette(routes=[*mounts, route]), audited).get(path)

    assert audited.event().action == action


def test_same_endpoint_twice(audited: Audited) -> None:
    """Where it cannot be told which route it was, the action is the function."""
    routes = [Route(path, _page_of_old) for path in ("/a/{number}", "/b/{number}")]
    _heard(Starlette(routes=routes), audited).get("/b/17")

    assert audited.event().action == f"{__name__}._page_of_old".encode()


def test_invalid(client: TestClient, audited: Audited) -> None:
    """What FastAPI finds invalid is told by its place and kind, never by its value."""
    answer = client.post("/orders", json={"item": 17, "count": CANARY})
    (error,) = audited.events("error")

    assert answer.status_code == 422
    assert _told(error) == (
        "input_validation_fail",
        "FAILURE",
        None,
        b"invalid request",
    )
    assert error.details["app"] == {
        "problems": [
            {"field": b"body.item", "type": b"string_type"},
            {"field": b"body.count", "type": b"int_parsing"},
        ]
    }
    assert audited.event().event == error.event
    assert CANARY.encode() not in repr(error).encode()


def test_invalid_secret(client: TestClient, audited: Audited) -> None:
    """A secret that is invalid is in no file, though FastAPI tells the client of it."""
    document = {"item": "tea", "count": {"password": CANARY}}
    assert CANARY in client.post("/orders", json=document).text

    assert leaks(audited.trail, CANARY.encode()) == []


def test_quoted_password(audited: Audited) -> None:
    """A password that the application quotes to the user is withheld."""

    def quote(password: Annotated[str, Body()], token: Annotated[str, Body()]) -> None:
        raise HTTPException(400, f"not {password}, {token}")

    app = make_app()
    app.add_api_route("/quote", quote, methods=["POST"])
    document = {"password": CANARY, "token": CANARY[::-1]}
    _heard(app, audited).post("/quote", json=document)

    assert len(audited.events("error")) == 1
    assert leaks(audited.trail, CANARY.encode()) == []
    assert leaks(audited.trail, CANARY[::-1].encode()) == []


def test_many_invalid(audited: Audited) -> None:
    """Of a million wrong values the first are told, and the rest counted."""

    def orders(numbers: list[int]) -> None:
        raise AssertionError(numbers)

    app = make_app()
    app.add_api_route("/numbers", orders, methods=["POST"])
    _heard(app, audited).post("/numbers", json=["x"] * 250)
    (error,) = audited.events("error")

    assert error.type == "input_validation_fail"
    (spilled,) = _spilled(audited)
    assert b'"more":150' in spilled
    assert spilled.count(b"body.") == 100


def _spilled(audited: Audited) -> list[bytes]:
    return [
        base64.b64decode(line.split(b"\t")[6])
        for path in (audited.trail / "values").glob("*.log")
        for line in path.read_bytes().splitlines()[1:]
    ]


@pytest.mark.parametrize(
    ("status", "stream", "expected"),
    [
        (400, "error", ("error", "FAILURE", None, b"so it is")),
        (404, "error", ("error", "FAILURE", None, b"so it is")),
        (503, "error", ("error", "ERROR", None, b"so it is")),
        (403, "security", ("authz_fail", "FAILURE", None, b"so it is")),
    ],
)
def test_http_exception(
    status: int,
    stream: str,
    expected: tuple[object, ...],
    client: TestClient,
    audited: Audited,
) -> None:
    """An HTTPException is an error that the user was shown; 403 is security."""
    client.get(f"/refuse/{status}")
    (event,) = audited.events(stream)

    assert _told(event) == expected
    assert audited.faults() == []


@pytest.mark.parametrize("path", ["/nowhere", "/refuse/401", "/orders"])
def test_no_error(path: str, client: TestClient, audited: Audited) -> None:
    """What no route serves, and what asks for a login, is in the request's line only."""
    client.get(path)

    assert audited.event().outcome in {"FAILURE", "ATTEMPT"}
    assert audited.events("error") == audited.events("security") == []


@pytest.mark.parametrize(
    "handler", [_not_enough, _not_enough_either, partial(_not_enough)]
)
def test_handled(handler: Any, audited: Audited) -> None:
    """An exception that the application answers is told by its class alone."""
    app = make_app()
    client = _heard(app, audited)
    app.add_exception_handler(Insufficient, handler)
    answer = client.get("/spend")
    (event,) = audited.events("error")
    name = f"{__name__}.Insufficient".encode()

    assert (answer.status_code, b"not enough" in answer.content) == (409, True)
    assert _told(event) == ("error", "FAILURE", None, name)
    assert event.details["app"] == {"exception": name, "status": 409}
    assert leaks(audited.trail, CANARY.encode()) == []


def test_handler_of_a_status(audited: Audited) -> None:
    """A handler of a status is heard as one of a class."""
    app = make_app()
    app.add_exception_handler(409, _not_enough)
    _heard(app, audited).get("/refuse/409")
    (event,) = audited.events("error")

    assert event.details["reason"] == b"so it is"


def test_fault(client: TestClient, audited: Audited) -> None:
    """An exception that nobody answers has its fault record, and no other."""
    client.get("/fail")
    (fault,) = audited.faults()

    assert fault.details["reason"] == b"LookupError"
    assert audited.event().action == b"/fail"
    assert audited.events("error") == []


def test_user_of_the_scope(audited: Audited) -> None:
    """Who Starlette has authenticated is the user of what it refuses, too."""

    class Everybody(AuthenticationBackend):
        async def authenticate(self, _conn: object) -> tuple[Any, Any]:
            return AuthCredentials(["authenticated"]), SimpleUser("alice")

    @requires("admin", status_code=403)
    async def admin(request: Request) -> Response:
        raise AssertionError(request)

    app = Starlette(routes=[Route("/admin", admin)])
    app.add_middleware(AuthenticationMiddleware, backend=Everybody())
    _heard(app, audited).get("/admin")
    (event,) = audited.events("security")

    assert _told(event) == ("authz_fail", "FAILURE", b"alice", b"Forbidden")
    assert audited.event().user == b"alice"
    assert audited.event().details["roles"] == [b"authenticated"]


def _plain(name: "Name") -> User:
    return User(name)


Name = str  # known here only, and not where the dependency is put into another


async def _async(name: str) -> User:
    return User(name)


def _yielding(name: str) -> Iterator[User]:
    yield User(name)


async def _async_yielding(name: str) -> AsyncIterator[User]:
    yield User(name)


class _Callable:
    async def __call__(self, name: str) -> User:
        return User(name)


@pytest.mark.parametrize(
    "dependency", [_plain, _async, _yielding, _async_yielding, _Callable()]
)
def test_user_of_a_dependency(dependency: Any, audited: Audited) -> None:
    """Who a dependency returns is the user of the request, and of what it says."""
    app = FastAPI()
    Known = Annotated[User, Depends(vouches(dependency))]  # noqa: N806 - a type

    def page(user: Known) -> str:
        audit_mw.error("insufficient funds")
        return user.username

    app.add_api_route("/page", page)
    answer = _heard(app, audited).get("/page", params={"name": "alice"})
    (error,) = audited.events("error")

    assert answer.json() == "alice"
    assert (audited.event().user, error.user) == (b"alice", b"alice")


@pytest.mark.parametrize(
    ("returned", "expected"),
    [
        ("alice", b"alice"),
        (17, b"17"),
        ({"sub": "alice", "scope": "all"}, b"alice"),
        (None, None),
        (object(), None),
        (True, None),
    ],
)
def test_name_of_a_dependency(
    returned: object, expected: bytes | None, audited: Audited
) -> None:
    """A text, a number, or the claims of a token name a user; nothing else does."""
    app = FastAPI()
    app.add_api_route(
        "/page", lambda: "hello", dependencies=[Depends(vouches(lambda: returned))]
    )
    assert _heard(app, audited).get("/page").status_code == 200

    assert audited.event().user == expected


def test_name_that_is_given(audited: Audited) -> None:
    """The application may say what of a user is the name; where that breaks, nobody is."""
    app = FastAPI()
    good = vouches(name=lambda user: user["account"])(lambda: {"account": "alice"})
    bad = vouches(name=lambda user: user["account"])(lambda: {"name": 17})
    app.add_api_route("/good", lambda: 1, dependencies=[Depends(good)])
    app.add_api_route("/bad", lambda: 1, dependencies=[Depends(bad)])
    client = _heard(app, audited)
    assert client.get("/good").status_code == client.get("/bad").status_code == 200
    first, second = audited.events()

    assert (first.user, second.user) == (b"alice", None)
    assert second.details["app"] == {"integration": b"_vouch: KeyError"}


def test_dependency_that_refuses(audited: Audited) -> None:
    """What a dependency raises goes on, into it and out of it."""
    seen: list[str] = []

    def user() -> Iterator[str]:
        try:
            yield "alice"
        except HTTPException as error:
            seen.append(error.detail)
            raise

    def page() -> None:
        raise HTTPException(409, "too late")

    app = FastAPI()
    app.add_api_route("/page", page, dependencies=[Depends(vouches(user))])

    assert _heard(app, audited).get("/page").status_code == 409
    assert seen == ["too late"]


def test_twice(audited: Audited) -> None:
    """An application that is listened to twice is heard once."""
    app = make_app()
    listen(app)
    _heard(app, audited).get("/refuse/400")

    assert len(audited.events("error")) == 1


def test_behind_base_http_middleware(audited: Audited) -> None:
    """Behind a middleware that runs the application in a task of its own, it is heard."""

    async def through(request: Request, call_next: Any) -> Response:
        return await call_next(request)  # type: ignore[no-any-return]

    app = make_app()
    app.add_middleware(BaseHTTPMiddleware, dispatch=through)
    _heard(app, audited).get("/refuse/400")
    (error,) = audited.events("error")

    assert error.event == audited.event().event
    assert audited.event().action == b"/refuse/{status}"


def test_mounted_application(audited: Audited) -> None:
    """A mounted application is heard when it is listened to."""
    app, within = make_app(), make_app()
    app.mount("/within/{place}", within)
    listen(within)
    _heard(app, audited).get("/within/here/refuse/400")
    (error,) = audited.events("error")

    assert error.details["reason"] == b"so it is"
    assert audited.event().action == b"/within/{place}/refuse/{status}"


def test_wrapped_whole(audited: Audited) -> None:
    """It does not matter where the middleware is."""
    app = make_app()
    listen(app)
    with TestClient(audited(app), raise_server_exceptions=False) as client:
        client.get("/refuse/400")
        client.get("/fail")

    assert [event.action for event in audited.events()] == [
        b"/refuse/{status}",
        b"/fail",
    ]
    assert len(audited.events("error")) == len(audited.faults()) == 1


def test_websocket(audited: Audited) -> None:
    """A websocket has the template of its route, and what was wrong with its start."""
    app = FastAPI()

    async def talk(socket: WebSocket, room: int) -> None:
        await socket.accept()
        await socket.send_text(f"{room}")
        await socket.close()

    app.add_api_websocket_route("/rooms/{room}", talk)
    client = _heard(app, audited)
    with client.websocket_connect("/rooms/17") as socket:
        assert socket.receive_text() == "17"
    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/rooms/x"):
        pass
    (error,) = audited.events("error")

    assert [event.action for event in audited.events()] == [b"/rooms/{room}"] * 2
    assert error.details["app"] == {
        "problems": [{"field": b"path.room", "type": b"int_parsing"}]
    }


def test_unheard(audited: Audited) -> None:
    """An application that is heard, and not wrapped, goes on as if it were not."""
    app = make_app()
    listen(app)
    client = TestClient(app, raise_server_exceptions=False)
    answers = [
        client.get(path).status_code for path in ("/refuse/400", "/spend", "/fail")
    ]

    assert answers == [400, 409, 500]
    assert audited.events("error") == []


def test_unavailable(audited: Audited) -> None:
    """An error that cannot be recorded is not answered."""
    made: list[Any] = []

    async def handle(_request: Request, _error: Exception) -> Response:
        held.enter_context(no_slot_left(made[0]))
        return JSONResponse({}, 409)

    app = make_app()
    listen(app)
    app.add_exception_handler(Insufficient, handle)
    made.append(audited(app, max_slots=64))
    with ExitStack() as held:
        client = TestClient(made[0], raise_server_exceptions=False)
        assert client.get("/spend").status_code == 503

    assert audited.event().details["reason"] == b"audit trail unavailable"


def test_not_an_application(audited: Audited) -> None:
    """What is around the application cannot be listened to."""
    with pytest.raises(ConfigError, match="FastAPI application itself"):
        listen(audited(make_app()))
