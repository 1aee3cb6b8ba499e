# What is found in one exchange: which, on what evidence, and at what bounds.
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.detectors.exchanges import FORM, JSON, make_rules, show
from tests.strategies import few, fragments, raw

from audit_mw.event import Event
from audit_mw.option_readers import DETECTORS
from audit_mw.trail.record import draft_event

_COOKIE = b"sessionid=" + b"0123456789abcdef" * 2
_FORWARDED = (b"x-forwarded-for", b"203.0.113.99")
_MULTIPART = (b"content-type", b"multipart/form-data; boundary=b")
_PART = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n'
_SMALL = {"max_params": 100}
_HALF = 4096 - 200  # bytes of a small slot, without what the writer adds

# --- each of them, with its evidence


def test_mismatch() -> None:
    """What a filter and an action would read apart is named, with its sources."""
    shown = show(None, b"id=1&id=9", FORM, body=b"id=2&q=x")

    assert shown.findings == [b"param_mismatch"]
    assert shown.evidence("param_mismatch") == [
        [b"query", b"id", b"1"],
        [b"form", b"id", b"2"],
    ]


def test_repeat_is_a_note() -> None:
    """A name that stands twice is noted in the request's own record, and no alarm."""
    twice = show(None, b"t=1&t=2")
    both = show(None, b"id=1", FORM, body=b"id=1")

    assert (twice.findings, twice.names) == ([b"param_repeat"], set())
    assert (both.findings, both.names) == ([b"param_overlap"], set())


@pytest.mark.parametrize("source", ["param", "principal"])
def test_deceptive_user(source: str) -> None:
    """A deceptive name is found where it is sent, and where it is vouched for."""
    user = "\u0430dmin"
    if source == "param":
        shown = show(None, b"", FORM, body=b"user=" + user.encode())
        expected: list[list[bytes | None]] = [[b"form", b"user", user.encode()]]
    else:
        shown = show(user=user)
        expected = [[b"user", None, user.encode()]]

    assert shown.findings == [b"deceptive_user"]
    assert shown.alarms["deceptive_user"].details["reason"] == b"look-alike"
    assert shown.evidence("deceptive_user") == expected


def test_deceptive_principal_once() -> None:
    """Who has such a name has it in each request; a process tells of it once."""
    rules = make_rules()
    seen = [show(rules, user=user).names for user in ("r\u03bfot", "r\u03bfot", "Õnne")]
    typed = show(rules, "user=r\u03bfot".encode(), user="r\u03bfot")

    assert seen == [{"deceptive_user"}, set(), set()]
    assert typed.names == {"deceptive_user"}


@pytest.mark.parametrize(
    ("query", "fields", "body", "reason"),
    [
        pytest.param(query, fields, body, reason, id=reason.decode())
        for query, fields, body, reason in [
            (b"q=a%00b", (), b"", b"NUL"),
            (b"q=..%c0%af", (), b"", b"overlong UTF-8"),
            (b"m%FC=1", (), b"", b"name that is no UTF-8"),
            (b"%zz=1", (), b"", b"name in malformed percent coding"),
            (b"", (JSON,), b'{"a":1', b"body that is no json"),
            (b"", (_MULTIPART,), b"a=1", b"body that is no multipart"),
        ]
    ],
)
def test_malformed(
    query: bytes, fields: tuple[Any, ...], body: bytes, reason: bytes
) -> None:
    """What no ordinary client sends is malformed, and the record says why."""
    shown = show(None, query, *fields, body=body)

    assert shown.findings == [b"malformed_input"]
    assert shown.alarms["malformed_input"].details["reason"] == reason


def test_malformed_path() -> None:
    """A NUL in the path is malformed, also where a part of the path is withheld."""
    shown = show(path=b"/a;jsessionid=0123456789abcdef/x%00.png")

    assert shown.names == {"malformed_input"}


