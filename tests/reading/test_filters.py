# What is looked for: the steps that test bytes agree with the values that these mean.
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.strategies import events, few, params, raw
from tests.trail.samples import event, spill_of
from tests.upkeep.trails import add, add_values

from audit_mw.event import (
    Event,
    Hole,
    JsonText,
    Param,
    Redacted,
    Rest,
    Spilled,
    Upload,
)
from audit_mw.reading.filters import Filter
from audit_mw.reading.jsonl import json_line
from audit_mw.reading.params import ParamTest
from audit_mw.reading.wishes import compile_filter
from audit_mw.trail.merging import Found, TrailReader
from audit_mw.trail.params import encode_details, encode_params
from audit_mw.trail.reader import read_events
from audit_mw.trail.record import COLUMNS, decode_line, draft_event, finish_line

HMAC = "1c2d3e4f.66b80c3dddc06bfe62325dfdfc092e60"
NOWHERE = Path("/nowhere")


def found(whole: Event, trail: Path = NOWHERE) -> Found:
    """Return an event as a reader finds it."""
    line = finish_line(draft_event(whole), 1)

    return Found(trail, trail, 2, 0, line, decode_line(line), is_late=False)


def is_found(whole: Event, trail: Path = NOWHERE, **wishes: object) -> bool:
    """Tell whether an event is one that is wished for, by both steps."""
    asked = compile_filter(
        {
            name: [word] if isinstance(word, str) else word
            for name, word in wishes.items()
        }
    )
    record = found(whole, trail)
    may_be = asked.wanted is None or asked.wanted(record.text)
    is_one = list(asked.select([record])) != []
    assert may_be or not is_one or asked.cells, "held back by its bytes"

    return may_be and is_one


CASES: list[tuple[dict[str, object], dict[str, object], bool]] = [
    ({"user": b"alice"}, {"user": "alice"}, True),
    ({"user": b"alice2"}, {"user": "alice"}, False),
    ({"user": None}, {"user": "alice"}, False),
    ({"user": b"-"}, {"user": "-"}, True),
    ({"user": None}, {"user": "-"}, False),
    ({"user": b"\xff\t"}, {"user": "\udcff\t"}, True),
    (
        {"user": (Hole(300, sha256=spill_of(b"x" * 300).sha256),)},
        {"user": "x" * 300},
        True,
    ),
    ({"status": 404}, {"status": "4xx"}, True),
    ({"status": 404}, {"status": "500-599,404"}, True),
    ({"status": 404}, {"status": "500-599"}, False),
    ({"status": None}, {"status": "4xx"}, False),
    ({"client": b"192.0.2.7"}, {"client": "192.0.2.0/24"}, True),
    ({"client": b"192.0.3.7"}, {"client": "192.0.2.0/24"}, False),
    ({"client": b"2001:db8::1"}, {"client": ["10.0.0.0/8", "2001:db8::/32"]}, True),
    ({"client": None}, {"client": "0.0.0.0/0"}, False),
    ({"client": b"unix"}, {"client": "0.0.0.0/0"}, False),
    ({"path": b"/a/b"}, {"path": "/a*"}, True),
    ({"path": b"/%61/b"}, {"path": "/a/?"}, True),
    ({"path": b"/%61/b"}, {"path": "/%61/?"}, True),
    ({"path": b"/a/b"}, {"path": "/a"}, False),
    ({"path": (b"/a;jsessionid=", Hole(9, "token", HMAC))}, {"path": "/a;*"}, True),
    ({"method": b"GET"}, {"method": "get"}, True),
    ({"method": b"POST"}, {"method": ["GET", "PUT"]}, False),
    ({"type": "authn_login_fail"}, {"type": "authn_*"}, True),
    ({"type": "request"}, {"type": "authn_*"}, False),
    ({"outcome": "FAILURE"}, {"outcome": "failure"}, True),
    ({"instance": "web1:1:ab"}, {"instance": "web1:1:ab"}, True),
    ({"session": HMAC}, {"session": HMAC}, True),
    ({"user": b"a", "status": 200}, {"user": "a", "status": "404"}, False),
]


