# A record gives its request back: what the parsers find in it is the same.
import json
import subprocess

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.replay.requests import Sent, again, rebuilt, recorded, shown
from tests.strategies import events, few, fragments

from audit_mw.errors import DamagedRecord
from audit_mw.event import Event, Rest
from audit_mw.replay.message import rebuild
from audit_mw.replay.shapes import SHAPES, Filled, fill, message_bytes

FORM = (b"content-type", b"application/x-www-form-urlencoded")
JSON = (b"content-type", b"application/json")
PARTS = (b"content-type", b'multipart/form-data; boundary="b"')

PAIRS = fragments(
    b"a", b"=", b"&", b"+", b"%20", b"%41", b"%zz", b"%2520", b"b", b"\xff", b"~", b"{"
)
COOKIES = fragments(b"a", b"=", b"; ", b";", b" ", b"\t", b'"', b"b=c", b"{x}")


def same(sent: Sent) -> None:
    """Fail unless the request that was rebuilt has the same params as the first."""
    message = rebuilt(sent)
    filled = fill(message, {}, pad=True)
    if message.gaps:  # what fills one need not look like a secret
        return

    assert shown(sent) == shown(again(filled)), (message_bytes(filled), message.notes)


@few
@given(PAIRS)
def test_query(query: bytes) -> None:
    """A query comes back with its order, repeats, blanks and odd codings."""
    assume(not set(query) & {*range(33), 127})  # no server takes these

    same(Sent(query))


@few
@given(PAIRS)
def test_form(body: bytes) -> None:
    """A form comes back likewise, a rest beyond the limit of params as well."""
    same(Sent(fields=(FORM,), body=body))


@few
@given(COOKIES.filter(lambda line: not set(line) & set(b"\r\n\x00")))
def test_cookies(line: bytes) -> None:
    """A cookie line comes back with its white space, repeats and flags."""
    same(Sent(fields=((b"cookie", line.strip(b" \t")),)))


_numbers = st.sampled_from(["0", "-0", "1.50", "1E+2", "12345678901234567890", "NaN"])
_strings = st.text(
    st.characters(codec=None) | st.sampled_from('"\\/~\x00\n\ud83d\ude00'), max_size=4
).map(json.dumps)
_scalars = _numbers | _strings | st.sampled_from(["true", "false", "null"])


def _nested(below: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    items = st.lists(below, max_size=4)
    # Few keys, so that some are there twice.
    keys = st.sampled_from(['"a"', '"b"', '""', '"0"', '"~1/"'])
    members = st.lists(st.tuples(keys, below), max_size=4)

    return items.map(lambda found: f"[{', '.join(found)}]") | members.map(
        lambda found: "{" + ",".join(f"{key}: {value}" for key, value in found) + "}"
    )


_documents = st.recursive(_scalars, _nested, max_leaves=12)


@few
@given(_documents)
def test_json(document: str) -> None:
    """A document comes back with its order, repeated keys and numbers as they were."""
    same(Sent(fields=(JSON,), body=document.encode()))


@few
@given(fragments(b"{", b"}", b"[", b"]", b'"a"', b":", b",", b"1", b"\\ud800", b" "))
def test_json_broken(document: bytes) -> None:
    """What is no document comes back as far as it was understood; nothing raises."""
    message = rebuilt(Sent(fields=(JSON,), body=document))

    assert fill(message, {}, pad=True).body is not None or not document


def _nothing(_sha256: str) -> None:
    """Store no value."""


def part(head: bytes, value: bytes) -> bytes:
    """Return a part of a multipart body."""
    return b"--b\r\nContent-Disposition: %b\r\n\r\n%b\r\n" % (head, value)


_values = fragments(b"\r\n", b"--", b"\n", b"a", b"\x00", b"password=x")
_heads = st.sampled_from(
    [
        b'form-data; name="a"',
        b'form-data; name="a\\"b"',
        b"form-data; name=a",
        b'form-data; name="caf\xc3\xa9"',
        b'form-data; name="up"; filename="a.txt"',
        b'form-data; name="up"; filename=""',
        b'form-data; name="password"',
    ]
)


@few
@given(st.lists(st.tuples(_heads, _values), min_size=1, max_size=4))
def test_multipart(found: list[tuple[bytes, bytes]]) -> None:
    """Parts come back in their order; of a file there is what was recorded of it."""
    body = b"".join(part(head, value) for head, value in found) + b"--b--\r\n"
    sent = Sent(fields=(PARTS,), body=body)
    first, second = shown(sent), shown(again(fill(rebuilt(sent), {}, pad=True)))

    assert _without_files(first) == _without_files(second)


def _without_files(found: list[object]) -> list[object]:
    params = found[1]
    assert isinstance(params, list)
    kept = [(getattr(value, "len", value)) for _, _, value in params]

    return [found[0], [each[:2] for each in params], kept, found[2]]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param(Sent(b"password=secret"), {"query:password"}, id="query"),
        pytest.param(
            Sent(b"", ((b"cookie", b"sid=0123456789abcdef"),)), {"cookie:sid"}
        ),
        pytest.param(
            Sent(b"", (JSON,), b'{"pw":{"password":"x"}}'), {"json:/pw/password"}
        ),
        pytest.param(
            Sent(b"", (FORM,), b"password=a&password=b"),
            {"form:password", "form:password#2"},
        ),
        pytest.param(
            Sent(b"", ((b"authorization", b"Basic YWxpY2U6c2VjcmV0"),)),
            {"header:authorization"},
        ),
        pytest.param(Sent(b"", ((b"content-type", b"x/y"),), b"\x00\x01"), {"body:"}),
        pytest.param(
            Sent(
                b"",
                (PARTS,),
                part(b'form-data; name="f"; filename="x"', b"12") + b"--b--",
            ),
            {"file:f"},
        ),
    ],
)
def test_gaps(sent: Sent, expected: set[str]) -> None:
    """What was withheld is a gap by the name of its place, and is told."""
    message = rebuilt(sent)

    assert expected == {gap.name for gap in message.gaps}
    assert all(any(name in note for note in message.notes) for name in expected)