@pytest.mark.parametrize(
    ("fields", "body", "ended"),
    [
        pytest.param((JSON,), b'{"a":1', False, id="not read to its end"),
        pytest.param((JSON,), b"", True, id="no body"),
        pytest.param((JSON,), b"[]", True, id="an empty array"),
        pytest.param(((b"content-type", b"text/plain"),), b'{"a":1', True, id="text"),
        pytest.param(
            (JSON, (b"content-encoding", b"gzip")), b"\x1f\x8b\x08", True, id="gzip"
        ),
        pytest.param((_MULTIPART,), _PART + b"--b--\r\n", True, id="multipart"),
        pytest.param((_MULTIPART,), _PART, False, id="an upload given up"),
    ],
)
def test_not_malformed(fields: tuple[Any, ...], body: bytes, *, ended: bool) -> None:
    """A body is judged by its declared type, and only if all of it was read."""
    shown = show(None, b"", *fields, body=body, ended=ended)

    assert shown.names == set()


@pytest.mark.parametrize(
    ("query", "fields", "body", "reason"),
    [
        pytest.param(query, fields, body, reason, id=reason.decode())
        for query, fields, body, reason in [
            (
                b"&".join(b"p%d=1" % number for number in range(101)),
                (),
                b"",
                b"more params than a record takes",
            ),
            (b"", (JSON,), b'"%s"' % (b"a" * 70_000), b"body beyond max_body"),
            (
                b"",
                (FORM,),
                b"a=%s&b=%s" % (b"a" * 60_000, b"b" * 60_000),
                b"values beyond what is kept",
            ),
        ]
    ],
)
def test_excess(
    query: bytes, fields: tuple[Any, ...], body: bytes, reason: bytes
) -> None:
    """More than a record takes, and what is then not kept, is told."""
    rules = make_rules(max_body="64KiB", max_spill="64KiB", **_SMALL)
    shown = show(rules, query, *fields, body=body)

    assert shown.findings == [b"excess_input"]
    assert shown.alarms["excess_input"].details["reason"] == reason


def test_large_upload_of_allowed_type() -> None:
    """An upload of a type that may be kept unread may be large."""
    rules = make_rules(max_body="64KiB", opaque_types="image/png")
    shown = show(rules, b"", (b"content-type", b"image/png"), body=b"\x89" * 70_000)

    assert shown.names == set()
    assert "cut" in shown.record.details


@pytest.mark.parametrize(
    ("options", "peer", "field", "expected"),
    [
        pytest.param(options, peer, field, expected, id=what)
        for what, options, peer, field, expected in [
            ("not trusted", "10.0.0.1", "192.0.2.7", _FORWARDED, True),
            ("trusted", "192.0.2.0/24", "192.0.2.7", _FORWARDED, False),
            (
                "trusted, malformed",
                "192.0.2.0/24",
                "192.0.2.7",
                (b"x-forwarded-for", b"<script>"),
                True,
            ),
            (
                "another header",
                "10.0.0.1",
                "192.0.2.7",
                (b"x-real-ip", b"203.0.113.9"),
                True,
            ),
            (
                "a check of health",
                "10.0.0.1",
                "192.0.2.7",
                (b"x-forwarded-proto", b"https"),
                False,
            ),
            ("a client's proxy", "10.0.0.1", "192.0.2.7", (b"via", b"1.1 x"), False),
        ]
    ],
)
def test_forwarding(
    options: str, peer: str, field: tuple[bytes, bytes], *, expected: bool
) -> None:
    """Only who is trusted may say whose a request is, and must say it well."""
    shown = show(make_rules(trusted_proxies=options), b"", field, peer=peer)

    assert ("forged_forwarding" in shown.names) == expected


@pytest.mark.parametrize("value", [b"203.0.113.9", b"nonsense"])
def test_forwarding_by_another_name(value: bytes) -> None:
    """The header that `forwarded_by` names is one, whatever it is called."""
    rules = make_rules(trusted_proxies="192.0.2.0/24", forwarded_by="x-shop-ip")
    peer = "192.0.2.7" if value == b"nonsense" else "198.51.100.1"
    shown = show(rules, b"", (b"x-shop-ip", value), peer=peer)

    assert shown.evidence("forged_forwarding") == [[b"header", b"x-shop-ip", value]]


