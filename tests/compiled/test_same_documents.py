"""
What the compiled road makes of a JSON document is what the long road makes of it.

Each is read twice, so that the memories know it the second time.
"""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.compiled.roads import Road
from tests.compiled.test_taken import App, post
from tests.driving import calls
from tests.effort import at_length
from tests.json_bodies import HOSTILE, documents
from tests.strategies import few
from tests.test_known_documents import CONTAINERS, KEYS, OTHERS, STRINGS
from tests.test_known_documents import OPTIONS as DOCUMENT_OPTIONS
from tests.test_roads import OPTIONS, make_rules

from audit_mw.body_params import BodyParams
from audit_mw.gathering import Gathering
from audit_mw.ordinary import Ordinary
from audit_mw.policy.detectors import names_in_document
from audit_mw.policy.documents import secret_variables
from audit_mw.rules import Rules
from audit_mw.trail.sheet import Sheet
from audit_mw.wire.body import Document
from audit_mw.wire.multipart import Tail

_native = pytest.importorskip("audit_mw._native", reason="it was not built")

_ITEM = b'{"sku":"red-shoe","size":42,"price":79.9,"gift":false,"note":null}'


class _Roads:
    """Both, each with memories of its own."""

    def __init__(self, options: dict[str, Any]) -> None:
        self.long = make_rules(options)
        ordinary = Ordinary(make_rules(options), Sheet)
        self.is_off = ordinary.is_off or ordinary.documents.is_off
        self.room = ordinary.room
        stems = _native.Stems(ordinary.secret_names)
        self.reader = None if self.is_off else _native.Reader(ordinary, stems)

    def check(self, document: bytes) -> bool:
        """Compare what both take, twice; tell whether the compiled road took any."""
        taken = [self.take(document) for _ in range(2)]
        for found in taken:
            assert found is None or found == _long(self.long, document)

        return taken[1] is not None

    def take(self, document: bytes) -> object:
        """Return what the compiled road makes of it; None where it gives up."""
        try:
            found = self.reader.take(document) if self.reader else None
        except Exception:  # noqa: BLE001 - the long road tells
            return None

        # What a record has no room for, whoever asks leaves to the long road.
        return None if found is None or len(found[0]) >= self.room else found


def _long(rules: Rules, document: bytes) -> object:
    gathering = Gathering(rules.config, rules.redactor, rules.encode_param)
    reader = BodyParams(rules.config, rules.redactor, gathering, None)
    held = Tail(len(document), document)
    reader.add_all([Document(held, rules.redactor.classify, is_json=True)])
    params = gathering.finish()
    spilling = gathering.spilling
    if spilling.spills or spilling.cut:
        return "spilled"
    names = names_in_document(params)
    if names is None:
        return "shown"
    coded = b",".join(params.coded or ())

    # Of an object that is not told by itself the compiled road knows the name, too.
    above = {bytes(param.name).split(b"/")[1] for param in params if param.name}  # type: ignore[arg-type]

    return coded, len(params), names | above - {b""}, gathering.has_password


_any_options = st.sampled_from((*OPTIONS, *DOCUMENT_OPTIONS))


def _check_all(options: dict[str, Any], sent: list[bytes]) -> None:
    roads = _Roads(options)
    for document in (*sent, *sent):
        roads.check(document)


test_same = few(given(_any_options, st.lists(documents, max_size=5))(_check_all))
test_same_at_length = pytest.mark.long(
    at_length(600)(given(_any_options, st.lists(documents, max_size=5))(_check_all))
)


@pytest.mark.parametrize("options", DOCUMENT_OPTIONS, ids=str)
def test_hostile(options: dict[str, Any]) -> None:
    """Whatever a document is, nothing else is made of it."""
    roads = _Roads(options)
    for document in HOSTILE:
        roads.check(document)


