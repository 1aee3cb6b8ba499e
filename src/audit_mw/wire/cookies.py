# Cookie field lines -> pairs.
#
# What a user agent is to send (RFC 6265 4.2.1):
#     cookie-string = cookie-pair *( ";" SP cookie-pair )
# What arrives is wider: spaces missing or doubled, names repeated, no "=".
#
# Rule 1: order and repeats are kept. The last value does not win here.
# Rule 2: nothing is unquoted or percent-decoded; we record what was sent. White space
#         around a name or a value is no part of it; where there is other than the one
#         space of the grammar, the halves are kept as sent, too.
# Rule 3: no input is an error. A piece without "=" is a name with no value.
#
# HTTP/2 may split the field over several lines (RFC 9113 8.2.3), so callers pass
# every Cookie line, in order.
from collections.abc import Iterable, Iterator

from audit_mw.wire.head import OWS, Pair

__all__ = ["parse_cookies"]


def parse_cookies(lines: Iterable[bytes]) -> Iterator[Pair]:
    """Yield the cookie-pairs of all Cookie field lines, in wire order."""
    for line in lines:
        if not line:
            continue
        first, *others = line.split(b";")
        yield _pair(first)
        for piece in others:
            yield _pair(piece.removeprefix(b" "))


_EMPTY = Pair(b"", None)  # what stands between two ";", however many there are


def _pair(piece: bytes) -> Pair:
    if not piece:
        return _EMPTY
    name, equals, value = piece.partition(b"=")
    bare = Pair(name.strip(OWS), value.strip(OWS) if equals else None)
    if (bare.name, bare.value or b"") == (name, value):
        return bare

    return bare._replace(sent=(name, value if equals else None))