@pytest.mark.parametrize(("has", "wishes", "expected"), CASES)
def test_cells(
    has: dict[str, object], wishes: dict[str, object], *, expected: bool
) -> None:
    """
    A record is found by what it has, and not by what only looks alike.
    """
    assert is_found(event(**has), NOWHERE, **wishes) == expected


LONG = b"x" * 300
PARAMS = [
    (Param("query", b"q", b"v"), "q=v", True),
    (Param("query", b"q", b"v"), "q", True),
    (Param("query", b"q", b"v"), "q=", False),
    (Param("query", b"q", b""), "q=", True),
    (Param("query", b"q", None), "q=", False),
    (Param("query", b"q", None), "q", True),
    (Param("query", b"q", b"vv"), "q=v", False),
    (Param("query", b'"q\\', b'a"\\'), '"q\\=a"\\', True),
    (Param("query", b"q", b"\xff\x80"), "q=\udcff\udc80", True),
    (Param("query", b"q", b"a=b"), "q=a=b", True),
    (Param("json", b"/n", JsonText(b"12.50")), "/n=12.50", True),
    (Param("json", b"/n", JsonText(b"12.5")), "/n=12.50", False),
    (
        Param("form", b"q", Spilled(300, spill_of(LONG).sha256)),
        f"q={LONG.decode()}",
        True,
    ),
    (Param("form", b"q", Spilled(300, "b" * 64)), f"q={LONG.decode()}", False),
    (Param("file", b"f", Upload(b"a.png", None, 1, None)), "f=a.png", True),
    (Param("form", b"password", Redacted(6, "password")), "password=secret", False),
    (Param("form", b"password", Redacted(6, "password")), "password", True),
    (
        Param("form", (Hole(300, sha256=spill_of(LONG).sha256),), b"v"),
        f"{LONG.decode()}=v",
        True,
    ),
]


@pytest.mark.parametrize(("param", "wish", "expected"), PARAMS)
def test_params(param: Param, wish: str, *, expected: bool) -> None:
    """
    A param is found by its exact name and value, be it in the record or spilled.
    """
    assert is_found(event(params=(param,)), param=wish) == expected


def test_source_and_each() -> None:
    """
    Each param must be there, and from one of the sources.
    """
    whole = event(params=(Param("query", b"a", b"1"), Param("form", b"b", b"2")))

    assert is_found(whole, param=["a=1", "b=2"])
    assert not is_found(whole, param=["a=1", "b=3"])
    assert is_found(whole, param="a", source=["form", "query"])
    assert not is_found(whole, param="a", source="form")


def test_rest(tmp_path: Path) -> None:
    """
    A param that did not fit the record is found in the rest, and so is a digest.
    """
    token = Param("cookie", b"id", Redacted(32, "token", HMAC))
    rest = encode_params((Param("form", b"last", b"seen"), token))
    whole = event(params=(Param("rest", None, Rest(2, 9, spill_of(rest).sha256)),))
    broken = event(params=(Param("rest", None, Rest(2, 9, spill_of(b"no").sha256)),))
    add_values(tmp_path, "2026-11-21.log", rest, b"no")

    assert is_found(whole, tmp_path, param="last=seen")
    assert not is_found(whole, tmp_path, param="last=other")
    assert not is_found(broken, tmp_path, param="last=seen")
    asked = compile_filter({}, [HMAC])
    assert list(asked.select([found(whole, tmp_path)])) != []
    assert list(asked.select([found(broken, tmp_path)])) == []


def test_spilled_details(tmp_path: Path) -> None:
    """
    A digest is found in what an application said at length, and in no other place.
    """
    said = encode_details({"app": {"token": (Hole(32, "token", HMAC),)}}, {})
    digest = spill_of(said).sha256
    app = (Hole(len(said), sha256=digest),)
    spilled = event(stream="error", details={"reason": b"e", "app": app})
    add_values(tmp_path, "2026-11-21.log", said)
    asked = compile_filter({}, [HMAC])
    record = found(spilled, tmp_path)

    assert asked.wanted is not None
    assert asked.wanted(record.text)
    assert list(asked.select([record])) == [record]
    assert not is_found(spilled, tmp_path, param="token")
    other = event(details={"app": (Hole(9, sha256="0" * 64),)})
    assert list(asked.select([found(other, tmp_path)])) == []


