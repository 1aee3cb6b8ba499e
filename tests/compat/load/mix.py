# The mixed load: kinds of requests, each as it stands on the wire and as it must stand
# in the trail.
#
# A request carries one word, its own, wherever a request can carry anything. So a value
# that came into the record of another request is seen, whatever its source.
import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from tests.compat.load.app import STREAM

__all__ = ["KINDS", "Case", "Ending", "Kind", "plan", "word"]

_SPARE = [
    "Host: example.org",
    "User-Agent: load {word}",
    "Referer: http://example.org/?from={word}",
    "X-Request-ID: {word}",
    "Cookie: case={word}; theme=dark; case={word}",
]
_BOUNDARY = "edge-of-part"
_LENGTH = 16  # bytes of a word


def word(number: int) -> str:
    """Return the word of a request."""
    return f"case-{number:07}-end"


class Body(NamedTuple):
    """A body: its media type, its bytes, and in how many params the word is."""

    type: str
    content: bytes
    holders: int
    digests: frozenset[str] = frozenset()


class Ending(NamedTuple):
    """How a record may end: outcome, status, and bytes sent (None: any number)."""

    outcome: str
    status: int | None
    sent: int | None = None


def _no_body(_word: str) -> Body:
    return Body("", b"", 0)


def _form(word: str) -> Body:
    content = f"case={word}&text=a+b%20c&empty=&case={word}".encode()

    return Body("application/x-www-form-urlencoded", content, 2)


def _json(word: str) -> Body:
    # Some hundred values come again and again: each is spilled once by each process.
    long = f"{word[-7:-4]} again " * 40
    text = f'{{"case": "{word}", "n": [1, 2.50, {{"deep": "{word}"}}], "s": "{long}"}}'
    spilled = frozenset({_digest(long.encode())})

    return Body("application/json", text.encode(), 2, spilled)


def _multipart(word: str) -> Body:
    file = word.encode() * 500
    disposition = "Content-Disposition: form-data; name="
    lines = [
        f"--{_BOUNDARY}",
        f'{disposition}"case"',
        "",
        word,
        f"--{_BOUNDARY}",
        f'{disposition}"upload"; filename="{word}.bin"',
        "Content-Type: application/octet-stream",
        "",
        file.decode(),
        f"--{_BOUNDARY}--",
        "",
    ]
    content = "\r\n".join(lines).encode()
    digests = frozenset({_digest(file)})

    return Body(f"multipart/form-data; boundary={_BOUNDARY}", content, 2, digests)


def _digest(value: bytes) -> str:
    return hashlib.sha256(value).hexdigest()


@dataclass(frozen=True, kw_only=True)
class Kind:
    """
    A kind of request.

    Args:
        weight: how many of a hundred requests are of it.
        method, path: where it goes; the path says what the application does.
        body: makes its body.
        chunked: the body is sent in chunks.
        endings: how its record may end.
        manner: `whole`, if it can share a connection; else what the client does:
            `websocket`, or leave within the `body` or the `response`.
    """

    weight: int
    method: str = "GET"
    path: str = "/echo"
    body: Callable[[str], Body] = _no_body
    chunked: bool = False
    endings: frozenset[Ending] = field(
        default=frozenset({Ending("SUCCESS", 200, _LENGTH)})
    )
    manner: str = "whole"


def _ends(*endings: Ending) -> frozenset[Ending]:
    return frozenset(endings)


_STREAMED = _ends(Ending("SUCCESS", 200, sum(map(len, STREAM))))
# A client that left within its body is gone, or its application took what came for the
# whole, and answered: WSGI servers differ in what a read then gives.
_LEFT = _ends(
    Ending("ABORTED", None, 0),
    Ending("SUCCESS", 200, _LENGTH),
    Ending("ABORTED", 200, _LENGTH),
)
# uvicorn tells 1005, closed without a code, also of a websocket that was lost.
_LOST = _ends(Ending("ABORTED", 101), Ending("SUCCESS", 101))

KINDS = {
    "get": Kind(weight=26),
    "head": Kind(weight=5, method="HEAD", endings=_ends(Ending("SUCCESS", 200))),
    "form": Kind(weight=15, method="POST", body=_form),
    "json": Kind(weight=13, method="PUT", body=_json),
    "multipart": Kind(weight=8, method="POST", body=_multipart),
    "chunked": Kind(weight=8, method="POST", body=_form, chunked=True),
    "streamed": Kind(weight=8, path="/stream", endings=_STREAMED),
    "missing": Kind(
        weight=5, path="/missing", endings=_ends(Ending("FAILURE", 404, _LENGTH))
    ),
    "error": Kind(weight=3, path="/error", endings=_ends(Ending("ERROR", None, 0))),
    "websocket": Kind(
        weight=3, manner="websocket", endings=_ends(Ending("SUCCESS", 101))
    ),
    "lost websocket": Kind(weight=2, manner="lost websocket", endings=_LOST),
    "leaves body": Kind(
        weight=3, method="POST", body=_multipart, manner="body", endings=_LEFT
    ),
    "leaves response": Kind(
        weight=1,
        path="/flood",
        manner="response",
        endings=_ends(Ending("ABORTED", 200), Ending("ABORTED", None, 0)),
    ),
}


@dataclass(frozen=True)
class Case:
    """One request: its number and its kind."""

    number: int
    kind: str

    @property
    def manner(self) -> str:
        """What the client does with it."""
        return KINDS[self.kind].manner

    @property
    def word(self) -> str:
        """Return what it carries."""
        return word(self.number)

    @property
    def body(self) -> Body:
        """Return its body."""
        return KINDS[self.kind].body(self.word)

    def head(self, *more: str) -> bytes:
        """Return its head as it stands on the wire."""
        kind, body = KINDS[self.kind], self.body
        target = f"{kind.path}?case={self.word}&a=1&a=2&flag"
        lines = [f"{kind.method} {target} HTTP/1.1"]
        lines += [line.format(word=self.word) for line in _SPARE]
        if body.type:
            lines.append(f"Content-Type: {body.type}")
        if kind.chunked:
            lines.append("Transfer-Encoding: chunked")
        elif body.content:
            lines.append(f"Content-Length: {len(body.content)}")

        return "\r\n".join([*lines, *more, "", ""]).encode()

    @property
    def wire(self) -> bytes:
        """Return the whole request as it stands on the wire."""
        content = self.body.content
        if KINDS[self.kind].chunked:
            half = len(content) // 2
            content = _chunk(content[:half]) + _chunk(content[half:]) + _chunk(b"")

        return self.head() + content


def _chunk(content: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(content), content)


def plan(
    count: int, left_out: frozenset[str], chance: random.Random
) -> Iterator[list[Case]]:
    """
    Yield requests in batches: each is sent in one piece, on one connection.

    Args:
        count: how many requests in all.
        left_out: kinds that the server does not serve.
        chance: decides.
    """
    kinds = [name for name in KINDS if name not in left_out]
    weights = [KINDS[name].weight for name in kinds]
    batch: list[Case] = []
    for number in range(count):
        (kind,) = chance.choices(kinds, weights)
        case = Case(number, kind)
        if case.manner != "whole":
            yield [case]
            continue
        batch.append(case)
        # An error ends its connection, so nothing may stand behind it.
        if kind == "error" or len(batch) == 4 or chance.random() < 0.7:
            yield batch
            batch = []
    if batch:
        yield batch
