# The forms: what each must have, and that each has the whole record.
import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from ipaddress import ip_address
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.export.ocsf_schema import faults, version
from tests.export.reading import exported, is_same
from tests.query.shop import MALLORY, day
from tests.strategies import events, raw
from tests.trail.samples import event

from audit_mw.event import STREAMS, Event, Param
from audit_mw.event_types import type_rows
from audit_mw.export.cef import cef_line, encode_extension, encode_head
from audit_mw.export.ecs import ecs_document
from audit_mw.export.facts import readable
from audit_mw.export.ocsf import OCSF_VERSION, ocsf_event
from audit_mw.trail.encoding import decode_text
from audit_mw.trail.merging import Found, TrailReader

rarely = settings(max_examples=15)
_lists = st.lists(events, min_size=1, max_size=6)
_NAMES = {
    4002: "http_activity",
    6003: "api_activity",
    3002: "authentication",
    2004: "detection_finding",
    6008: "application_error",
    6002: "application_lifecycle",
    0: "base_event",
}


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> list[Found]:
    """Return the records of a day at the shop, of all streams."""
    trail = day(tmp_path_factory.mktemp("shop") / "trail")
    items = list(TrailReader([trail]).read())

    return [item for item in items if isinstance(item, Found)]


# --- OCSF


def test_ocsf_version() -> None:
    """The schema that events are held against is the one that they name."""
    assert version(OCSF_VERSION) == OCSF_VERSION


def test_ocsf_of_a_day(records: Sequence[Found]) -> None:
    """Whatever the middleware records is an event of a class, as the schema has it."""
    made = [ocsf_event(found) for found in records]

    assert [it for each in made for it in faults(each, _NAMES[each["class_uid"]])] == []
    assert {each["class_uid"] for each in made} == {4002, 3002, 2004, 6008, 6002}
    assert {each["category_uid"] for each in made} == {2, 3, 4, 6}


@rarely
@given(_lists)
def test_ocsf_of_anything(each: Sequence[Event]) -> None:
    """Whatever is in a record, its event is one of its class, and has all of it."""
    found = exported(*each)
    made = [json.loads(json.dumps(ocsf_event(one))) for one in found]

    assert [it for one in made for it in faults(one, _NAMES[one["class_uid"]])] == []
    assert is_same([one["raw_data"] for one in made], found)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"method": b"GET"}, (4002, 3, 1), id="get"),
        pytest.param({"method": b"TRACE"}, (4002, 8, 1), id="trace"),
        pytest.param({"method": b"PROPFIND"}, (4002, 99, 1), id="another method"),
        pytest.param({"outcome": "ATTEMPT"}, (4002, 3, 99), id="attempt"),
        pytest.param({"outcome": "ERROR"}, (4002, 3, 2), id="error"),
        pytest.param({"type": "call", "method": None}, (6003, 99, 1), id="call"),
        pytest.param(
            {"stream": "session", "type": "authn_login_success"}, (3002, 1, 1), id="in"
        ),
        pytest.param(
            {"stream": "session", "type": "session_expired"}, (3002, 2, 1), id="out"
        ),
        pytest.param(
            {"stream": "security", "type": "param_mismatch"}, (2004, 1, 1), id="finding"
        ),
        pytest.param({"stream": "fault"}, (6008, 1, 1), id="fault"),
        pytest.param(
            {"stream": "system", "type": "sys_startup"}, (6002, 3, 1), id="start"
        ),
        pytest.param({"stream": "system", "type": "log_gap"}, (6002, 99, 1), id="gap"),
        pytest.param({"stream": "debug", "type": "log"}, (0, 99, 1), id="debug"),
    ],
)
def test_ocsf_class(changes: dict[str, Any], expected: tuple[int, int, int]) -> None:
    """The stream chooses the class, type or method the activity."""
    (found,) = exported(event(**changes))
    made = ocsf_event(found)

    assert expected == (made["class_uid"], made["activity_id"], made["status_id"])
    assert made["activity_id"] != 99 or made["activity_name"]