def test_undeclared_proxy() -> None:
    """Where no proxy is declared, a peer that claims is told of once, each peer."""
    rules = make_rules()
    seen = [
        show(rules, b"", _FORWARDED, peer=peer).names
        for peer in ("192.0.2.7", "192.0.2.7", "198.51.100.1", "192.0.2.7")
    ]

    assert seen == [{"forged_forwarding"}, set(), {"forged_forwarding"}, set()]


def test_trusting_server() -> None:
    """Where the server believed the header itself, the record says so; no alarm."""
    rules = make_rules(trusted_proxies="10.0.0.1")
    shown = show(rules, b"", _FORWARDED, peer="203.0.113.99", port=0)

    assert shown.names == set()
    assert "rewritten" in shown.record.details


# --- sessions


def _from(rules: Any, *peers: str, **more: Any) -> list[set[str]]:
    cookie = (b"cookie", _COOKIE)

    return [show(rules, b"", cookie, peer=peer, **more).names for peer in peers]


def test_session_moves() -> None:
    """A session that is used from another address is told of once an address."""
    rules = make_rules()
    seen = _from(rules, "192.0.2.7", "192.0.2.7", "203.0.113.5", "192.0.2.7")
    shown = show(rules, b"", (b"cookie", _COOKIE), peer="198.51.100.1")

    assert seen == [set(), set(), {"session_new_address"}, set()]
    assert shown.evidence("session_new_address") == [
        [b"now", None, b"198.51.100.1"],
        [b"before", None, b"203.0.113.5"],
        [b"before", None, b"192.0.2.7"],
    ]


def test_session_in_network() -> None:
    """A host changes its own address in its /64 as it likes."""
    seen = _from(make_rules(), "2001:db8::1", "2001:db8::2", "2001:db8:0:1::1")

    assert seen == [set(), set(), {"session_new_address"}]


def test_session_of_login() -> None:
    """A session that a login made begins with that request."""
    rules = make_rules()
    show(rules, peer="192.0.2.7", session=b"one")
    show(rules, peer="203.0.113.5", session=b"two")

    assert show(rules, peer="203.0.113.5", session=b"two").names == set()
    assert show(rules, peer="192.0.2.7", session=b"two").names == {
        "session_new_address"
    }


def test_session_behind_undeclared_proxies() -> None:
    """What looks like a proxy that nobody declared is nobody's new address."""
    rules = make_rules(detectors="session_new_address")
    seen = [
        show(rules, b"", (b"cookie", _COOKIE), _FORWARDED, peer=peer).names
        for peer in ("10.0.0.1", "10.0.0.2")
    ]

    assert seen == [set(), set()]


# --- the rules that all keep

_ALL = (
    b"id=1&q=a%00b&" + b"&".join(b"p%d=1" % number for number in range(101)),
    FORM,
    _FORWARDED,
)
_BODY = b"id=2&user=admin%0A"


@pytest.mark.parametrize("name", DETECTORS)
def test_off(name: str) -> None:
    """Each detector can be switched off, and the others go on."""
    rules = make_rules(detectors=f"-{name}", **_SMALL)
    show(rules, peer="9.9.9.9", session=b"one")
    seen = show(rules, b"id=1", FORM, body=_BODY, peer="8.8.8.8", session=b"one").names
    seen |= show(rules, *_ALL, body=_BODY).names

    assert seen == {*DETECTORS} - {name}


def test_all_off() -> None:
    """With no detector nothing is looked for, and nothing noted."""
    shown = show(make_rules(detectors="none", **_SMALL), *_ALL, body=_BODY)

    assert (shown.findings, shown.names) == (None, set())


def test_belongs_to_exchange() -> None:
    """A finding has the event id, client, peer, user and session of its exchange."""
    cookie = (b"cookie", _COOKIE)
    record, alarms = show(None, b"q=%00", cookie, user="alice")
    alarm = alarms["malformed_input"]

    assert (alarm.stream, alarm.outcome) == ("security", "FAILURE")
    assert record.session is not None
    for column in ("event", "client", "peer", "user", "session"):
        assert getattr(alarm, column) == getattr(record, column)