@pytest.mark.parametrize(
    "above",
    [
        b'{"a":[1,%b]}',
        pytest.param(b"%b", marks=pytest.mark.long),
        pytest.param(b"[%b]", marks=pytest.mark.long),
    ],
)
@pytest.mark.parametrize("key", KEYS)
def test_keys(key: bytes, above: bytes) -> None:
    """Each key, with each value, alone, in an array and in an object."""
    roads = _Roads({})
    for value in (*STRINGS, b"x" * 20):
        roads.check(above % (b'{"%b":"%b","value":"x","b":["y"]}' % (key, value)))
    for other in (*OTHERS, b"12345", *CONTAINERS):
        roads.check(above % (b'{"%b":%b,"value":"x"}' % (key, other)))


@pytest.mark.parametrize("size", range(9))
def test_room(size: int) -> None:
    """Deep below, what a record has room for is soon there."""
    sides = b",".join(
        [
            b'{"a":[%b]},[[0],[%b]]'
            % (b"0,0,0,123456789012," * 5 + b"0", b",".join([b"0"] * 24))
        ]
        * size
    )
    roads = _Roads({})
    for depth in range(50, 58):
        roads.check(b"[" * depth + b"0," + sides + b"]" * (depth - 1) + b",1]")


@pytest.mark.parametrize(
    "document",
    [
        b"{}",
        b"[]",
        b' { "a" : 1 , "b" : [ true , null , -0.5 ] } \n',
        b'{"a":"shoes","b":{"c":{"d":[{},{"e":[]}]}}}',
        b'{"user":"alice","password":"hunter2"}',
        b'{"name":"shoes","title":"Red shoes, size 42","code":"123456"}',
        b'{"a":"caf\xc3\xa9","b":"a\\nb"}',
        b"[%b]" % b",".join(b'"a%d"' % at for at in range(40)),
    ],
)
def test_taken(document: bytes) -> None:
    """What is ordinary is taken."""
    assert _Roads({}).check(document)


@few
@given(
    st.one_of(
        st.from_regex(r"[A-Za-z0-9_-]{0,64}", fullmatch=True).map(str.encode),
        st.lists(st.sampled_from([*KEYS, *STRINGS, b"tan", b"-", b"1", b"Pin"]))
        .map(b"".join)
        .map(lambda it: it[:64]),
    ),
    st.sampled_from([[], ["zeta"], ["e"], ["K\u00f6nig", "is-x"]]),
)
def test_stems(word: bytes, secret_names: list[str]) -> None:
    """Of a word that tells nothing no name is made that announces a secret."""
    rules = make_rules({"secret_names": secret_names})
    stems = _native.Stems(rules.config.secret_names)

    assert not stems.tells_nothing(word) or rules.redactor.classify(word) is None


_WORDS = [
    *(
        b"a very nice red shoe no. 42 in Size 12 please ring twice It is was not to"
    ).split(),
    *(
        b"pass word pa ss pin p in to ken key api code -p mysql -u identified by Basic"
    ).split(),
    *(
        b"MIIabcIBAAK eyJhbG.x eyJ. bearer abc123def456 hunter2 4111 1111 4111-1111"
    ).split(),
    *(
        b"ghp_ cGFzc3dvcmQ9 70617373776f7264 login alice user is: = : x@y a/b ?x ! ,"
    ).split(),
    *(
        b"secret_ sk-abc sk-0123456789 AKIA WIFI it's Q~ zeta tan standard international"
    ).split(),
    *(b"internationally 01234567890123 AbcDefGhiJkl0 cGFzc3dvcmQ9aHVudGVyMg").split(),
    *STRINGS,
]
_texts = st.lists(
    st.tuples(
        st.one_of(
            st.sampled_from(_WORDS),
            st.sampled_from(_WORDS[:20]),
            st.from_regex(rb"[A-Za-z0-9_.-]{0,15}", fullmatch=True),
        ),
        st.sampled_from([b" ", b" ", b" ", b", ", b". ", b"! ", b"-", b"", b"."]),
    ).map(b"".join),
    max_size=9,
).map(b"".join)


def _check_text(text: bytes, secret_names: list[str]) -> None:
    rules = make_rules({"secret_names": secret_names, "spill_over": 4096})
    stems = _native.Stems(rules.config.secret_names)
    if stems.is_plain_text(text):
        redactor = rules.redactor

        assert text is redactor.value(None, text, b"username")
        assert redactor.classify(text) is None
        assert redactor.name(None, text) is text
        assert not secret_variables(text, redactor.classify)


