"""
What was found against the short road, each with the request that shows it.
"""

import sys
from typing import Any

import pytest
from tests.detectors.exchanges import JSON, show
from tests.test_roads import FORM, INSTANCE, _draft, make_rules, ordinary_course

from audit_mw.event import Draft, Event, RequestHead
from audit_mw.exchange import Exchange
from audit_mw.ordinary import Ordinary
from audit_mw.trail.sheet import Sheet


class _Interrupted(Exchange):
    """Here another thread speaks at the worst of times."""

    __slots__ = ()

    def _short_opening(self, *arguments: object) -> Draft:
        _ = self.session_id

        return super()._short_opening(*arguments)  # type: ignore[arg-type]


def test_another_thread_leaves_the_road() -> None:
    """
    A version is kept by one road or the other, whoever leaves the short one meanwhile.
    """
    rules = make_rules({})
    head = ordinary_course().head
    exchange = _Interrupted(rules, head, "event", 0, 0, Ordinary(rules, Sheet))

    assert isinstance(exchange.opening(INSTANCE), (Event, Draft))


@pytest.mark.parametrize(
    "fields",
    [
        [(b'{token: "abc', b"x"), (b"host", b"shop.example")],
        [(b"cookie:x-token", b"y"), (b"cookie", b"x-token:y")],
        [(b"x-token", b"%d" % number) for number in range(70)],
        [(b"range", b"bytes=%d-" % number) for number in range(70)],
        # Not recorded: the long road must refuse these now, not in the application.
        [(b"accept", None)],
        [(b"accept", b"*/*", b"more")],
    ],
)
def test_odd_field_lines(fields: list[Any]) -> None:
    """
    Names that are none, and field lines by the dozen, go by the long road.
    """
    ordinary = Ordinary(make_rules({}), Sheet)

    assert ordinary.look(RequestHead(b"GET", b"/", fields=fields)) is None


def test_long_peer() -> None:
    """
    A host that is no address, and too long for a record, goes by the long road.
    """
    ordinary = Ordinary(make_rules({}), Sheet)

    assert ordinary.look(RequestHead(b"GET", b"/", peer=("x" * 250, 5000000))) is None


def test_long_bodies_are_not_looked_at_twice() -> None:
    """
    What no record can hold is left to who counts it as it streams by.
    """
    rules = make_rules({})
    ordinary = Ordinary(rules, Sheet)
    form = (b"content-type", b"application/x-www-form-urlencoded")
    body = b"x=" + b"1" * (1 << 20)
    length = (b"content-length", b"%d" % len(body))
    head = RequestHead(b"POST", b"/", fields=[form, length], http_version="1.1")
    known = ordinary.look(head)
    calls: list[object] = []

    assert known is not None
    sys.setprofile(lambda _frame, event, called: calls.append((event, called)))
    try:
        found = ordinary.with_body(known, head, body)
    finally:
        sys.setprofile(None)
    assert found is None
    assert len(calls) < 10


def test_long_cookies_are_not_remembered() -> None:
    """
    Lines of a thousand cookies fill no memory.
    """
    ordinary = Ordinary(make_rules({}), Sheet)
    for number in range(20):
        cookies = "; ".join(f"{number}_{at}=" for at in range(900)).encode()
        ordinary.look(RequestHead(b"GET", b"/", fields=[(b"cookie", cookies)]))

    assert len(repr(ordinary.marked)) < 1000


@pytest.mark.parametrize("key", ["factor", "fa", "facode"])
def test_names_of_a_digit_and_a_word(key: str) -> None:
    """
    A key of one digit is a part of a name, as the index of an array is not.
    """
    body = b'{"2": {"%b": "hunter2"}, "b": [1, {"c": "kept"}]}' % key.encode()
    shown = show(None, b"", JSON, body=body)

    assert not [it for it in shown.record.params if it.value == b"hunter2"]
    assert [it for it in shown.record.params if it.value == b"kept"]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("user", "bob"),
        ("session", b"0123456789abcdef0123456789abcdee"),
        ("session", b""),
        ("status", 200),
    ],
)
def test_what_was_said_before_a_form_was_read(column: str, value: Any) -> None:
    """
    Should the process die with the form, what the application said before is on record.
    """
    length = b"content-length", b"7"
    body = b"a=1&b=2"
    head = ordinary_course(b"", FORM, length, method=b"POST", body=body).head
    kept = []
    for is_short in (True, False):
        rules = make_rules({})
        ordinary = Ordinary(rules, Sheet) if is_short else None
        exchange = Exchange(rules, head, "event", 0, 0, ordinary)
        exchange.opening(INSTANCE)
        if column == "status":
            exchange.start(value, ())
        else:
            setattr(exchange.said, column, value)
        assert exchange.read(body, ended=True)
        kept.append(_draft(exchange.opening(INSTANCE)))

    assert kept[0] == kept[1]
