# Which exchange is meant when the application speaks: the one that it runs in.
#
# Rule 1: a call is of the exchange whose context it runs in, or of none; never of
#         somebody else's. Tasks and `to_thread` inherit the context, a plain thread
#         does not: what runs there is bound by `carry`, or outside.
# Rule 2: once an exchange is over nothing belongs to it that is not bound to it. A task
#         that a request has started may serve others later.
from collections.abc import Callable
from contextvars import ContextVar, Token
from functools import partial, wraps
from inspect import (
    isasyncgenfunction,
    iscoroutinefunction,
    isgeneratorfunction,
    isroutine,
)
from typing import Any

from audit_mw.recorder import Recorder
from audit_mw.said import check_count, check_name, check_outcome, check_roles

__all__ = ["CURRENT", "Current", "bind", "current", "enter", "leave"]


class Current:
    """
    The exchange that the application serves, as the application sees it.

    What is assigned stands in the request's own record. After the last message of the
    response the record is made, and what is assigned changes nothing.
    """

    __slots__ = ("_is_over", "_recorder", "_types")

    def __init__(self, recorder: Recorder, types: tuple[str, ...]) -> None:
        self._recorder = recorder
        self._types = types
        self._is_over = False

    @property
    def event(self) -> str:
        """The event id, which joins all records of the exchange."""
        return self._recorder.event

    @property
    def user(self) -> str | None:
        """Who: the principal that the application vouches for."""
        return self._recorder.said.user

    @user.setter
    def user(self, name: str | int | None) -> None:
        self._recorder.said.user = check_name("user", name)

    @property
    def roles(self) -> tuple[str, ...]:
        """The privileges of the user at the time."""
        return self._recorder.said.roles

    @roles.setter
    def roles(self, names: Any) -> None:
        self._recorder.said.roles = check_roles(names)

    @property
    def session(self) -> str | None:
        """The digest of the session id; assign the id itself, which is not kept."""
        return self._recorder.exchange.session_digest

    @session.setter
    def session(self, session: str | bytes | None) -> None:
        self._recorder.exchange.name_session(session_id(session))

    @property
    def action(self) -> str | None:
        """What served the request: a component, a route."""
        return self._recorder.said.action

    @action.setter
    def action(self, name: str | None) -> None:
        self._recorder.said.action = check_name("action", name)

    @property
    def rows(self) -> int | None:
        """How many results were returned."""
        return self._recorder.said.rows

    @rows.setter
    def rows(self, count: int | None) -> None:
        self._recorder.said.rows = check_count("rows", count)

    @property
    def outcome(self) -> str | None:
        """SUCCESS, FAILURE, ATTEMPT, ERROR or ABORTED; else it follows the response."""
        return self._recorder.said.outcome

    @outcome.setter
    def outcome(self, outcome: str | None) -> None:
        checked = None if outcome is None else check_outcome(outcome)
        self._recorder.said.outcome = checked

    def note(self, **details: object) -> None:
        """
        Add details of the application's own, under `app`; of a name the last counts.

        Raises:
            TypeError: something in them cannot be recorded.
            ValueError: something in them is nested too deep.
        """
        self._recorder.exchange.note(details)

    # --- for the floors above

    @property
    def types(self) -> tuple[str, ...]:
        """The event types that the options declare."""
        return self._types

    @property
    def recorder(self) -> Recorder:
        """What records it."""
        return self._recorder

    @property
    def is_over(self) -> bool:
        """Whether the application has returned."""
        return self._is_over

    def end(self) -> None:
        """Note that the application has returned."""
        self._is_over = True

    def bound(self) -> "Current":
        """Return the same exchange for who is bound to it, beyond its end."""
        return Current(self._recorder, self._types)


def session_id(session: object) -> bytes | None:
    """
    Return a session id as bytes.

    Raises:
        TypeError: it is no text.
    """
    if session is None or isinstance(session, bytes):
        return session or None
    if isinstance(session, str):
        return session.encode(errors="surrogateescape") or None

    raise TypeError(f"a session id is a text, not a {type(session).__name__}")


Before = Token[Current | None]
CURRENT: ContextVar[Current | None] = ContextVar("audit_mw", default=None)


def current() -> Current | None:
    """Return the exchange in which this runs; None outside of any."""
    found = CURRENT.get()

    return None if found is None or found.is_over else found


def enter(exchange: Current | None) -> Before:
    """Let an exchange be the current one; return what was, for `leave`."""
    return CURRENT.set(exchange)


def leave(before: Before | None) -> None:
    """Let the context be as it was; None: the entering was broken off."""
    if before is None:
        CURRENT.set(None)
        return
    try:
        CURRENT.reset(before)
    except ValueError:
        # What is served was begun in another context, and that is not ours to change.
        CURRENT.set(None)


def bind(function: Callable[..., Any]) -> Callable[..., Any]:
    """
    Return a function that runs in this exchange, wherever and whenever it does.

    Raises:
        TypeError: it makes a generator, which runs where it is iterated.
    """
    if _is_any(function, isgeneratorfunction, isasyncgenfunction):
        raise TypeError("carry binds a function, not a generator: bind who iterates it")
    found = current()
    bound = None if found is None else found.bound()
    if _is_any(function, iscoroutinefunction):

        @wraps(function)
        async def carried_on(*args: Any, **named: Any) -> Any:
            before = enter(bound)
            try:
                return await function(*args, **named)
            finally:
                leave(before)

        return carried_on

    @wraps(function)
    def carried(*args: Any, **named: Any) -> Any:
        before = enter(bound)
        try:
            return function(*args, **named)
        finally:
            leave(before)

    return carried


def _is_any(function: Any, *kinds: Callable[[Any], bool]) -> bool:
    while isinstance(function, partial):
        function = function.func
    if not isroutine(function) and not isinstance(function, type):
        function = type(function).__call__  # an object that can be called

    return any(kind(function) for kind in kinds)
