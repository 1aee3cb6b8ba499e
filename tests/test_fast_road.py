# Beyond the limits of a record there is a fast road for params that are plain, or came
# before: it gives what the long one does, byte for byte.
from collections.abc import Callable, Iterable
from typing import NamedTuple

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tests.strategies import few, fragments

from audit_mw.body_params import BodyParams
from audit_mw.config import Config
from audit_mw.event import Param, Spill
from audit_mw.gathering import Gathering
from audit_mw.policy.keyring import Keyring
from audit_mw.policy.names import Classifier
from audit_mw.policy.plain import compile_plain
from audit_mw.policy.redaction import Redactor
from audit_mw.policy.siblings import RELATED
from audit_mw.policy.words import (
    CARD_STEMS,
    ORDINARY,
    PASSWORD_STEMS,
    PASSWORD_WORDS,
    TOKEN_STEMS,
    TOKEN_WORDS,
)
from audit_mw.trail.params import encode_param, encode_params
from audit_mw.wire.body import Piece
from audit_mw.wire.json import Items, flatten
from audit_mw.wire.query import FormParser, Pieces, parse_piece

PIECES = st.sampled_from(
    [
        b"", b"=", b"a", b"a=", b"a=1", b"=1", b"ab=12345", b"+", b"%41", b"%25", b"%zz=1",
        b"\xff", b"a=b=c", b"pin=1234", b"u=alice", b"p=hunter", b"p=1", b"P=x", b"query=$a",
        b"query=login(password: $v)", b"variables=x1", b"passAuthorWord=1", b"code=12345",
        b"key=a1b2c3d4e5f6g7h8", b'{"a":"', b'"', b'"}', b"[", b"token", b"x=password=1",
        b"a=" + b"v" * 300, b"n" * 300, b"a=4111111111111111", b"A1b2C3d4E5f6G7h8", b"a=%26",
        b"user=bob:secret1", b"x123=aaaaaaaaaaaa", b"x123=aaaaaaaaaaaaa", b"a=eyJhbGciOi",
    ]
) | fragments(b"a", b"1", b"=", b"+", b"%", b"pa", b"ss", b"to", b"ken", b'"', most=6).map(
    lambda piece: piece.replace(b"&", b"")
)  # fmt: skip
OPTIONS: list[dict[str, object]] = [
    {},
    {"secret_names": ["Zeta", "12"]},
    {"secret_patterns": ["a1+"]},
    {"spill_over": 64},
    {"max_spill": 600},
    {"not_secret": ["pin"]},
]
ITEMS = [b"1", b"0", b"-7", b"12345678901", b"null", b"true", b"false", b"[]", b"{}", b'""', b'"a"']  # fmt: skip
OTHERS = [b"1.5", b'"pin"', b'"ab"', b"123456789012", b'"$a"', b"[1,2]", b'{"a":1}', b'{"kind":"Secret","data":[1]}']  # fmt: skip
STARTS = [
    b"[", b'{"a":[', b'{"pin":[', b'{"api":{"key":[', b'["password",', b'[["password",[',
    b'{"method":"login","params":[', b'{"query":"q($p: Password!)","variables":{"p":[',
    b'{"name":"token","value":[', b'{"kind":"Secret","data":[', b'{"' + b"k" * 300 + b'":[',
    b'{"ghp_abcdefghijklmnopqr":[', b'{"a%":[', b'{"a\\"=b":[', b"[" * 40, b'{"p\xc3\xa4":[',
    b'{"password=x":[', b'{"' + b"k" * 247 + b'":[',
]  # fmt: skip


class Outcome(NamedTuple):
    """All that a body leaves."""

    column: bytes
    spills: tuple[Spill, ...]
    sent_as: list[object]
    cut: dict[str, object]
    secrets: set[bytes]
    has_password: bool


def outcome(
    options: dict[str, object], add: Callable[[BodyParams], object], most: int
) -> Outcome:
    """Return what a body leaves, of which `add` gives the pieces."""
    config = Config.load({"max_params": most, **options}, {})
    redactor = Redactor(config, Keyring(b"k" * 32))
    gathering = Gathering(config, redactor, encode_param)
    add(BodyParams(config, redactor, gathering, None))
    column = encode_params(gathering.finish())

    return Outcome(
        column,
        gathering.spilling.spills,
        gathering.sent_as,
        gathering.spilling.cut,
        set(gathering.secrets),
        gathering.has_password,
    )


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@few
@given(st.lists(PIECES, min_size=1, max_size=30), st.integers(1, 5))
@example([b"a"] * 3 + [b"u=a", b"p=secret", b"p=secret"], 1)
@example([b"a", b'{"pin":"x', b"a", b"a", b'y"', b"a"], 1)
@example([b"a", b"%41", b"%41", b"pin=1", b"pin=1"], 1)
def test_pieces(options: dict[str, object], pieces: list[bytes], most: int) -> None:
    """
    Pieces of a form that come together leave what they do one by one.
    """
    text = b"&".join(pieces)

    def one_by_one(body: BodyParams) -> None:
        for piece in text.split(b"&"):
            body.add(parse_piece(piece))

    expected = outcome(options, one_by_one, most)

    assert expected == outcome(options, lambda body: body.add(Pieces(text)), most)


def _spell(parts: tuple[bytes, list[bytes], list[bytes], bytes, list[bytes]]) -> bytes:
    start, before, items, comma, behind = parts

    return start + comma.join([*before, *items, *behind])