_names = st.sampled_from([[], [], ["zeta"], ["a"], ["is-x", "nice red"]])
test_texts = settings(few, max_examples=150)(given(_texts, _names)(_check_text))
test_texts_at_length = pytest.mark.long(
    at_length(12_000)(given(_texts, _names)(_check_text))
)


@pytest.mark.parametrize(
    ("text", "is_plain"),
    [
        (b"", True),
        (b"A very nice shoe, no. 123, in red!", True),
        (b"please ring twice. Thank you", True),
        (b"international standards", False),
        (b"my password is x", False),
        (b"pass word x", False),
        (b"mysql -p x", False),
        (b"IDENTIFIED BY x", False),
        (b"Basic QWxhZGRp", False),
        (b"eyJhbG.x", False),
        (b"4111 1111 1111 1111", False),
        (b"a:b", False),
        (b"x" * 15, False),
        (b"x " * 129, False),
    ],
)
def test_plain_texts(text: bytes, *, is_plain: bool) -> None:
    """Sentences are plain, and nothing is that a secret may be in."""
    assert is_plain is _native.Stems(()).is_plain_text(text)


def test_few_calls(tmp_path: Any) -> None:
    """A document of known keys costs no call of Python for each of its values."""
    app = App()
    road = Road(app.asgi, tmp_path, compiled="on")
    told = []
    for count in (20, 60):
        body = b"[%b]" % b",".join([_ITEM] * count)
        post(road, body)
        post(road, body)
        told.append(calls(lambda body=body: post(road, body)))  # type: ignore[misc]
    road.close()

    assert app.went_all_the_way
    assert abs(told[1] - told[0]) < 40  # of 200 more values


_ATTACKS = {
    "new keys": lambda turn: (
        b"{%b}" % b",".join(b'"k%d_%d":"v %d"' % (turn, at, at) for at in range(60))
    ),
    "new values": lambda turn: (
        b"[%b]"
        % b",".join(b'"some words, no. %d"' % (turn * 100 + at) for at in range(60))
    ),
    "twice": lambda turn: (
        b"{%b}"
        % b",".join(b'"a":"some words, no. %d"' % (turn * 100 + at) for at in range(60))
    ),
    "cut": lambda turn: (
        b"[%b"
        % b",".join(b'"some words, no. %d"' % (turn * 100 + at) for at in range(60))
    ),
    "secret kind": lambda turn: (
        b'{%b,"kind":"Secret"}'
        % b",".join(b'"k%d":"some words %d"' % (at, turn) for at in range(60))
    ),
    "spilled": lambda turn: (
        b'[%b,"a\\n%b"]'
        % (
            b",".join(b'"some words, no. %d"' % (turn * 100 + at) for at in range(60)),
            b"x y " * 70,
        )
    ),
    "shown": lambda turn: (
        b'[%b,"a\\u0000"]'
        % b",".join(b'"some words: no. %d"' % (turn * 100 + at) for at in range(60))
    ),
    "too many": lambda turn: b"[%b]" % (b'"a b %d",' % turn * 2000)[:-1],
}


@pytest.mark.parametrize("way", ["on", "off"])
@pytest.mark.parametrize("attack", _ATTACKS)
def test_attackers_pay(attack: str, way: str, tmp_path: Any) -> None:
    """Who varies all, or hides what is odd at the end, is served at no more cost."""
    told = []
    # The second is JSON as well, but of a type that no short road takes.
    for media in (b"application/json", b"text/json"):
        road = Road(App().asgi, tmp_path / media.decode(), compiled=way)
        for turn in range(3):
            post(road, _ATTACKS[attack](turn), media)
        told.append(calls(lambda: post(road, _ATTACKS[attack](7), media)))  # noqa: B023
        road.close()

    # What only policy tells of a value is known when it has looked at all of them; and
    # the road in Python looks at values as it reads.
    is_late = attack == "shown" or (attack == "spilled" and way == "off")
    # In Python a step of the reader is some calls, whatever policy takes for a value.
    most = 1.4 if is_late else 1.1 if way == "on" else 1.2
    assert told[0] <= most * told[1]
