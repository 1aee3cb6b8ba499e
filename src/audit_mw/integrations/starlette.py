"""
What a Starlette or FastAPI application does, said in its trail.

    from audit_mw.integrations.starlette import listen

    app.add_middleware(AuditMiddleware)
    listen(app)

The request's record has the template of the route as its action. What the application
answers with an error has a record in the error stream: `HTTPException`, an exception
with a handler of its own, and FastAPI's 422 with the places that are wrong.

    @vouches
    async def current_user(token: Token) -> User: ...

Who a dependency of FastAPI's returns is the user. docs/integrations.md has it all.
"""

# Rule 1: no framework is imported: what is looked at is what both of them, in all
#         versions, put into the scope.
# Rule 2: what the application gets and answers is the same. An exception handler is
#         called as it would be, and what came of it is told afterwards.
import functools
import inspect
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from audit_mw import voice
from audit_mw.errors import ConfigError
from audit_mw.integrations.dependencies import vouches
from audit_mw.integrations.hearing import (
    Problem,
    class_name,
    contained,
    put_around,
    refusal,
    rejected_input,
    vouch_by,
)
from audit_mw.integrations.starlette_routes import template_of

__all__ = ["listen", "vouches"]

Scope = MutableMapping[str, Any]
_HANDLERS = "starlette.exception_handlers"


def listen(app: Any) -> None:
    """
    Let a Starlette or FastAPI application be heard. Calling it again changes nothing.

    An application that is mounted in it, with exception handlers of its own, is heard
    when it is listened to itself.

    Args:
        app: the application; routes may be added before or after.

    Raises:
        ConfigError: it is no application of Starlette's or FastAPI's.
    """
    if not hasattr(getattr(app, "router", None), "middleware_stack"):
        right = "give listen the Starlette or FastAPI application itself"
        raise ConfigError("app", app, right)
    # Inside of what handles exceptions, which puts its handlers into the scope, and
    # outside of all routes, which look them up there.
    put_around(app.router, "middleware_stack", _Heard)


class _Heard:
    """An ASGI application that is heard."""

    def __init__(self, app: Callable[..., Awaitable[None]]) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        """Serve one connection scope."""
        if scope["type"] in {"http", "websocket"}:
            _begin(scope)
        await self.app(scope, receive, send)


@contained
def _begin(scope: Scope) -> None:
    found = voice.current()
    if found is None:
        return
    if not found.roles:  # as AuthenticationMiddleware has it
        found.roles = getattr(scope.get("auth"), "scopes", None)
    vouch_by(action=lambda: template_of(scope))
    handlers = scope.get(_HANDLERS)
    if handlers:
        scope[_HANDLERS] = tuple(_Handlers(each, scope) for each in handlers)


# --- what goes wrong in it


class _Handlers(dict[Any, Any]):
    """Exception handlers that are told of, when they have answered."""

    def __init__(self, handlers: Any, scope: Scope) -> None:
        super().__init__(handlers)
        self._is_http = scope["type"] == "http"

    def __getitem__(self, key: Any) -> Any:
        return _telling(super().__getitem__(key), is_http=self._is_http)

    def get(self, key: Any, default: Any = None) -> Any:
        """Return the handler of a status, if there is one."""
        handle = super().get(key)

        return default if handle is None else _telling(handle, is_http=self._is_http)


def _telling(handle: Callable[..., Any], *, is_http: bool) -> Callable[..., Any]:
    if _is_async(handle):

        @functools.wraps(handle)
        async def handled_async(conn: Any, error: Exception) -> Any:
            response = await handle(conn, error)
            _answered(error, response, is_http=is_http)

            return response

        return handled_async

    @functools.wraps(handle)
    def handled(conn: Any, error: Exception) -> Any:
        response = handle(conn, error)
        _answered(error, response, is_http=is_http)

        return response

    return handled


def _is_async(function: Any) -> bool:
    while isinstance(function, functools.partial):
        function = function.func
    call = type(function).__call__ if not inspect.isroutine(function) else None

    return any(map(inspect.iscoroutinefunction, (function, call)))


@contained
def _answered(error: Any, response: Any, *, is_http: bool) -> None:
    problems = _problems(error)
    if problems is not None:
        rejected_input(voice.Own("invalid request"), problems)
    elif is_http:
        answered = response if hasattr(response, "status_code") else error
        refusal(
            int(getattr(answered, "status_code", 0)),
            _message(error),
            exception=class_name(error),
        )


def _problems(error: Any) -> list[Problem] | None:
    """Return what FastAPI's RequestValidationError says; None if it is no such."""
    with suppress(Exception):  # an exception of the application's own has its own way
        return [
            Problem(".".join(map(str, each["loc"])), str(each["type"]))
            for each in error.errors()
        ]

    return None


def _message(error: Any) -> str:
    detail = getattr(error, "detail", None)
    own = hasattr(error, "status_code") and isinstance(detail, str) and detail

    return str(detail) if own else class_name(error)