def test_ocsf_of_mallory(records: Sequence[Found]) -> None:
    """Who did it, from where, with what: in the places where OCSF has it."""
    (made,) = [
        each
        for each in map(ocsf_event, records)
        if each["class_uid"] == 2004 and each["finding_info"]["title"] == "authz_fail"
    ]

    assert made["severity_id"] == 5
    assert made["evidences"][0]["src_endpoint"] == {"ip": MALLORY, "port": 4711}
    assert made["unmapped"]["details"]["app"] == {"resource": "/admin"}


# --- ECS: fields of the schema that are used, and their types, in our own words

_KEYWORD, _LONG, _DATE, _IP, _LIST = str, int, "date", "ip", list
_ECS = {
    "@timestamp": _DATE,
    "message": _KEYWORD,
    "client.address": _KEYWORD,
    "client.ip": _IP,
    "client.port": _LONG,
    "ecs.version": _KEYWORD,
    "error.message": _KEYWORD,
    "error.stack_trace": _KEYWORD,
    "event.action": _KEYWORD,
    "event.category": _LIST,
    "event.dataset": _KEYWORD,
    "event.duration": _LONG,
    "event.id": _KEYWORD,
    "event.kind": _KEYWORD,
    "event.module": _KEYWORD,
    "event.original": _KEYWORD,
    "event.outcome": _KEYWORD,
    "event.provider": _KEYWORD,
    "event.reason": _KEYWORD,
    "event.sequence": _LONG,
    "event.severity": _LONG,
    "event.type": _LIST,
    "host.hostname": _KEYWORD,
    "http.request.body.bytes": _LONG,
    "http.request.method": _KEYWORD,
    "http.request.referrer": _KEYWORD,
    "http.response.body.bytes": _LONG,
    "http.response.status_code": _LONG,
    "http.version": _KEYWORD,
    "log.level": _KEYWORD,
    "process.pid": _LONG,
    "service.name": _KEYWORD,
    "service.node.name": _KEYWORD,
    "service.version": _KEYWORD,
    "source.address": _KEYWORD,
    "source.ip": _IP,
    "source.port": _LONG,
    "tls.cipher": _KEYWORD,
    "tls.version": _KEYWORD,
    "url.domain": _KEYWORD,
    "url.path": _KEYWORD,
    "url.scheme": _KEYWORD,
    "user.name": _KEYWORD,
    "user.roles": _LIST,
    "user_agent.original": _KEYWORD,
}
_KINDS = {"alert", "event"}
_CATEGORIES = {"authentication", "intrusion_detection", "process", "web"}
_KINDS_OF = {"access", "change", "denied", "end", "error", "info", "start"}


