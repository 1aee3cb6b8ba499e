"""
The fast road for JSON documents leaves, byte for byte, what the long one leaves.

Both read the same documents, one after the other, so that what came before is known.
"""

import tracemalloc
from collections.abc import Callable, Iterable
from typing import NamedTuple

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.driving import calls
from tests.effort import at_length
from tests.reaching import texts_in
from tests.serving import new_word
from tests.strategies import few, fragments

from audit_mw.body_params import BodyParams
from audit_mw.config import Config
from audit_mw.event import Spill
from audit_mw.gathering import Gathering
from audit_mw.known_documents import KnownDocuments
from audit_mw.policy.keyring import Keyring
from audit_mw.policy.redaction import Redactor
from audit_mw.trail.params import encode_param, encode_params
from audit_mw.wire.body import Document
from audit_mw.wire.multipart import Tail

KEYS = [
    *(
    b"a b id name key k type label title value data content args params arguments body "
    b"kind method function command action operation procedure methodName variables query "
    b"code ticket sign pat seed words phrase user user_code username email login "
    b"password pin token api secret is_password has_token factor 2 12 0 007 1234567 "
    b"kty d p q x-y x_y caf\xc3\xa9 \xff tokens sessions api_key access passwordReset "
    b"na\\u006de p\\u0069n a\\/b a/b a~b a% pass%77ord a\\u0000 items note zeta"
    ).split(),
    b"", b"a b", b"password=x", b"k" * 70, b"k" * 260, b"eyJhbGciOi.eyJzdW",
    b"pa%73sword", b"x\\u0022y", b"ghp_abcdefghijklmnopqrstuvwxyz",
]  # fmt: skip
STRINGS = [
    b"", b"a", b"shoes", b"red shoe", b"winter sale, 12 left", b"12", b"4111111111111111",
    b"4111 1111 1111 1111", b"password", b"token", b"pin", b"Secret", b"secret", b"login",
    b"kw", b"a:b", b"alice:hunter2", b"$a", b"password: $p", b"($p: Password!)", b"hunter2",
    b"$2a$10$abcdefghijklmnopqrstuv", b"ghp_abcdefghijklmnopqrstuvwxyz", b"pin 1234",
    b"a1b2c3d4e5f6g7h8", b"QUJDRGFiY2RlZmdo", b"https://a:b@c/d", b"/reset/abc123", b"x" * 63,
    b"x" * 64, b"x" * 65, b"x" * 300, b"a\\n", b"\\u0041", b'\\"', b"\\\\", b"caf\xc3\xa9",
    b"\xff\xfe", b"%41", b"%", b"\\ud800", b"\x00", b"\n", b"tab\t", b"a=b", b"x=password",
    b"password=hunter2", b"my password is x", b"Session 1", b"is_password", b"shoes-0001",
    b"zeta", b"tok-en", b"user", b"p", b"Zwei Worte", b"pass word", b"abandon " * 12,
]  # fmt: skip
OTHERS = [
    b"0", b"-0", b"1", b"12.50", b"-1.5e3", b"1e5", b"1E+400", b"123456789012", b"12345678901",
    b"4111111111111111", b"1" * 300, b"true", b"false", b"null", b"NaN", b"Infinity",
    b"-Infinity", b"0.1234567890123", b"-12345678.9",
]  # fmt: skip
CONTAINERS = [
    b"[]", b"{}", b'{"c":"z","d":[1,"y"],"e":{}}', b'[{"c":"z"},["y"]]', b'{"a":{"b":1},"a":{}}',
]  # fmt: skip
SPACES = st.sampled_from([b"", b"", b"", b" ", b"\n  ", b"\t\r"])
OPTIONS: list[dict[str, object]] = [
    {},
    {"secret_names": ["zeta", "e", "true"]},
    {"secret_names": ["12"]},
    {"secret_patterns": ["a1+"]},
    {"spill_over": 64},
    {"spill_over": 4096},
    {"max_spill": 600},
    {"not_secret": ["pin"]},
]

_keys = (
    st.sampled_from(KEYS[:30]) | st.sampled_from(KEYS) | fragments(b"a", b"pin", b"_")
)
_strings = st.sampled_from(STRINGS) | fragments(
    b"a", b"1", b" ", b"pass", b"-", b"$", most=5
)
_scalars = st.one_of(
    st.sampled_from(OTHERS),
    _strings.map(lambda it: b'"%b"' % it.replace(b'"', b"")),
    st.integers(-(10**8), 10**8).map(lambda it: b"%d" % it),
)