def test_no_secret_in_evidence() -> None:
    """What is withheld in the record is withheld in the evidence."""
    secret = b"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbGljZSJ9.c2lnbmF0dXJlb2Zub3RoaW5n"
    query = b"q=%00" + secret + b"&" + secret + b"%00=1&password=hunter2%00"
    shown = show(None, query, FORM, body=b"user=al%0Aice:hunter2&q=" + secret)

    assert {"malformed_input", "deceptive_user"} <= shown.names
    for alarm in shown.alarms.values():
        line = _line(alarm)
        assert secret not in line
        assert b"hunter2" not in line


def test_bounded() -> None:
    """Much evidence is counted, and what stands in the record fits a small slot."""
    query = b"&".join(b"%d=%%00%s" % (number, b"%E2" * 60) for number in range(99))
    alarm = show(None, query).alarms["malformed_input"]

    assert alarm.details["count"] == 99
    assert sum(map(len, draft_event(alarm)[1:])) < _HALF


# With proxies declared, it has no memory of peers: examples do not depend on each other.
_STRICT = make_rules(trusted_proxies="10.0.0.1", **_SMALL)
_NAMES = st.sampled_from([b"id", b"user", b"a%00", b"%zz", b"m%FC", b"password", b""])
_VALUES = (
    fragments(b"1", b"%00", b"%", b"%C0%AF", b"hunter2", b"%E2%80%AE", most=4) | raw
)
_PIECES = st.lists(st.tuples(_NAMES, _VALUES), max_size=12).map(
    lambda pairs: b"&".join(b"%s=%s" % pair for pair in pairs)
)


@few
@given(
    query=_PIECES,
    body=_PIECES | raw,
    kind=st.sampled_from([FORM, JSON, _MULTIPART]),
    forwarded=raw,
    user=st.none() | st.text(max_size=20),
)
def test_whatever_is_sent(
    query: bytes, body: bytes, kind: Any, forwarded: bytes, user: str | None
) -> None:
    """Nothing that is sent makes a slip of ours, or a record beyond its bounds."""
    field = (b"x-forwarded-for", forwarded)
    shown = show(_STRICT, query, kind, field, body=body, user=user)

    for alarm in shown.alarms.values():
        assert sum(map(len, draft_event(alarm)[1:])) < _HALF
        assert not alarm.spills
    named = [name for name in _words(shown.findings) if not name.startswith("param_")]
    assert set(named) | {"param_mismatch"} >= shown.names
    assert not any("unparsed" in name for name in named)


_SECRETS = st.sampled_from(
    [b"password", b"user[password]", b"csrf_token", b"sessionid", b"pin%00", b"user:pw"]
)


@few
@given(name=_SECRETS, before=_VALUES, after=_VALUES)
def test_no_secret_whatever_is_around(name: bytes, before: bytes, after: bytes) -> None:
    """A value with a secret's name is in no evidence, however odd it is."""
    pair = b"%s=%sC4n4ry-in-the-mine%s" % (name, before, after)
    shown = show(_STRICT, pair.split(b"&")[0], FORM, body=pair.split(b"&")[0] + b"2")

    assert not any(b"C4n4ry" in _line(alarm) for alarm in shown.alarms.values())


def _line(alarm: Event) -> bytes:
    draft = draft_event(alarm)

    return draft.before + draft.after


def _words(findings: object) -> list[str]:
    found = findings if isinstance(findings, list) else []

    return [each.decode() for each in found if isinstance(each, bytes)]


@pytest.mark.parametrize(
    "query",
    [
        pytest.param(b"&".join(b"p%d=1" % n for n in range(4096)), id="many"),
        pytest.param(b"id=%00&" * 4096, id="one name"),
        pytest.param(b"user=" + b"%E2%80%8B" * 100_000, id="long"),
        pytest.param(b"&" * 20_000, id="of nothing"),
    ],
)
def test_much(query: bytes) -> None:
    """What comes by the thousand is one record of each kind."""
    shown = show(make_rules(), query, FORM, body=query)

    assert len(shown.alarms) <= len(DETECTORS)
    assert all(len(alarm.params) == 0 for alarm in shown.alarms.values())
