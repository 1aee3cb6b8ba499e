"""What the compiled look at a name finds is what the one in Python does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.effort import at_length
from tests.policy.test_names import ORDINARY, PASSWORDS, TOKENS
from tests.strategies import few

from audit_mw.policy import words
from audit_mw.policy.names import Classifier

_names = pytest.importorskip("audit_mw.policy._names", reason="it was not built")

# The user's own: of one letter it is left to Python, others are not of ASCII.
_OPTIONS = (
    ((), ()),
    (("factor", "2nd"), ()),
    (("pas", "Schlüssel"), ("token", "PIN-2", "naïve")),
    (("k",), ()),
    (("", "-"), ("-",)),
)
_CLASSIFIERS = [Classifier(*options) for options in _OPTIONS]
_WORDS = sorted(
    {
        word
        for table in vars(words).values()
        if isinstance(table, (set, tuple, list))
        for word in table
    }
)

_pieces = st.one_of(
    st.sampled_from(_WORDS),
    st.sampled_from(_WORDS).map(str.title),
    st.sampled_from(_WORDS).map(str.upper),
    st.sampled_from([*PASSWORDS, *TOKENS, *ORDINARY]),
    st.sampled_from(["_", "-", " ", ".", "[", "]", "/", "%", "0", "2", "12", "x", "S"]),
    st.sampled_from(["factor", "2nd", "pas", "k", "no", "cc", "2fa", "sess", "é", "а"]),
    st.text(st.characters(max_codepoint=0x7F), max_size=4),
)
_of_pieces = st.lists(_pieces, max_size=6).map(lambda found: "".join(found).encode())
_any_names = st.one_of(_of_pieces, st.binary(max_size=20))


def _check(name: bytes) -> None:
    for classifier in _CLASSIFIERS:
        assert classifier._look(name) == classifier._look_closely(name)


test_same = few(given(_any_names)(_check))
test_same_at_length = pytest.mark.long(at_length(6_000)(given(_any_names)(_check)))


@pytest.mark.parametrize("word", _WORDS)
def test_each_word(word: str) -> None:
    """Each word of the tables alone, cut, joined with another, in any case."""
    for name in (word, word[:-1], word[1:], f"my{word}", f"{word}2", f"x_{word}_y"):
        for each in (name, name.upper(), name.title(), f"is_{name}", f"{name}Title"):
            _check(each.encode())


@pytest.mark.parametrize("size", [0, 1, 2, 511, 512, 513, 1024, 1025, 5000])
@pytest.mark.parametrize(
    "piece", [b"a", b"-", b"A", b"1", b"aB", b"1-", b"pin-", b"bypass"]
)
def test_lengths(size: int, piece: bytes) -> None:
    """Names of any length, with something secret at any end of them."""
    filled = (piece * size)[:size]
    for name in (filled, filled + b"-pin", b"pin-" + filled, filled + b"pinX"):
        _check(name)


def test_is_taken() -> None:
    """Names of ASCII are looked at by what is compiled, but for a stem of one letter."""
    found = [each._compiled for each in _CLASSIFIERS]

    assert [it is not None for it in found] == [True, True, True, False, True]
    assert found[0] is not None
    assert found[0].look(b"user[password]") == "password"
    assert found[0].look("naïve".encode()) is ...
