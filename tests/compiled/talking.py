# What an application says to us in the middle of a request: something else at each of
# its steps, so that the whole recorder takes over at any of them, or at none.
#
# What is said where is told by the query of the request (`say=what-step`), so that the
# same request gets the same words whichever road it goes.
import re
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import audit_mw
from audit_mw.current_exchange import Current
from audit_mw.integrations.hearing import vouch_by

__all__ = ["WORDS", "speaks", "talking_asgi", "talking_wsgi"]


def _set(name: str, value: object) -> Callable[[Current], None]:
    return lambda current: setattr(current, name, value)


def _vouch(*asked: dict[str, Any]) -> Callable[[Current], None]:
    def vouch(_current: Current) -> None:
        for each in asked:
            vouch_by(**each)

    return vouch


WORDS: tuple[Callable[[Current], Any], ...] = (
    _set("user", "bob"),
    _set("roles", ["clerk", "50% \u202e"]),
    _set("session", "0123456789abcdef0123456789abcdee"),
    _set("session", None),
    _set("action", "shop.search"),
    _set("rows", 4),
    _set("outcome", "FAILURE"),
    lambda current: current.note(a=1, b="password=hunter2"),
    lambda current: current.session,
    lambda current: current.event,
    lambda _: audit_mw.security("access_denied", outcome="FAILURE"),
    lambda _: audit_mw.error("token=hunter2"),
    lambda _: audit_mw.login("carol"),
    lambda _: audit_mw.logout(),
    _set("user", "b\u00f6b%"),
    _set("user", "password=hunter2"),
    lambda current: [_set(*it)(current) for it in (("user", 7), ("rows", 0))],
    lambda current: [_set(*it)(current) for it in (("user", "eve"), ("user", None))],
    _vouch({"user": lambda: "mallory", "action": lambda: "shop.search"}),
    _vouch({"user": lambda: str(1 // 0), "action": lambda: None}),
    _vouch(*({"user": partial(str, at), "only_first": True} for at in (1, 2))),
    _vouch({"action": lambda: "a"}, {"action": lambda: "b%"}),
    lambda current: (current.user, current.roles, current.rows, current.outcome),
)
_SAYS = re.compile(rb"say=(\d+)-(\d+)")


def speaks(query: bytes, step: int) -> None:
    """Say what `query` asks for at `step`, if it does."""
    found = _SAYS.search(query)
    current = audit_mw.current()
    if found is None or current is None or int(found[2]) != step:
        return
    with suppress(TypeError):
        WORDS[int(found[1]) % len(WORDS)](current)


def talking_asgi(app: Any) -> Any:
    """Return `app`, which also speaks: at 0 and 1 around the whole, else on the way."""

    async def talks(scope: Any, receive: Any, send: Any) -> Any:
        query, steps = scope.get("query_string", b""), iter(range(2, 1000))

        async def asks() -> Any:
            speaks(query, next(steps))
            message = await receive()
            speaks(query, next(steps))
            return message

        async def sends(message: Any) -> None:
            speaks(query, next(steps))
            await send(message)
            speaks(query, next(steps))

        speaks(query, 0)
        try:
            return await app(scope, asks, sends)
        finally:
            speaks(query, 1)

    return talks


def talking_wsgi(app: Any) -> Any:
    """Return the same of WSGI."""

    def talks(environ: Any, start_response: Any) -> Any:
        query, steps = environ["QUERY_STRING"].encode("latin-1"), iter(range(2, 1000))

        def starts(*args: Any, **named: Any) -> Any:
            speaks(query, next(steps))
            write = start_response(*args, **named)
            speaks(query, next(steps))
            return write

        speaks(query, 0)
        try:
            return app(environ, starts)
        finally:
            speaks(query, 1)

    return talks
