"""
What a secret is known by in the memory of the compiled road.
"""

import pytest

from audit_mw import _native

KEY = bytes(range(16))


@pytest.mark.parametrize(
    ("length", "mark"),
    [
        (0, "a3817f04ba25a8e66df67214c7550293"),
        (1, "da87c1d86b99af44347659119b22fc45"),
        (15, "5493e99933b0a8117e08ec0f97cfc3d9"),
    ],
)
def test_vectors(length: int, mark: str) -> None:
    """The mark of 0, 1, 2, ... is that of the test vectors of SipHash-2-4-128."""
    assert _native.siphash(KEY, bytes(range(length))).hex() == mark


def test_each_byte_counts() -> None:
    """Each byte, the length and the key make another mark."""
    text = bytes(range(40))
    others = [bytes([*text[:at], 0xFF, *text[at + 1 :]]) for at in range(40)]
    marks = {_native.siphash(KEY, it) for it in (text, *others, text[:39], text + b"0")}

    assert len(marks) == 43
    assert _native.siphash(KEY[::-1], text) not in marks


def test_wrong_key() -> None:
    """A key of another length is an error."""
    with pytest.raises(ValueError, match="16 bytes"):
        _native.siphash(b"short", b"")