DOCUMENTS = st.tuples(
    st.sampled_from(STARTS),
    st.lists(st.sampled_from(OTHERS), max_size=2),
    st.lists(st.sampled_from(ITEMS), min_size=17, max_size=30),
    st.sampled_from([b",", b", ", b" ,\n"]),
    st.lists(st.sampled_from([*OTHERS, b"]", b""]), max_size=2),
).map(_spell)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@few
@given(DOCUMENTS, st.integers(1, 25))
def test_items(options: dict[str, object], document: bytes, most: int) -> None:
    """
    Items of an array that come together leave what they do one by one.
    """
    classify = Classifier(map(str, options.get("secret_names", ())))  # type: ignore[call-overload]
    apart, together = (
        flatten(document, classify, in_runs=in_runs) for in_runs in (False, True)
    )
    expected = outcome(options, lambda body: body.add_all(apart.members), most)

    assert apart.tail == together.tail
    assert expected == outcome(
        options, lambda body: body.add_all(together.members), most
    )


@few
@given(
    st.lists(st.sampled_from([*ITEMS, *OTHERS]), max_size=40),
    st.sampled_from([b",", b" , ", b",,"]),
)
def test_runs_of_items(items: list[bytes], comma: bytes) -> None:
    """
    Items that come together are the members that they are apart.
    """
    document = b"[" + comma.join(items) + b"]"
    apart, together = (
        flatten(document, Classifier(), in_runs=in_runs) for in_runs in (False, True)
    )

    assert apart.tail == together.tail
    assert apart.members == list(_members(together.members))


def _members(found: Iterable[Piece[str]]) -> Iterable[Piece[str]]:
    for piece in found:
        if isinstance(piece, Items):
            yield from piece.members()
        else:
            yield piece


@few
@given(st.lists(PIECES, max_size=20), st.integers(1, 20_000))
def test_runs_of_pieces(pieces: list[bytes], chunk: int) -> None:
    """
    Pieces that come together are the pairs that they are apart, however cut.
    """
    form = b"&".join(pieces * 100)
    chunks = [form[at : at + chunk] for at in range(0, len(form), chunk)]
    found: list[list[object]] = []
    for in_runs in (False, True):
        parser = FormParser(1 << 16, in_runs=in_runs)
        fed = [piece for part in chunks for piece in parser.feed(part)]
        found.append(list(_pairs([*fed, *parser.finish()])))

    assert found[0] == found[1]


def _pairs(found: Iterable[object]) -> Iterable[object]:
    for piece in found:
        if isinstance(piece, Pieces):
            yield from map(parse_piece, piece.text.split(b"&"))
        else:
            yield piece


WORDS = st.sampled_from(
    [
        *sorted(ORDINARY | TOKEN_WORDS | PASSWORD_WORDS),  # sets have no order
        *(it for it in (*PASSWORD_STEMS, *TOKEN_STEMS, *CARD_STEMS) if it.isascii()),
        "Pass", "Word", "to", "ken", "p", "u", "user", "2", "fa", "x", "A", "card", "no",
        "ses", "sess", "zeta", "Key", "code", "sign", "id", "s", "w", "pw", "d", "author",
    ]
)  # fmt: skip


@few
@given(st.lists(WORDS, min_size=1, max_size=4), st.from_regex(r"[A-Za-z0-9]{0,13}"))
def test_plain_names(words: list[str], value: str) -> None:
    """
    What is plain at a glance has no class on a long look, and nothing to hide.
    """
    piece = "".join(words).encode() + b"=" + value.rstrip("\n").encode()
    name, _, held = piece.partition(b"=")
    redactor = Redactor(Config.load({"secret_names": ["zeta"]}, {}), Keyring(b"k" * 32))
    if compile_plain(["zeta"]).fullmatch(piece):
        assert name.lower() not in RELATED
        assert redactor.class_of("form", name, held) is None
        assert (redactor.name(None, name), redactor.value(None, held, name)) == (
            name,
            held,
        )


@pytest.mark.parametrize("stem", ["токен", "секрет", "şifre", "password", "ZETA", "12"])
def test_folded_stems(stem: str) -> None:
    """
    A stem in other letters is one in Latin letters that look the same.
    """
    redactor = Redactor(
        Config.load({"secret_names": ["Zeta", "12"]}, {}), Keyring(b"k" * 32)
    )
    plain = compile_plain(["Zeta", "12"])
    spelt = stem.encode()
    for name in (spelt, b"tokeh", b"cekpet", b"sifre", b"aZeTab", b"a12b"):
        if redactor.classify(name) is not None:
            assert plain.fullmatch(name + b"=1") is None


@pytest.mark.parametrize(
    "piece", [b"", b"a", b"a=", b"a=1", b"=1", b"page=12", b"colour=red", b"n100001=1"]
)
def test_ordinary_is_plain(piece: bytes) -> None:
    """
    What most clients send takes the fast road.
    """
    assert compile_plain([]).fullmatch(piece)


def test_one_param_beyond() -> None:
    """
    A rest of a single param is an array of one.
    """
    left = outcome({}, lambda body: body.add(Pieces(b"a&b")), 1)
    (spill,) = left.spills

    assert spill.value == b"[%b]" % encode_param(Param("form", b"b", None))