def test_coded() -> None:
    """
    What no command line can hold is given as a record has it.
    """
    whole = event(params=(Param("query", b"q", b"a\x00b"),))
    asked = compile_filter({"param": ["q=a%00b"]}, coded=True)

    assert list(asked.select([found(whole)])) != []
    assert not is_found(whole, param="q=a%00b")


@pytest.mark.parametrize(
    ("wishes", "reason"),
    [
        ({"status": ["teapot"]}, "give 404, 4xx or 500-599"),
        ({"client": ["192.0.2.0/99"]}, "192.0.2.0/99"),
        ({"param": ["q=%zz"]}, "a % itself is %25"),
        ({"param": ["q=%{password:6}"]}, "a part that was withheld"),
    ],
)
def test_wrong_wishes(wishes: dict[str, object], reason: str) -> None:
    """
    A wish that means nothing is named, with what would be right.
    """
    with pytest.raises(ValueError, match=reason.replace("{", r"\{")):
        compile_filter(wishes, coded=True)


@few
@given(events, params, raw)
def test_nothing_is_held_back(whole: Event, param: Param, value: bytes) -> None:
    """
    Whatever is in a record, it is found by any param that it has.
    """
    name = param.name if isinstance(param.name, bytes) else b"q"
    own = Param(param.source, name, value)
    record = found(replace(whole, params=(*whole.params, own, param)))
    for test in (ParamTest(name), ParamTest(name, value, (param.source,))):
        asked = Filter(params=[test])

        assert asked.wanted is not None
        assert asked.wanted(record.text)
        assert list(asked.select([record])) != []


@few
@given(events, st.text())
def test_no_word_fails(whole: Event, word: str) -> None:
    """
    Whatever word is looked for in whatever record, there is an answer.
    """
    text = word.encode(errors="replace").decode()
    for name in ("user", "path", "type", "instance", "param"):
        assert is_found(whole, NOWHERE, **{name: text}) in (True, False)


@few
@given(events)
def test_json_lines(whole: Event) -> None:
    """
    A line of JSON is printable, and the line of the segment can be made from it.
    """
    line = found(whole).text
    shown = json_line(line).decode("ascii")

    assert shown.isprintable()
    assert line == _line_of(json.loads(shown))


def _line_of(fields: dict[str, object]) -> bytes:
    assert list(fields) == [column.name for column in COLUMNS]

    return b"\t".join(map(_cell, fields.values())) + b"\n"


def _cell(value: object) -> bytes:
    if isinstance(value, str):
        return {"": b'""', "-": b"%2D", '""': b"%22%22"}.get(value, value.encode())
    if value is None:
        return b"-"

    return json.dumps(value, separators=(",", ":")).encode()


def test_with_a_reader(tmp_path: Path) -> None:
    """
    A reader that is given a filter yields what may match, and tells all damage.
    """
    path = add(tmp_path, "2026-11-21.log", (1, event(user=b"a")), (2, event(user=b"b")))
    with path.open("ab") as file:
        file.write(b"rubbish\n")
    asked = compile_filter({"user": ["b"]})
    items = list(TrailReader([tmp_path], wanted=asked.wanted).read())

    assert [item.record.seq for item in items if isinstance(item, Found)] == [2]
    assert len(items) == 2


def test_many_rests(tmp_path: Path) -> None:
    """
    Records are found in their order, whether their params are in them or in rests.
    """
    records = []
    for number in range(40):
        own = Param("form", b"n", b"%d" % (number % 2))
        rest = encode_params((own, Param("form", b"m", b"%d" % number)))
        param = Param("rest", None, Rest(2, len(rest), spill_of(rest).sha256))
        add_values(tmp_path, "2026-11-21.log", rest)
        records.append(event(params=(param if number % 3 else own,), micros=number))
    asked = compile_filter({"param": ["n=1"]})
    selected = asked.select(found(each, tmp_path) for each in records)

    odd = [number for number in range(40) if number % 2]
    assert [each.record.event.micros for each in selected] == odd


