"""
What the compiled road takes for a word without a secret, the redactor keeps as it is.
"""

import base64
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.effort import at_length
from tests.test_roads import JWT, make_rules

from audit_mw.policy.layers import says_nothing
from audit_mw.policy.shapes import IN_WORDS

_native = pytest.importorskip("audit_mw._native", reason="it was not built")

_HOUSE = ["zeta", "секрет", "q9"]  # what a house adds
_NAMES: tuple[list[str], ...] = ([], _HOUSE)
_STEMS = [_native.Stems(names) for names in _NAMES]
_REDACTORS = [make_rules({"secret_names": names}).redactor for names in _NAMES]
_TEXTS = (
    b"password=hunter2",
    b'{"password":"x1y2z3"}',
    b"token: abcdefgh12345",
    b"4111111111111111",
    b"\xf0\x9f\x98\x80" * 5,
    "pässwörd=hünter2".encode(),
    JWT,
)
_CARDS = "4111111111111111", "378282246310005", "30569309025904", "4222222222222"
_word = st.from_regex(rb"[A-Za-z0-9_-]{0,30}", fullmatch=True)
_texts = st.one_of(st.sampled_from(_TEXTS), st.binary(max_size=40))
_coded = st.one_of(
    _texts.map(lambda text: base64.urlsafe_b64encode(text).rstrip(b"=")),
    _texts.map(lambda text: text.hex().encode()),
    _texts.map(lambda text: text.hex().upper().encode()),
)
_cards = st.builds(
    lambda card, between, size: between.join(
        card[at : at + size] for at in range(0, len(card), size)
    ).encode(),
    st.sampled_from(_CARDS),
    st.sampled_from(("", "-", "_", "--", "a")),
    st.integers(1, 5),
)
_uuids = st.uuids().map(lambda found: str(found).encode())
_needles = st.sampled_from(IN_WORDS).map(str.encode)
_parts: Any = st.one_of(_word, _coded, _cards, _uuids, _needles)
words = st.tuples(
    st.lists(_parts, min_size=1, max_size=4).map(b"".join),
    st.sampled_from((12, 13, 20, 40, 63, 64, 65)),
).map(lambda drawn: drawn[0][: drawn[1]])


def _check(word: bytes) -> None:
    for stems, redactor in zip(_STEMS, _REDACTORS, strict=True):
        if stems.is_plain_word(word):
            assert word is redactor.value(None, word, b"q")


# Short texts, behind some letters: what looks for base64 begins anywhere; and what is
# said may be coded once more. Most words that a machine makes, and that say something,
# say characters of two bytes.
_PARTS = (
    "pin=1 pw:ab pin| otp| cvv key pass = : ＝ ： é Ϗ ß ½ “ | 4111 %3d \\ \t is api id "
    "код пароль пін секрет π ο ѕ zeta q9 2fa MII sk- -us AKIA * ' < 41111111 1111 \n"
).split(" ")
_letters = st.from_regex(rb"[A-Za-z0-9_-]{0,7}", fullmatch=True)


def _within(texts: st.SearchStrategy[bytes]) -> st.SearchStrategy[bytes]:
    coded = texts.map(lambda text: base64.urlsafe_b64encode(text).rstrip(b"="))

    return st.tuples(_letters, coded, _letters).map(b"".join)


_short_texts = st.one_of(
    st.text(max_size=9),
    st.lists(st.sampled_from(_PARTS), min_size=1, max_size=4).map("".join),
    st.text(st.sampled_from("aZ09-_=:é½ϏΩ[]{}|~^"), max_size=12),
    st.text(st.characters(min_codepoint=0x80, max_codepoint=0x7FF), max_size=20),
    st.lists(
        st.one_of(
            st.sampled_from(_PARTS),
            st.characters(min_codepoint=0x80, max_codepoint=0x7FF),
        ),
        min_size=1,
        max_size=6,
    ).map("".join),
).map(str.encode)
short_words = st.one_of(
    _within(_short_texts),
    _within(st.tuples(_within(_short_texts), _short_texts).map(b"".join)),
)
test_short = settings(max_examples=500)(given(short_words)(_check))
test_short_at_length = pytest.mark.long(at_length(4_000)(given(short_words)(_check)))

test_plain = settings(max_examples=500)(given(words)(_check))
test_plain_at_length = pytest.mark.long(at_length(6_000)(given(words)(_check)))


@pytest.mark.parametrize("text", [b"shoes", b"a" * 12, b"", b"price-desc-of-all-shoes"])
def test_words_are_plain(text: bytes) -> None:
    """What people look for is a plain word: else all would go the long road."""
    assert _STEMS[0].is_plain_word(text)


def test_words_of_chance_are_plain() -> None:
    """
    Of words with a number of a machine's in them hardly one takes a closer look.

    Of some such numbers one in six is text in base64, by chance.
    """
    words = [b"shoes-%08x" % (0x3E08FE00 + number) for number in range(1000)]
    said = [word for word in words if not says_nothing(word)]
    odd = [word for word in said if not _STEMS[0].is_plain_word(word)]

    assert len(said) > 100
    assert len(odd) < len(said) / 5


@pytest.mark.parametrize(
    "text",
    [
        b"a" * 65,
        b"blue suede",
        b"a.b",
        b"caf\xc3\xa9",
        b"4111-1111-1111-1111",
        base64.urlsafe_b64encode(b"password=hunter2").rstrip(b"="),
        base64.urlsafe_b64encode(b"pin|12345678").rstrip(b"="),
        b"password=hunter2".hex().encode(),
        b"ghp_" + b"a1" * 10,
        b"\x00" * 13,
    ],
)
def test_others_are_not(text: bytes) -> None:
    """What may have a secret in it takes a closer look."""
    assert not _STEMS[0].is_plain_word(text)