@st.composite
def _array(draw: st.DrawFn, inner: st.SearchStrategy[bytes]) -> bytes:
    items = draw(st.lists(inner, max_size=4)) * draw(st.sampled_from([1, 1, 2, 6]))

    return b"[%b%b]" % (draw(SPACES), (draw(SPACES) + b",").join(items))


@st.composite
def _object(draw: st.DrawFn, inner: st.SearchStrategy[bytes]) -> bytes:
    members = draw(st.lists(st.tuples(_keys, inner), max_size=5))
    space = draw(SPACES)
    spelt = [
        b'%b"%b"%b:%b%b' % (space, key.replace(b'"', b""), space, draw(SPACES), value)
        for key, value in members
    ]

    return b"{%b%b}" % (b",".join(spelt), space)


DOCUMENTS = st.recursive(
    _scalars, lambda inner: _array(inner) | _object(inner), max_leaves=12
)


# What makes names long, so that a part of them is shared.
WRAPPERS = [
    (b"[", b"]"),
    (b"[1,", b"]"),
    (b"[{},[],", b',"x"]'),
    (b'{"a":', b"}"),
    (b'{"a":1,"items":', b',"b":[]}'),
    (b'{"k%b":' % (b"k" * 50), b"}"),
    (b'{"pin":', b',"x":[1]}'),
    (b'{"api":{"key":', b"}}"),
    (b'{"api":[{"key":', b"}]}"),
]