def _flat(document: dict[str, Any], before: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in document.items():
        if isinstance(value, dict):
            found |= _flat(value, f"{before}{key}.")
        else:
            found[f"{before}{key}"] = value

    return found


def _check_ecs(document: dict[str, Any]) -> None:
    for key, value in _flat(document).items():
        if key.startswith("audit_mw."):
            continue
        kind = _ECS[key]
        if kind == _DATE:
            datetime.fromisoformat(value)
        elif kind == _IP:
            assert ip_address(value)
        else:
            assert type(value) is kind, key
    assert document["event"]["kind"] in _KINDS
    assert set(document["event"]["category"]) <= _CATEGORIES
    assert set(document["event"]["type"]) <= _KINDS_OF
    assert document["event"]["outcome"] in {"success", "failure", "unknown"}


def test_ecs_of_a_day(records: Sequence[Found]) -> None:
    """Whatever the middleware records is a document with the schema's fields."""
    for found in records:
        _check_ecs(ecs_document(found))


@rarely
@given(_lists)
def test_ecs_of_anything(each: Sequence[Event]) -> None:
    """Whatever is in a record, its document has the schema's fields, and all of it."""
    found = exported(*each)
    made = [json.loads(json.dumps(ecs_document(one))) for one in found]
    for one in made:
        _check_ecs(one)

    assert is_same([one["event"]["original"] for one in made], found)


# --- CEF: a reader, written from the rules


def _read_cef(line: str) -> tuple[list[str], dict[str, str]]:
    """Return head and extension; the rules are those of the comment in cef.py."""
    cells: list[str] = []
    cell, at = "", 0
    while len(cells) < 7:
        if line[at] == "\\":
            cell, at = cell + line[at + 1], at + 2
        elif line[at] == "|":
            cells, cell, at = [*cells, cell], "", at + 1
        else:
            cell, at = cell + line[at], at + 1

    return cells, _read_extension(line[at:])


def _read_extension(text: str) -> dict[str, str]:
    # An unescaped "=" ends a key, which begins behind the last space before it.
    ends, at = [], 0
    while at < len(text):
        if text[at] == "=":
            ends.append(at)
        at += 2 if text[at] == "\\" else 1
    begins = [text.rfind(" ", 0, end) + 1 for end in ends]
    found: dict[str, Any] = {}
    for begin, end, following in zip(
        begins, ends, [*begins[1:], len(text) + 1], strict=True
    ):
        found[text[begin:end]] = _unescaped(text[end + 1 : following - 1])

    return found


def _unescaped(value: str) -> str:
    shown, at = "", 0
    while at < len(value):
        if value[at] == "\\":
            shown += {"n": "\n", "r": "\r"}.get(value[at + 1], value[at + 1])
            at += 2
        else:
            shown, at = shown + value[at], at + 1

    return shown


_text = st.text(st.sampled_from("\\|=\n\r \tnré") | st.characters(codec="utf-8"))
_line = _text.map(lambda it: it.replace("\n", "").replace("\r", ""))


@given(
    st.tuples(*[_line] * 7),
    st.dictionaries(
        st.from_regex(r"[a-zA-Z0-9]{1,9}", fullmatch=True), _text, min_size=1
    ),
)
def test_cef_escaping(head: tuple[str, ...], pairs: dict[str, str]) -> None:
    """What is written is read again, whatever it is."""
    line = f"{encode_head(head)}|{encode_extension(pairs)}"

    assert (list(head), pairs) == _read_cef(line)
    assert "\n" not in line
    assert "\r" not in line


@rarely
@given(_lists)
def test_cef_of_anything(each: Sequence[Event]) -> None:
    """Whatever is in a record, it is one line of printable ASCII, and has all of it."""
    found = exported(*each)
    lines = [cef_line(one).decode() for one in found]
    read = [_read_cef(line) for line in lines]

    assert all(" " <= it <= "~" or it == "\t" for line in lines for it in line)
    assert is_same([pairs["rawEvent"] for _, pairs in read], found)
    for (head, pairs), one in zip(read, found, strict=True):
        assert head[:4] == ["CEF:0", "audit_mw", "audit_mw", "1"]
        assert 0 <= int(head[6]) <= 10
        assert pairs["rt"] == str(one.record.event.time // 1000)


def test_cef_of_mallory(records: Sequence[Found]) -> None:
    """Who did it, from where, with what: under the keys of CEF's dictionary."""
    head, pairs = next(
        _read_cef(cef_line(found).decode())
        for found in records
        if found.record.event.path == b"/wp-login.php"
    )

    assert head[4:] == ["request", "a request was served", "3"]
    assert (pairs["src"], pairs["spt"], pairs["cn1"]) == (MALLORY, "4711", "404")
    assert pairs["requestClientApplication"] == "sqlmap/1.9"


# --- all


def test_levels() -> None:
    """Each type of the vocabulary has a severity in every form."""
    for each in type_rows():
        for outcome in ("SUCCESS", "FAILURE"):
            made = event(stream="security", type=each.name, outcome=outcome)
            (found,) = exported(made)
            assert ocsf_event(found)["severity_id"] in (1, 3, 5)
            assert ecs_document(found)["event"]["severity"] in (2, 4, 6)


@rarely
@given(_lists, st.lists(st.text("a%\udcff\x00\u202e", max_size=5), min_size=5))
def test_strict_consumers(each: Sequence[Event], words: list[str]) -> None:
    """Whatever stands in a cell, a strict parser takes each document."""
    event_id, kind, outcome, session, host = words[:5]
    forged: dict[str, Any] = {
        "event": event_id,
        "type": kind,
        "outcome": outcome,
        "session": session,
    }
    events_ = [replace(one, instance=f"{host}:1:1", **forged) for one in each]
    for found in exported(*events_):
        for document in (ecs_document(found), ocsf_event(found)):
            made = orjson.loads(json.dumps(document))
            assert forged_text(made) == []
            assert all(-(1 << 63) <= it < 1 << 63 for it in numbers(made))
        assert cef_line(found).isascii()


@pytest.mark.parametrize("number", [1 << 63, -(1 << 63) - 1, 10**40])
def test_number_beyond_all(number: int) -> None:
    """A number for which no consumer has room is left out, and stands in the record."""
    (found,) = exported(event(status=number, sent=number, rows=number, micros=number))
    ocsf, ecs = ocsf_event(found), ecs_document(found)

    assert faults(ocsf, "http_activity") == []
    assert str(number) in ecs["event"]["original"]
    assert "response" not in ecs["http"]
    assert "rows" not in ecs["audit_mw"]


def numbers(document: object) -> list[int | float]:
    """Return all numbers but for those of details, which may be any."""
    if isinstance(document, dict):
        each = [it for key, it in document.items() if key not in {"details", "params"}]
    elif isinstance(document, list):
        each = document
    else:
        return [document] if isinstance(document, int | float) else []

    return [number for it in each for number in numbers(it)]


def forged_text(document: object) -> list[str]:
    """Return texts that could move a cursor, but for the record and its parts."""
    if isinstance(document, dict):
        kept = {"original", "raw_data", "unmapped", "stack_trace"}
        each = [it for key, it in document.items() if key not in kept]
    elif isinstance(document, list):
        each = document
    else:
        is_text = isinstance(document, str) and not document.isprintable()
        return [str(document)] if is_text else []

    return [text for it in each for text in forged_text(it)]


@given(raw)
def test_readable(text: bytes) -> None:
    """What is shown as it was sent is printable; all else decodes to it exactly."""
    shown = readable(text)

    assert shown.isprintable() or not shown
    if "%" in shown or shown.encode() != text:
        assert text == decode_text(shown.encode())


# What one may be taken for: by its code, and by a mark of ours.
_ALIKE = ["zoë", "zo%C3%AB", "zo%25C3%25AB", "%{token:32}", "%25{token:32}", "zo\xeb"]


@given(
    users=st.lists(
        st.sampled_from(_ALIKE) | st.text(max_size=9), min_size=2, max_size=9
    )
)
def test_no_user_passes_for_another(users: list[str]) -> None:
    """Two users have two names, in each form."""
    exact = dict.fromkeys(it.encode(errors="replace") for it in users)
    found = exported(*(event(user=user) for user in exact))
    cef = [_read_cef(cef_line(one).decode())[1]["suser"] for one in found]
    ecs = [str(ecs_document(one).get("user")) for one in found]
    ocsf = [str(ocsf_event(one).get("actor")) for one in found]

    for names in (cef, ecs, ocsf):
        assert len(set(names)) == len(exact)


@given(raw | st.sampled_from(_ALIKE).map(str.encode))
def test_urls(path: bytes) -> None:
    """A path is shown as it was sent, and never has a mark that is not ours."""
    (found,) = exported(event(path=path, params=()))
    shown = ecs_document(found).get("url", {}).get("path", "")
    pairs = _read_cef(cef_line(found).decode())[1]

    assert "%{" not in shown + pairs["request"]
    if path.isascii() and path.decode().isprintable() and b"%{" not in path:
        assert shown == pairs["request"] == path.decode()


def test_streams_of_a_day(records: Sequence[Found]) -> None:
    """The day at the shop has records of nearly all streams."""
    streams = {found.record.event.stream for found in records}

    assert streams == set(STREAMS) - {"debug"}
    assert any(
        isinstance(it, Param) for found in records for it in found.record.event.params
    )


def test_zone() -> None:
    """An address with a zone, whatever that is, is text: no form takes it as one."""
    client = "fe80::1%\u0430 src=192.0.2.1".encode()
    (found,) = exported(event(client=client))

    assert b"src=" not in cef_line(found).replace(b"src\\=", b"")
    assert cef_line(found).isascii()
    assert "ip" not in ecs_document(found)["source"]
    assert "ip" not in ocsf_event(found)["src_endpoint"]
