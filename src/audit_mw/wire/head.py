# Field lines: what several parsers share.
#
# Names arrive in lower case; values are bytes, since a field value may hold any
# byte from 0x80 up (RFC 9110 5.5), and no guess at their coding is made here.
import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

__all__ = [
    "OWS",
    "MediaType",
    "Pair",
    "field_values",
    "parse_media_type",
    "split_list",
]

OWS = b" \t"  # optional whitespace, RFC 9110 5.6.3

Fields = Iterable[tuple[bytes, bytes]]


class Pair(NamedTuple):
    """
    A name and a value, in wire order.

    `value` is None where there was no `=`. `sent` holds both halves as they were
    sent, where coding name and value plainly again would not give them back.
    """

    name: bytes
    value: bytes | None
    sent: tuple[bytes, bytes | None] | None = None


class MediaType(NamedTuple):
    """A media type in lower case, and its parameters with names in lower case."""

    name: bytes
    parameters: dict[bytes, bytes]


def field_values(fields: Fields, name: bytes) -> list[bytes]:
    """Return the values of all field lines called `name`, in order."""
    return [value for field, value in fields if field == name]


# parameter = token "=" ( token / quoted-string ), RFC 9110 5.6.6. The quantifiers are
# possessive: a failed match gives up at once, where giving bytes back one by one
# would cost the square of a hostile line's length.
_PARAMETER = re.compile(
    rb';[ \t]*+([^=;"\s]++)=(?:"((?:[^"\\]|\\.)*+)"|([^;"\s]*+))', re.DOTALL
)
_QUOTED_PAIR = re.compile(rb"\\(.)", re.DOTALL)


def parse_media_type(value: bytes) -> MediaType:
    """Return the media type of a Content-Type line (RFC 9110 8.3.1)."""
    name, _, rest = value.partition(b";")
    parameters: dict[bytes, bytes] = {}
    for key, quoted, token in _PARAMETER.findall(b";" + rest):
        # The first of two equal names counts; readers differ, and evidence of both
        # is in the recorded field line.
        parameters.setdefault(key.lower(), _QUOTED_PAIR.sub(rb"\1", quoted) or token)

    return MediaType(name.strip(OWS).lower(), parameters)


# A quote that is never closed reaches to the end of its line, whatever that is: were a
# backslash there a failure, each quote before it would be tried, and fail, anew.
_ELEMENT = re.compile(rb'(?:[^",]++|"(?:[^"\\]++|\\.?)*+(?:"|$))*+', re.DOTALL)


def split_list(lines: Iterable[bytes]) -> Iterator[bytes]:
    """
    Yield the elements of a list field (RFC 9110 5.6.1), quoted commas kept.

    Empty elements are left out, as a recipient must (RFC 9110 5.6.1.2).
    """
    for line in lines:
        at = 0
        while at <= len(line):
            match = _ELEMENT.match(line, at)
            end = match.end() if match else len(line)
            element = line[at:end].strip(OWS)
            if element:
                yield element
            at = end + 1
