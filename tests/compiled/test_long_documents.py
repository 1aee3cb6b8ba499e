"""
The compiled road for documents of any length leaves what the long one leaves.

Both read the same documents, one after the other, so that what came before is known.
"""

import pytest
from _pytest.mark import ParameterSet
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.driving import calls
from tests.effort import at_length
from tests.json_bodies import HOSTILE, documents
from tests.strategies import few
from tests.test_known_documents import (
    CONTAINERS,
    KEYS,
    OPTIONS,
    OTHERS,
    STRINGS,
    WRAPPERS,
    Roads,
    sent_documents,
)

_native = pytest.importorskip("audit_mw._native", reason="it was not built")

_MOST = st.sampled_from([1, 2, 5, 20, 1000])
_SENT = st.lists(sent_documents() | documents, min_size=1, max_size=4)
_NEW_KEYS = st.lists(
    st.from_regex(rb"[A-Za-z0-9_.-]{0,12}", fullmatch=True)
    | st.sampled_from([*KEYS, b"Method", b"p", b"U", b"pi", b"n", b"acce", b"ss"]),
    max_size=9,
).map(lambda keys: [key.replace(b'"', b"") for key in keys])
_VALUES = st.sampled_from(
    [*OTHERS, *CONTAINERS, b'"login"', b'"password"', b'"a b, c."', *OTHERS[:3]]
    + [b'"%b"' % string for string in STRINGS]
)


def _long(*above: bytes) -> list[ParameterSet]:
    return [pytest.param(each, marks=pytest.mark.long) for each in above]


class _Compiled(Roads):
    """The long road, and the compiled one in the place of that in Python."""

    def __init__(self, options: dict[str, object], most: int = 1000) -> None:
        super().__init__(options, most)
        if not self.documents.is_off:
            stems = _native.Stems(self.config.secret_names)
            self.documents.compiled = _native.LongReader(self.documents, stems)

    def check_all(self, sent: list[bytes]) -> None:
        """Have both read the same, twice, since the second time it is known."""
        for document in (*sent, *sent):
            for is_json in (True, False):
                self.check(document, is_json=is_json)


def _check(options: dict[str, object], sent: list[bytes], most: int) -> None:
    _Compiled(options, most).check_all(sent)


_options = st.sampled_from(OPTIONS)
test_same = settings(few, max_examples=60)(given(_options, _SENT, _MOST)(_check))
test_same_at_length = pytest.mark.long(
    at_length(400)(given(_options, _SENT, _MOST)(_check))
)


@st.composite
def _of_new_keys(draw: st.DrawFn) -> bytes:
    members = [b'"%b":%b' % (key, draw(_VALUES)) for key in draw(_NEW_KEYS)]
    document = b"{%b}" % b",".join(members)
    before, behind = draw(st.sampled_from([(b"", b""), *WRAPPERS]))
    depth = draw(st.sampled_from([1, 1, 2, 90]))

    return before * depth + document + behind * depth


def _check_keys(options: dict[str, object], sent: list[bytes], most: int) -> None:
    # Anew each: what is new to the memories is told by looks of its own.
    for document in sent:
        _Compiled(options, most).check(document)


_of_keys = given(_options, st.lists(_of_new_keys(), max_size=3), _MOST)
test_new_keys = settings(few, max_examples=60)(_of_keys(_check_keys))
test_new_keys_at_length = pytest.mark.long(at_length(2_000)(_of_keys(_check_keys)))


def test_key_below_an_item() -> None:
    """A key below an item is a name with the key above the array."""
    _Compiled({"not_secret": ["pin"]}, 1).check(b'{"pin":[{"c":"z"},["y"]]}')


@pytest.mark.parametrize("most", [3, 1000])
def test_hostile(most: int) -> None:
    """Whatever a document is, nothing else is made of it."""
    _Compiled({}, most).check_all(list(HOSTILE))


@pytest.mark.parametrize(
    "above", [b'{"a":[1,%b]}', *_long(b"%b", b"[%b]", b'{"a":%b}')]
)
@pytest.mark.parametrize("key", KEYS)
def test_keys(key: bytes, above: bytes) -> None:
    """Each key, with each value, alone, in an array and in an object."""
    roads = _Compiled({})
    for value in (*STRINGS, b"x" * 20):
        roads.check(above % (b'{"%b":"%b","value":"x","b":["y"]}' % (key, value)))
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
        pytest.param(b"[" + b"[" * 300 + b"]" * 300 + b",1,2]", id="out of the deep"),
        pytest.param(b'{"a":1,' * 2000, id="no end"),
        pytest.param(b"[" + b"1," * 9000 + b'"x"]', id="many items"),
        pytest.param(b'{"pin":[' + b"1," * 3000 + b'"x"]}', id="secret items"),
        pytest.param(b"[" + b'{"a":"b"},' * 1500 + b"7]", id="many objects"),
        pytest.param(b"[" + b'{"pin":"b"},' * 1500 + b"7]", id="many secrets"),
        pytest.param(b'{"t":[' + b'["x","y"],' * 700 + b'{"pin":1}]}', id="mixed"),
        pytest.param(b'{"%b":[%b1]}' % (b"k" * 999, b"1," * 3000), id="long key"),
        pytest.param(
            b"{%b}" % b",".join(b'"k%d":"v%d"' % (at, at) for at in range(5000)),
            id="more keys than are remembered",
        ),
        pytest.param(
            b"{%b}" % b",".join(b'"pin%d":"v%d"' % (at, at) for at in range(2000)),
            id="secret keys",
        ),
    ],
)
@pytest.mark.parametrize("options", [{}, {"max_record": 32768}], ids=str)
def test_large(sent: bytes, options: dict[str, object]) -> None:
    """Beyond the limits of a record both hold and hash the same rest."""
    roads = _Compiled(options)
    for _ in range(2):
        roads.check(sent)


def test_few_calls() -> None:
    """What is plain costs no call of Python, be it new or not."""
    told = []
    for count in (2000, 6000):
        members = [b'"k%d":"v %d"' % (at, at) for at in range(count)]
        roads = _Compiled({})
        document = b"[{%b},[%b1]]" % (b",".join(members), b"1," * count)
        told.append(calls(lambda: roads.take(document, roads.documents)))  # noqa: B023 - now

    assert told[1] - told[0] < 400