@st.composite
def sent_documents(draw: st.DrawFn) -> bytes:
    document = draw(DOCUMENTS)
    if draw(st.sampled_from([False, False, True])):
        opened, closed = draw(st.sampled_from(WRAPPERS))
        depth = draw(st.integers(1, 600 // len(opened)))
        document = opened * depth + document + closed * depth
        document = (
            draw(st.sampled_from([b"%b", b"[%b,1]", b'{"a":%b,"b":2}'])) % document
        )
    kind = draw(st.sampled_from(["whole"] * 8 + ["cut", "junk", "wide", "marked"]))
    if kind == "cut":
        return document[: draw(st.integers(0, len(document)))]
    if kind == "junk":
        at = draw(st.integers(0, len(document)))
        return document[:at] + draw(st.binary(max_size=3)) + document[at:]
    if kind == "wide":
        return document.decode("utf-8", "replace").encode("utf-16")

    return b"\xef\xbb\xbf" + document if kind == "marked" else document


class Outcome(NamedTuple):
    """All that a body leaves."""

    column: bytes
    names: list[object]
    spills: tuple[Spill, ...]
    cut: dict[str, object]
    secrets: list[bytes]
    has_password: bool


class Roads:
    """Both, with the same options."""

    def __init__(self, options: dict[str, object], most: int = 1000) -> None:
        self.config = Config.load({"max_params": most, **options}, {})
        self.redactor = Redactor(self.config, Keyring(b"k" * 32))
        self._other = Redactor(self.config, Keyring(b"k" * 32))
        self.documents = KnownDocuments(self.config, self.redactor, encode_param)

    def take(
        self, sent: bytes, documents: KnownDocuments | None, *, is_json: bool = True
    ) -> Outcome:
        """Return what a body leaves."""
        # Neither remembers what the other saw.
        redactor = self._other if documents is None else self.redactor
        gathering = Gathering(self.config, redactor, encode_param)
        body = BodyParams(self.config, redactor, gathering, None, documents)
        document = Document(Tail(len(sent), sent, "0" * 64), redactor.classify, is_json)
        body.add_all([document])
        params = gathering.finish()

        return Outcome(
            encode_params(params),
            list(params),
            gathering.spilling.spills,
            gathering.spilling.cut,
            gathering.secrets,
            gathering.has_password,
        )

    def check(self, sent: bytes, *, is_json: bool = True) -> None:
        """Have both read the same."""
        expected = self.take(sent, None, is_json=is_json)

        assert expected == self.take(sent, self.documents, is_json=is_json)


def both(options: dict[str, object], sent: Iterable[bytes], most: int) -> None:
    """Have both read the same, twice, since the second time it is known."""
    roads = Roads(options, most)
    for document in sent:
        for is_json in (True, False, True):
            roads.check(document, is_json=is_json)


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@settings(few, max_examples=30)  # of each: 240 in all
@given(
    st.lists(sent_documents(), min_size=1, max_size=4),
    st.sampled_from([1, 2, 5, 20, 1000]),
)
@example([b'{"a":"x","a":{},"a":{"a":1},"a":[]}'], 1000)
@example([b'[{"factor":1},{"factor":1},{"is_password":"x"}]' * 1], 1000)
@example([b'{"items":[{"type":"password","x":"y"}],"b":"c"}'], 1000)
@example([b'{"value":"hunter2","name":"password"}', b'{"value":"hunter2"}'], 1000)
@example([b'{"id":1e5}', b'{"id":true}', b'{"name":{"a":true}}'], 1000)
@example([b'{"kty":1,"d":"x"}', b'{"k\\u0074y":[],"d":"x"}'], 1000)
def test_roads(options: dict[str, object], sent: list[bytes], most: int) -> None:
    """
    Documents that came before, or are like those, leave what the long road leaves.
    """
    both(options, sent, most)


@pytest.mark.long
@at_length(150)
@given(
    st.sampled_from(OPTIONS),
    st.lists(sent_documents(), min_size=1, max_size=6),
    st.sampled_from([1, 2, 5, 20, 1000]),
)
def test_roads_at_length(
    options: dict[str, object], sent: list[bytes], most: int
) -> None:
    """
    The same, for long.
    """
    both(options, sent, most)


@pytest.mark.parametrize(
    "above",
    [
        b"%b",
        pytest.param(b'{"a":[1,%b]}', marks=pytest.mark.long),
        pytest.param(b"[%b]", marks=pytest.mark.long),
        pytest.param(b'{"a":%b}', marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize("key", KEYS)
def test_keys(key: bytes, above: bytes) -> None:
    """
    Each key, with each value, alone, in an array and in an object.
    """
    roads = Roads({})
    for value in (*STRINGS, b"x" * 20):
        sent = b'{"%b":"%b","value":"x","b":["y"],"data":{"c":"z"}}' % (key, value)
        roads.check(above % sent)
    for other in (*OTHERS, b"12345", *CONTAINERS):
        roads.check(above % (b'{"%b":%b,"value":"x"}' % (key, other)))


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"[" * 300 + b"1" + b"]" * 300, id="deep"),
        pytest.param(b'{"a":' * 300 + b"1" + b"}" * 300, id="deep objects"),
        pytest.param(b"[" * 1000 + b"]" * 1000, id="as deep as may be"),
        pytest.param(b"[" * 1001 + b"]" * 1001, id="too deep"),
        pytest.param(b"[" * 900 + b"]" * 500 + b",1]", id="cut in the deep"),
        pytest.param(b"[" * 300 + b"1," * 400 + b"1", id="items in the deep"),
        pytest.param(b'{"a":1,' * 2000, id="no end"),
        pytest.param(b"[" + b"1," * 3000 + b'"x"]', id="many items"),
        pytest.param(b"[" + b'{"a":"b"},' * 1500 + b"7]", id="many objects"),
        pytest.param(b"[" + b'{"pin":"b"},' * 1500 + b"7]", id="many secrets"),
        pytest.param(b'{"t":[' + b'["x","y"],' * 700 + b'{"pin":1}]}', id="mixed"),
        pytest.param(
            b"{%b}" % b",".join(b'"k%d":"v%d"' % (at, at) for at in range(5000)),
            id="more keys than are remembered",
        ),
    ],
)
@pytest.mark.parametrize("options", [{}, {"max_record": 32768}], ids=str)
def test_large(sent: bytes, options: dict[str, object]) -> None:
    """
    Beyond the limits of a record both hold and hash the same rest.
    """
    roads = Roads(options)
    for _ in range(2):
        roads.check(sent)


@pytest.mark.parametrize("options", [{}, {"secret_patterns": ["a1+"]}], ids=str)
@pytest.mark.parametrize(
    "document",
    [
        b'{"value":"%b","name":"password"}',
        b'{"name":"password","value":"%b","id":1}',
        b'{"name":"password","value":{"%b":1}}',
        b'{"password":"%b","tokens":{"%b":1}}',
        b'{"x":{"tokens":{"%b":{"a":1}}}}',
        b'{"tokens":[{"%b":"x"}]}',
        b'{"api":{"key":"%b"}}',
        b'[["password","%b"]]',
        b'["password",{"%b":1}]',
        b'{"password":["%b","b"]}',
        b'{"password":[["%b",{"a":1}]]}',
        b'{"password":{"method":"%b"}}',
        b'{"pin":{"name":"%b"}}',
        b'{"d":"%b","kty":"RSA"}',
        b'{"params":["alice","%b"],"method":"login"}',
        b'{"params":["alice","%b"],"method":"user.signIn"}',
        b'{"method":"log_in","params":["alice","%b"]}',
        b'{"data":{"a":"%b"},"kind":"Secret"}',
        b'{"variables":{"p":"%b"},"query":"login(password: $p)"}',
        b'{"a":"my password is %b","name":"token"}',
    ],
    ids=bytes.decode,
)
def test_secrets_are_not_remembered(
    document: bytes, options: dict[str, object]
) -> None:
    """
    What a document withholds is in no memory: of neither road, nor of the policy.
    """
    secret = b"A1-" + new_word().encode()  # what looks like this is no key, either
    roads = Roads(options)
    roads.check(b'{"shoes":"red"}')
    for _ in range(2):
        roads.check(document.replace(b"%b", secret))
    held = texts_in(roads.redactor, roads._other, roads.documents)

    assert b"shoes" in held
    assert secret not in held


@pytest.mark.parametrize(
    "document",
    [
        b'{"name":"password","value":{"%b":1}}',
        b'{"value":{"%b":1},"name":"password"}',
        b'{"name":"password","value":{"%b":[1,2,3]}}',
        b'{"name":"password","value":[{"%b":["a","b"]},{"%b":["a","b"]}]}',
        b'["password",{"%b":1}]',
        b'["password",[{"%b":{}}]]',
        b'["password",{"%b":' + b'{"a":' * 300 + b"1" + b"}" * 301 + b"]",
        b'{"params":[{"%b":1}],"method":"login"}',
        b'{"kind":"Secret","data":{"%b":"1"}}',
        b'{"variables":{"p":{"%b":1}},"query":"login(password: $p)"}',
        # Behind a prefix that names share.
        b'["password",{"' + b"k" * 270 + b'":{"%b":1}}]',
        b'["password",{"' + b"k" * 270 + b'":{"a":"%b"}}]',
        b'{"kind":"Secret","data":{"' + b"k" * 270 + b'":{"a":"%b"}}}',
        b'{"variables":{"p":{"' + b"k" * 270 + b'":{"a":"%b"}}},'
        b'"query":"login(password: $p)"}',
        b'{"params":[{"' + b"k" * 270 + b'":{"a":"%b"}}],"method":"login"}',
        b'{"tokens":{"' + b"k" * 270 + b'":{"%b":1}}}',
        # Not only the items of what a login takes, but all in them.
        b'{"params":["alice",["%b"]],"method":"login"}',
        b'{"params":[{"x":["%b"]}],"method":"login"}',
        b'{"params":[{"1%b":1}],"method":"login"}',
    ],
    ids=lambda document: document[:60].decode(),
)
def test_secret_keys_that_name_secrets(document: bytes) -> None:
    """
    What a sibling says is a secret is one, also as a key that sounds like its name.
    """
    for ending in (b"pin", b"-password", b"_token"):
        secret = b"A1-" + new_word().encode() + ending
        roads = Roads({})
        for _ in range(2):
            roads.check(document.replace(b"%b", secret))
            outcome = roads.take(document.replace(b"%b", secret), None)

            assert secret not in outcome.column
            assert secret not in repr(outcome.spills).encode()
        assert secret not in texts_in(roads.redactor, roads._other, roads.documents)


@pytest.mark.parametrize("size", range(225, 275))
def test_siblings_of_long_names(size: int) -> None:
    """
    What is told of all below a name is, wherever the prefix that names share may end.
    """
    secret = b"A1-" + new_word().encode()
    for document in (
        b'{"%k":{"kind":"Secret","stringData":{"a":{"b":"%b"}}}}',
        b'{"%k":{"method":"login","params":["alice",["%b"]]}}',
        b'{"%k":{"variables":{"p":{"a":"%b"}},"query":"login(password: $p)"}}',
        b'{"%k":["password",{"a":{"b":"%b"}}]}',
    ):
        sent = document.replace(b"%k", b"k" * size).replace(b"%b", secret)
        roads = Roads({})
        roads.check(sent)
        outcome = roads.take(sent, None)

        assert secret not in outcome.column
        assert secret not in repr(outcome.spills).encode()


@pytest.mark.parametrize(
    "key",
    [b"horse[battery]staple9", b"horse%2Fbattery", b"p4/s5w/0rd9", b"t4~s5v~0re9"],
)
def test_secret_keys_with_marks(key: bytes) -> None:
    """
    A key is one key, whatever marks are in it, and is remembered as it was sent.
    """
    roads = Roads({})
    roads.check(b'["password",{"%b":1}]' % key)
    outcome = roads.take(b'["password",{"%b":1}]' % key, None)
    pointer = key.replace(b"~", b"~0").replace(b"/", b"~1")

    assert b'"/1/%%{password:%d}"' % len(pointer) in outcome.column
    assert key in outcome.secrets


def test_secret_keys_of_prefixes_are_remembered() -> None:
    """
    A key that only a prefix has is not to be quoted, either.
    """
    outcome = Roads({}).take(
        b'["password",{"A1-xw7bfd98q":{"' + b"k" * 270 + b'":{"b":1}}}]', None
    )

    assert any(b"A1-xw7bfd98q" in secret for secret in outcome.secrets)


def test_prefixes_of_no_secret_are_kept() -> None:
    """
    A long name is spilled though a key in it is no mere one: nobody told of it.
    """
    outcome = Roads({}).take(
        b'{"shop.example":{"token_count":{"' + b"k" * 270 + b'":{"x":1}}}}', None
    )

    assert any(b"shop.example" in spill.value for spill in outcome.spills)


@pytest.mark.parametrize(("level", "unread"), [('{"x":1,"%s":', 7), ('{"%s":', 18)])
def test_prefixes_of_secrets_in_each_other(level: str, unread: int) -> None:
    """
    Beyond what is looked at, prefixes are withheld unread, and their keys not quoted.
    """
    keys = [f"A1-{at:03d}-{'k' * 1000}" for at in range(30)]
    opened = "".join(level % key for key in keys)
    closed = '},"x":1' * 30 if "x" not in level else "}" * 30
    document = f'{{"password":{opened}1{closed}}}'.encode()
    roads = Roads({})
    roads.check(document)
    outcome = roads.take(document, None)

    assert b"A1-" not in outcome.column
    assert b"A1-" not in repr(outcome.spills).encode()
    assert outcome.cut["count"] == unread
    for key in keys:
        assert any(key.encode() in secret for secret in outcome.secrets)


def test_secrets_of_many_keys_are_not_remembered() -> None:
    """Nor if more was new in the document than is remembered."""
    secret = b"A1-" + new_word().encode()
    members = [b'"some-key-A%05dx":"v.%d or so"' % (at, at) for at in range(5_000)]
    roads = Roads({})
    roads.documents.read(
        b'{%b,"value":{"%b":"%b and more"},"name":"password"}'
        % (b",".join(members), secret, secret)
    )

    assert secret not in texts_in(roads.redactor, roads.documents)


def test_names_are_remembered() -> None:
    """
    Of a document that withholds nothing each name is looked at once.
    """
    roads = Roads({"secret_patterns": ["a1+"]})
    roads.take(b'{"shoes":{"colour":"red"}}', None)

    assert {b"shoes", b"colour", b"shoes.colour"} <= set(
        roads._other.classify._remembered
    )


def test_fast() -> None:
    """
    What is known takes a few calls for each value, far fewer than the long road.
    """
    item = b'{"sku":"red-shoe","size":42,"price":79.9,"gift":false,"note":null}'
    sent = b'{"items":[%b]}' % b",".join([item] * 100)
    roads = Roads({})
    roads.check(sent)

    def count(documents: KnownDocuments | None) -> int:
        work: Callable[[], object] = lambda: roads.take(sent, documents)  # noqa: E731
        return calls(work)

    assert 8 * count(roads.documents) < count(None)


@pytest.mark.long
def test_little_is_held() -> None:
    """What is new in a document takes some times its size, not some dozens."""
    documents = Roads({}).documents
    members = [b'"some-key-A%05dx":%d' % (number, number) for number in range(30_000)]
    document = b"{%b}" % b",".join(members)
    tracemalloc.start()
    try:
        documents.read(document)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 14 * len(document)