@pytest.mark.parametrize(
    ("sent", "name", "value", "expected"),
    [
        (Sent(b"password=s"), "query:password", b"a&b c", b"password=a%26b%20c"),
        (
            Sent(b"", (JSON,), b'{"password":"s"}'),
            "json:/password",
            b'a"\n',
            b'{"password":"a\\"\\n"}',
        ),
        (
            Sent(b"", ((b"authorization", b"Basic YWxpY2U6c2VjcmV0"),)),
            "header:authorization",
            b"secret",
            b"authorization: Basic YWxpY2U6c2VjcmV0\r\n",
        ),
        (
            Sent(b"", ((b"cookie", b"password=s"),)),
            "cookie:password",
            b"t",
            b"cookie: password=t\r\n",
        ),
    ],
    ids=["query", "JSON", "Basic", "cookie"],
)
def test_fill(sent: Sent, name: str, value: bytes, expected: bytes) -> None:
    """A value that fills a gap is coded as its place needs it."""
    filled = fill(rebuilt(sent), {name: value})

    assert expected in message_bytes(filled)


def test_spilled() -> None:
    """Long values come from the values stream; one that is not there is a gap."""
    sent = Sent(b"a=" + b"x%20" * 300)
    event, spills = recorded(sent)
    whole, without = rebuild(event, spills.get), rebuild(event, _nothing)

    same(sent)
    assert not whole.gaps
    assert [(gap.cls, gap.len) for gap in without.gaps] == [("spilled", 600)]
    assert any("is not in the trail" in note for note in without.notes)


def test_rest() -> None:
    """Params beyond the limits come from the spilled rest, oddly coded ones as well."""
    query = b"&".join([b"%%61%d=1" % number for number in range(60)])
    event, spills = recorded(Sent(query))
    target = fill(rebuild(event, spills.get), {}).target

    assert isinstance(event.params[-1].value, Rest)
    assert target == b"/form?" + query


def test_imitation() -> None:
    """Who sends what looks like a gap is told of, and fills none."""
    sent = Sent(b"", (FORM,), b"a={file:6}&password=secret")
    message = rebuilt(sent)

    assert fill(message, {"form:password": b"x"}).body == b"a={file:6}&password=x"
    assert "the client itself sent what looks like a gap, 1 times" in message.notes


@few
@given(events)
def test_any_record(event: Event) -> None:
    """Whatever a record says, nothing raises, and what is shown is printable ASCII."""
    try:
        message = rebuild(event, _nothing)
    except DamagedRecord:
        return
    filled = fill(message, {})
    for shape in SHAPES.values():
        text = shape(filled, "http://127.0.0.1:8000")
        assert all(" " <= character <= "~" for character in text.replace("\n", ""))
    for note in [*message.notes, *filled.notes]:
        assert note.isascii()
        assert note.isprintable()
    head = message_bytes(filled).partition(b"\r\n\r\n")[0]
    assert head.count(b"\r\n") == head.count(b"\n") == len(filled.fields)


@pytest.mark.parametrize("other", [0, -1 << 60])
def test_pad_is_bounded(other: int) -> None:
    """A length that nobody can hold is refused, whatever another one is."""
    body = part(b'form-data; name="f"; filename="x"', b"12") + b"--b--"
    message = rebuilt(Sent(b"", (PARTS,), body))
    message.gaps[0] = message.gaps[0]._replace(len=1 << 60)
    message.gaps.append(message.gaps[0]._replace(len=other))

    with pytest.raises(ValueError, match="64 MiB"):
        fill(message, {}, pad=True)


@pytest.mark.parametrize(
    "body", [b"--b\r\n\x00", b"-vPATH\x00", b"\\x00%s\x00", b"\x00" * 3]
)
def test_body_of_bash(body: bytes) -> None:
    """A body that no argument holds goes to curl as it is; none of it is an option."""
    request = Filled(b"POST", b"/", b"1.1", [], body)
    command = SHAPES["curl"](request, "http://127.0.0.1:1")
    done = subprocess.run(
        ["bash"],
        input=b"curl() { cat; }\n" + command.encode(),
        capture_output=True,
        check=True,
    )

    assert done.stdout == body
    assert done.stderr == b""
