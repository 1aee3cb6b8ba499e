# One exchange without a server and without a trail: what it is found to show.
from collections.abc import Iterable
from typing import Any, NamedTuple

from audit_mw.config import Config
from audit_mw.event import Event, RequestHead
from audit_mw.exchange import Exchange
from audit_mw.rules import Rules
from audit_mw.trail.params import encode_details, encode_param

__all__ = ["FORM", "JSON", "Shown", "make_rules", "show"]

FORM = (b"content-type", b"application/x-www-form-urlencoded")
JSON = (b"content-type", b"application/json")
_KEY = bytes(range(32))


class Shown(NamedTuple):
    """The record of an exchange, and the security records beside it."""

    record: Event
    alarms: dict[str, Event]

    @property
    def names(self) -> set[str]:
        """The names of what was found."""
        return set(self.alarms)

    @property
    def findings(self) -> object:
        """What the request's own record says of it."""
        return self.record.details.get("findings")

    def evidence(self, name: str) -> object:
        """Return what shows a finding."""
        return self.alarms[name].details["evidence"]


def make_rules(**options: Any) -> Rules:
    """Return rules by these options; they remember what they saw."""
    config = Config.load({"key": _KEY} | options)

    return Rules(config, _KEY, "shop", encode_param, lambda it: encode_details(it, {}))


def show(
    rules: Rules | None = None,
    query: bytes = b"",
    *fields: tuple[bytes, bytes],
    body: bytes | Iterable[bytes] = b"",
    path: bytes = b"/shop",
    peer: str = "192.0.2.7",
    port: int = 4711,
    user: str | None = None,
    session: bytes | None = None,
    ended: bool = True,
) -> Shown:
    """Serve one request; return what its records are."""
    head = RequestHead(
        method=b"POST" if body else b"GET",
        path=path,
        query=query,
        fields=fields,
        http_version="1.1",
        peer=(peer, port),
    )
    exchange = Exchange(rules or make_rules(), head, "event", 0, 0)
    for chunk in (body,) if isinstance(body, bytes) else body:
        exchange.read(chunk, ended=False)
    exchange.read(b"", ended=ended)
    exchange.user = user
    if session:
        exchange.name_session(session)
    exchange.start(200, ())
    exchange.send(0, more=False)
    record = exchange.finish(1, "host:1:0", b"taken")
    assert isinstance(record, Event)
    alarms = exchange.alarms(1)
    assert len({alarm.type for alarm in alarms}) == len(alarms)

    return Shown(record, {alarm.type: alarm for alarm in alarms})