# --- the same, slowly and obviously

USERS = (None, b"", b"-", b"alice", b"al\tice", b"Alice", b"a" * 65)
PATHS = (b"/", b"/a", b"/a%2Fb", b"/a/b\n", b"/[a]", b"/b" * 40)
CLIENTS = (None, b"192.0.2.7", b"192.0.3.7", b"::ffff:192.0.2.7", b"2001:db8::1", b"x")
TYPES = ("request", "authn_login_fail", "authn_login_success")
recorded = st.builds(
    event,
    user=st.sampled_from(USERS),
    path=st.sampled_from(PATHS),
    client=st.sampled_from(CLIENTS),
    type=st.sampled_from(TYPES),
    status=st.sampled_from([None, 200, 404, 499, 500]),
    outcome=st.sampled_from(["SUCCESS", "FAILURE"]),
    params=st.lists(
        st.builds(
            Param,
            st.sampled_from(["query", "form"]),
            st.sampled_from([b"q", b"Q", b""]),
            st.sampled_from([None, b"", b"1", b"1%", b"=", b"v" * 65]),
        ),
        max_size=2,
    ).map(tuple),
    micros=st.integers(0, 999),
)
SLOWLY: dict[str, dict[str, Callable[[Event], bool]]] = {
    "user": {
        "alice": lambda each: each.user == b"alice",
        "-": lambda each: each.user == b"-",
        "a" * 65: lambda each: each.user == b"a" * 65,
    },
    "path": {
        "/a*": lambda each: each.path in PATHS[1:4],
        "/a/b": lambda each: each.path == b"/a%2Fb",
        "/?": lambda each: each.path in {b"/a", b"/b"},
        "/b*/b": lambda each: each.path == b"/b" * 40,
    },
    "client": {
        "192.0.2.0/24": lambda each: each.client == b"192.0.2.7",
        "2001:db8::/32": lambda each: each.client == b"2001:db8::1",
    },
    "type": {
        "authn_*": lambda each: each.type.startswith("authn_"),
        "request": lambda each: each.type == "request",
    },
    "status": {
        "4xx": lambda each: 400 <= (each.status or 0) < 500,
        "200": lambda each: each.status == 200,
        "450-500": lambda each: 450 <= (each.status or 0) <= 500,
    },
    "outcome": {"failure": lambda each: each.outcome == "FAILURE"},
    "param": {
        "q": lambda each: any(it.name == b"q" for it in each.params),
        "q=1%": lambda each: any(it[1:] == (b"q", b"1%") for it in each.params),
        "q=": lambda each: any(it[1:] == (b"q", b"") for it in each.params),
        "q==": lambda each: any(it[1:] == (b"q", b"=") for it in each.params),
    },
}
wishes = st.fixed_dictionaries(
    {},
    optional={
        name: st.lists(st.sampled_from(sorted(words)), min_size=1, max_size=2)
        for name, words in SLOWLY.items()
    },
)


def is_wished(each: Event, wished: Mapping[str, Sequence[str]]) -> bool:
    """Tell the same of an event as a filter does."""
    for name, words in wished.items():
        answers = [SLOWLY[name][word](each) for word in words]
        if not (all(answers) if name == "param" else any(answers)):
            return False

    return True


@few
@given(st.lists(recorded, max_size=6), wishes)
def test_slowly(whole: list[Event], wished: dict[str, list[str]]) -> None:
    """
    What is found in a trail is what one finds who decodes and looks at all of it.
    """
    with TemporaryDirectory() as name:
        path = add(Path(name), "2026-11-21.log", *enumerate(whole, 1))
        asked = compile_filter(wished)
        items = TrailReader([Path(name)], wanted=asked.wanted).read()
        records = [item for item in items if isinstance(item, Found)]
        fast = [each.record.event for each in asked.select(records)]
        slow = [each for each in read_events(path) if is_wished(each, wished)]

    assert len(records) <= len(whole)
    assert fast == slow
