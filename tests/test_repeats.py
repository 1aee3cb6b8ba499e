"""
What stands many times in a row leaves what it does one by one.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.driving import calls
from tests.strategies import few

from audit_mw.config import Config
from audit_mw.event import Spill
from audit_mw.gathering import Gathering
from audit_mw.head_lines import add_cookies
from audit_mw.policy.names import TOKEN
from audit_mw.policy.siblings import class_in_link
from audit_mw.rules import Rules
from audit_mw.trail.params import (
    decode_params,
    encode_details,
    encode_param,
    encode_params,
)
from audit_mw.wire.cookies import parse_cookies
from audit_mw.wire.head import Pair
from audit_mw.wire.query import parse_query, parse_query_runs

OPTIONS: list[dict[str, object]] = [
    {},
    {"secret_patterns": ["a1+"]},
    {"secret_names": ["zeta"]},
    {"session_cookie": "a"},
    {"max_spill": 600},
]
PIECES = st.sampled_from(
    [
        b"", b"", b"a", b"a=1", b"=", b"pin=1", b"pin", b"u=alice", b"p=x", b"p=1", b" ",
        b'{"pin":"', b'"', b"{", b"zeta=1", b"code=1234", b"%41", b"query=login(pin:$v)",
        b"variables=x", b'sid="x', b'sid="', b'b"', b"h=a1b2c3d4e5f6g7h8", b"a1=a1",
    ]
)  # fmt: skip
RUNS = st.lists(st.tuples(PIECES, st.integers(1, 5)), max_size=8).map(
    lambda runs: [piece for piece, times in runs for _ in range(times)]
)


class Outcome(NamedTuple):
    """All that was gathered."""

    column: bytes
    spills: tuple[Spill, ...]
    sent_as: list[object]
    cut: dict[str, object]
    secrets: list[bytes]
    has_password: bool


def _details(details: Mapping[str, object]) -> bytes:
    return encode_details(details, {})


def _rules(options: dict[str, object], most: int = 1000) -> Rules:
    config = Config.load({"max_params": most, **options}, {})

    return Rules(config, b"k" * 32, "shop", encode_param, _details)


def _outcome(rules: Rules, add: Callable[[Gathering], object]) -> Outcome:
    gathering = Gathering(rules.config, rules.redactor, rules.encode_param)
    add(gathering)

    return Outcome(
        encode_params(gathering.finish()),
        gathering.spilling.spills,
        gathering.sent_as,
        gathering.spilling.cut,
        gathering.secrets,
        gathering.has_password,
    )


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@few
@given(RUNS, st.integers(1, 12), st.sampled_from([b"/", b"/verify"]))
@example([b"a"] * 4 + [b""] * 5, 2, b"/")
def test_query(
    options: dict[str, object], pieces: list[bytes], most: int, path: bytes
) -> None:
    """
    Pieces of a query, the same again and again.
    """
    rules, query = _rules(options, most), b"&".join(pieces)

    def one_by_one(gathering: Gathering) -> None:
        linked = rules.redactor.is_link(path)
        for pair in parse_query(query):
            cls = class_in_link(pair.value) if linked else None
            gathering.add_pair("query", pair, cls)

    expected = _outcome(rules, one_by_one)
    runs = parse_query_runs(query)

    assert expected == _outcome(rules, lambda it: it.add_query(path, runs))


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@few
@given(RUNS, RUNS, RUNS, st.integers(1, 12))
@example([b"a"] * 3, [b""] * 5, [b"b"], 2)
@example([b"a"], [b'sid="', b"", b"", b'b"', b""], [], 1000)
def test_cookies(
    options: dict[str, object],
    query: list[bytes],
    pieces: list[bytes],
    form: list[bytes],
    most: int,
) -> None:
    """
    Cookies, likewise; they stand behind the params of a body.
    """
    rules = _rules(options, most)
    cookies = tuple(parse_cookies([b";".join(pieces)]))

    def gather(add: Callable[[Gathering], None]) -> Callable[[Gathering], None]:
        def all_of_it(gathering: Gathering) -> None:
            gathering.add_pairs("query", parse_query(b"&".join(query)))
            gathering.hold()
            add(gathering)
            held = gathering.release()
            gathering.add_pairs("form", parse_query(b"&".join(form)))
            gathering.place(held)

        return all_of_it

    expected = _outcome(rules, gather(lambda it: _one_by_one(rules, it, cookies)))

    assert expected == _outcome(
        rules, gather(lambda it: add_cookies(rules, it, cookies))
    )


def _one_by_one(rules: Rules, gathering: Gathering, cookies: Iterable[Pair]) -> None:
    pairs = list(cookies)
    ends = [at for at, it in enumerate(pairs) if (it.value or it.name)[-1:] == b'"']
    until = -1
    for at, pair in enumerate(pairs):
        if at <= until:
            gathering.add_withheld("cookie", pair, TOKEN)
            continue
        cls = TOKEN if pair.name == rules.session_cookie else None
        gathering.add_pair("cookie", pair, cls)
        value = pair.value or b""
        opens = value[:1] == b'"' and (value == b'"' or value[-1:] != b'"')
        if opens and (cls or rules.redactor.classify(pair.name)):
            later = bisect_right(ends, at)
            until = ends[later] if later < len(ends) else -1


def test_order_beyond() -> None:
    """
    Beyond the limits of a record cookies stand behind the body, too.
    """
    rules = _rules({}, 1)

    def add(gathering: Gathering) -> None:
        gathering.add_pairs("query", parse_query(b"a&b"))
        gathering.hold()
        add_cookies(rules, gathering, parse_cookies([b"c=1;d=2"]))
        held = gathering.release()
        gathering.add_pairs("form", parse_query(b"e=3"))
        gathering.place(held)

    (spill,) = _outcome(rules, add).spills

    found = [param.source for param in decode_params(spill.value)]

    assert found == ["query", "form", "cookie", "cookie"]


@pytest.mark.parametrize("most", [1, 1000])
def test_cheap(most: int) -> None:
    """
    A hundred thousand empty pieces take a call or two for each, at most.
    """
    rules = _rules({}, most)
    line = b";" * 100_000
    query = b"&" * 100_000

    def work() -> None:
        def add(gathering: Gathering) -> None:
            gathering.add_query(b"/", parse_query_runs(query))
            gathering.hold()
            add_cookies(rules, gathering, parse_cookies([line]))
            gathering.place(gathering.release())

        _outcome(rules, add)

    assert calls(work) < 3_000_000
