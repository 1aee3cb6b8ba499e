# The steps in which a well-formed JSON document is read at speed: one match each.
#
# `json.py` reads token by token, and is the judge of what a document says. A step is
# what it takes between two values, and the value: the comma, the key and its colon. Of
# a document that these match from its start to its end it would say the same; where one
# does not match, nothing is said, and the judge is asked.
#
# Groups: the key, a string, another scalar, what opens. Where there is none of them,
# something closes.
import re

__all__ = [
    "EMPTY",
    "FIRST_ITEM",
    "FIRST_MEMBER",
    "NEXT_COMMA",
    "NEXT_ITEM",
    "NEXT_MEMBER",
    "OPENING",
]

_SPACE = rb"[ \t\n\r]*+"
_STRING = rb'"((?:[^"\\]++|\\.)*+)"'
_VALUE = (
    rb"(?:" + _STRING + rb"|(-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?+(?:[eE][+-]?[0-9]++)?+"
    rb"|true|false|null|NaN|-?Infinity)|([\[{]))"
)
_COMMA = rb"," + _SPACE
_MEMBER = _STRING + _SPACE + rb":" + _SPACE + _VALUE


def _step(before: bytes, value: bytes, closing: bytes) -> re.Pattern[bytes]:
    return re.compile(rb"%b(?:%b%b|%b)" % (_SPACE, before, value, closing), re.DOTALL)


FIRST_MEMBER = _step(b"", _MEMBER, rb"\}")
NEXT_MEMBER = _step(_COMMA, _MEMBER, rb"\}")
# Without a key; the group is there so that the others have the same numbers.
FIRST_ITEM = _step(b"", rb"(?:(?!)())?" + _VALUE, rb"\]")
NEXT_ITEM = _step(_COMMA, rb"(?:(?!)())?" + _VALUE, rb"\]")
OPENING = re.compile(_SPACE + rb"([\[{])")
EMPTY = re.compile(_SPACE + rb"\}")
NEXT_COMMA = re.compile(_SPACE + rb",")
