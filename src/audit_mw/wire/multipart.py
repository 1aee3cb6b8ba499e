# multipart/form-data -> parts, as they stream by.
#
# The decoder is werkzeug's, which is sans-IO, incremental and well worn. Around it
# stand the bounds that it leaves to its caller, and the exact bytes that it loses:
#
# 1. It keeps all that stands before the first boundary, and the head of a part, until
#    that ends. We give up at `limit`.
# 2. It decodes heads as UTF-8 and fails on anything else, where other readers do not:
#    a client could hide the parts behind such a one. We hand it Latin-1.
# 3. It searches its whole buffer again for each part, so it is fed in small slices.
# 4. Where a chunk ends within a delimiter, it takes the CR before it for content, or
#    the delimiter itself, if that is padded. So it is fed whole lines: what it finds
#    must not depend on how the network cut the body.
import hashlib
from collections.abc import Iterator
from typing import NamedTuple, cast

from werkzeug.datastructures import Headers
from werkzeug.sansio.multipart import (
    Data,
    Field,
    File,
    MultipartDecoder,
    NeedData,
    Preamble,
    State,
)

from audit_mw.wire.query import Long

__all__ = ["FieldPart", "FilePart", "MultipartParser", "Tail"]

_SLICE = 1 << 16
_SMALL_FILE = 1 << 16  # of these the content is held, for a look at it


class FieldPart(NamedTuple):
    """A part without a file name. `sent` is its disposition if that was odd."""

    name: bytes | None
    value: bytes | Long
    sent: bytes | None


class Tail(NamedTuple):
    """
    Bytes that no parser understood.

    `held` is None where they are more than may be held, or were not kept.
    """

    len: int
    held: bytes | None
    sha256: str = ""


class FilePart(NamedTuple):
    """A part with a file name: its content is counted, hashed, and held if small."""

    name: bytes | None
    filename: bytes
    type: bytes | None
    content: Tail
    sent: bytes | None


Part = FieldPart | FilePart | Tail


class MultipartParser:
    """
    A multipart body as it streams by.

    Args:
        boundary: of the Content-Type's parameter.
        limit: bytes of one value, one head or one preamble that are held.
    """

    def __init__(self, boundary: bytes, limit: int) -> None:
        self._decoder = _Decoder(boundary, limit)
        self._held = bytearray()  # the first bytes of a line
        self._limit = limit
        self._part: _OpenPart
        self._fed = 0
        self._understood = 0
        self._epilogue: Holder | None = None
        self._broken = False

    def feed(self, chunk: bytes) -> Iterator[Part]:
        """Yield the parts that `chunk` completes."""
        self._held += chunk
        if b"\n" in chunk or len(self._held) >= _SLICE:
            while end := self._whole_lines():
                lines = bytes(self._held[:end])
                del self._held[:end]
                yield from self._feed(lines)

    def _whole_lines(self) -> int:
        end = self._held.rfind(b"\n", 0, _SLICE) + 1

        return end or (_SLICE if len(self._held) >= _SLICE else 0)

    def finish(self) -> Iterator[Part]:
        """Yield what is left: what followed the last boundary, or was never closed."""
        yield from self._feed(bytes(self._held))
        self._held.clear()
        if self._epilogue is not None:
            tail = self._epilogue.finish()
            if tail.held is None or tail.held.strip(b"\r\n"):
                yield tail
        elif self._fed > self._understood:
            yield Tail(self._fed - self._understood, None)

    def _feed(self, piece: bytes) -> Iterator[Part]:
        self._fed += len(piece)
        if self._epilogue is not None:
            self._epilogue.feed(piece)
        elif not self._broken:
            self._decoder.receive_data(piece)
            yield from self._parts()

    def _parts(self) -> Iterator[Part]:
        while not self._awaits_content():
            try:
                event = self._decoder.next_event()
            except (ValueError, AttributeError, LookupError):
                # ValueError is its word for a broken body; the others are its
                # slips on heads that it did not foresee.
                self._broken = True
                return
            if isinstance(event, NeedData):
                break
            yield from self._take(event)
            if self._broken:
                return
        if self._decoder.state is State.EPILOGUE:
            self._epilogue = Holder(self._limit)
            self._epilogue.feed(bytes(self._decoder.buffer))
            self._understood = self._fed
        elif len(self._decoder.buffer) > self._limit + len(b"\r\n"):
            self._broken = self._decoder.state in (State.PREAMBLE, State.PART)

    def _awaits_content(self) -> bool:
        # A delimiter that follows a head at once shares its line break, RFC 2046 5.1.1.
        decoder = self._decoder

        return decoder.state is State.DATA_START and len(decoder.buffer) <= len(b"\r\n")

    def _take(self, event: object) -> Iterator[Part]:
        if isinstance(event, Preamble):
            if len(event.data) > self._limit:
                self._broken = True
                return
            self._mark()
            if event.data:
                yield Tail(len(event.data), event.data)
        elif isinstance(event, (Field, File)):
            self._part = _OpenPart(event, self._limit)
        else:  # an Epilogue comes only to who announces the end, and we do not
            data = cast("Data", event)
            self._part.content.feed(data.data)
            if not data.more_data:
                yield self._part.finish()
                self._mark()

    def _mark(self) -> None:
        self._understood = self._fed - len(self._decoder.buffer)


class _Decoder(MultipartDecoder):
    def __init__(self, boundary: bytes, limit: int) -> None:
        super().__init__(boundary)
        self._limit = limit

    def _parse_headers(self, data: bytes | bytearray) -> Headers:
        if len(data) > self._limit:
            raise ValueError("a head beyond the limit")
        # Latin-1 gives each byte a character, so that none is refused and the exact
        # bytes can be had again.
        return super()._parse_headers(data.decode("latin-1").encode())


def _exact(text: str) -> bytes:
    try:
        return text.encode("latin-1")
    except UnicodeEncodeError:  # the extended form, name*=UTF-8''..., RFC 5987 3.2
        return text.encode("utf-8", "surrogatepass")


class _OpenPart:
    def __init__(self, head: Field | File, limit: int) -> None:
        self._name = None if head.name is None else _exact(head.name)
        self._filename = _exact(head.filename) if isinstance(head, File) else None
        self._head = head
        self.content = Holder(
            limit if self._filename is None else min(limit, _SMALL_FILE)
        )

    def finish(self) -> Part:
        content = self.content.finish()
        if self._filename is None:
            held = content.held
            value = Long(content.len, content.sha256) if held is None else held
            return FieldPart(self._name, value, self._sent())
        media_type = self._head.headers.get("content-type")

        return FilePart(
            self._name,
            self._filename,
            None if media_type is None else _exact(media_type),
            content,
            self._sent(),
        )

    def _sent(self) -> bytes | None:
        # Of two lines one reader takes the first and another the last.
        sent = _exact(", ".join(self._head.headers.getlist("content-disposition")))
        plain = b'form-data; name="%s"' % (self._name or b"")
        if self._filename is not None:
            plain += b'; filename="%s"' % self._filename

        return None if sent == plain else sent


class Holder:
    """Bytes up to a limit; length and digest of any number."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._held: bytearray | None = bytearray()
        self._sha256 = hashlib.sha256()
        self._len = 0

    def feed(self, chunk: bytes) -> None:
        """Take a chunk."""
        self._len += len(chunk)
        self._sha256.update(chunk)
        if self._held is not None:
            if self._len <= self._limit:
                self._held += chunk
            else:
                self._held = None

    def finish(self) -> Tail:
        """Return what came."""
        held = None if self._held is None else bytes(self._held)

        return Tail(self._len, held, self._sha256.hexdigest())
