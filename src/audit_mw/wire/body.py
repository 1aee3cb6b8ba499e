# Which parser reads a body, and one face for all of them.
#
# A body is fed as the application reads it, and what it means comes out in pieces:
# pairs of a form, members of a JSON document, parts, and a `Tail` for what nobody
# understood. Only the media type decides, as it does in frameworks; but a body of
# another type that is a whole JSON object or array is read as one, since an
# application may ask for JSON without looking at the type.
#
# With a Content-Encoding the bytes are not what the type says, so they are a Tail.
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, NamedTuple, Protocol, TypeVar

from audit_mw.wire.head import MediaType, Pair, field_values, parse_media_type
from audit_mw.wire.json import Items, Member, flatten
from audit_mw.wire.multipart import FieldPart, FilePart, Holder, MultipartParser, Tail
from audit_mw.wire.query import FormParser, Long, Pieces

__all__ = [
    "BodyParser",
    "Document",
    "LongPair",
    "Piece",
    "compile_body_parser",
    "media_types",
]

Tag = TypeVar("Tag")
LongPair = tuple[bytes | Long, Long | None]


class Document(NamedTuple, Generic[Tag]):
    """
    A body that may be a JSON document, not read yet.

    `body` has all of it. It is declared as one if `is_json`; else it is one if it is
    good to its end.
    """

    body: Tail
    classify: Callable[[bytes], Tag | None]
    is_json: bool

    def pieces(self) -> "Iterator[Piece[Tag]]":
        """Yield its members, and what could not be read."""
        members, tail = flatten(self.body.held or b"", self.classify, in_runs=True)
        if self.is_json or not tail:
            yield from members
        left = self.left(tail, has_members=bool(members))
        if left.len:
            yield left

    def left(self, tail: int, *, has_members: bool) -> Tail:
        """Return what the members do not tell; `tail` bytes could not be read."""
        if not tail:
            return Tail(0, None)
        # A document of which nothing was understood may be another thing, and is looked
        # at as such.
        return Tail(tail, None) if self.is_json and has_members else self.body


Piece = (
    Pair
    | LongPair
    | Pieces
    | Document[Tag]
    | Member[Tag]
    | Items[Tag]
    | FieldPart
    | FilePart
    | Tail
)
Fields = Iterable[tuple[bytes, bytes]]


class BodyParser(Protocol[Tag]):
    """A body as it streams by."""

    def feed(self, chunk: bytes) -> Iterator[Piece[Tag]]:
        """Yield the pieces that `chunk` completes."""
        ...

    def finish(self) -> Iterator[Piece[Tag]]:
        """Yield what is left when no more will come."""
        ...


class _DocumentParser(Generic[Tag]):
    """A JSON document, or a body of a type that no parser knows."""

    def __init__(
        self,
        limit: int,
        classify: Callable[[bytes], Tag | None],
        *,
        is_json: bool,
        whole: bool,
    ) -> None:
        self._holder = Holder(limit)
        self._classify = classify
        self._is_json = is_json
        self._whole = whole

    def feed(self, chunk: bytes) -> Iterator[Piece[Tag]]:
        self._holder.feed(chunk)

        return iter(())

    def finish(self) -> Iterator[Piece[Tag]]:
        body = self._holder.finish()
        if body.held and (self._is_json or body.held.lstrip()[:1] in (b"{", b"[")):
            document = Document(body, self._classify, self._is_json)
            if self._whole:
                yield document
            else:
                yield from document.pieces()
        elif body.len:
            yield body


def media_types(fields: Fields) -> list[MediaType]:
    """Return the media types of all Content-Type lines; as a rule there is one."""
    return [parse_media_type(value) for value in field_values(fields, b"content-type")]


_NOT_CODED = {b"", b"identity"}


def compile_body_parser(
    limit: int, classify: Callable[[bytes], Tag | None], *, whole: bool = False
) -> Callable[[Fields], BodyParser[Tag]]:
    """
    Return a function from field lines to the parser for the body behind them.

    Args:
        limit: bytes that are held of one value or of one document.
        classify: is asked for the tag of each key of a JSON document.
        whole: a document is given as a `Document`.
    """

    def plain(_media_type: MediaType) -> BodyParser[Tag]:
        return _DocumentParser(limit, classify, is_json=False, whole=whole)

    def json(_media_type: MediaType) -> BodyParser[Tag]:
        return _DocumentParser(limit, classify, is_json=True, whole=whole)

    def form(_media_type: MediaType) -> BodyParser[Tag]:
        return FormParser(limit, in_runs=True)

    def multipart(media_type: MediaType) -> BodyParser[Tag]:
        boundary = media_type.parameters.get(b"boundary")

        return MultipartParser(boundary, limit) if boundary else plain(media_type)

    readers = {
        b"application/x-www-form-urlencoded": form,
        b"multipart/form-data": multipart,
        b"application/json": json,
        b"text/json": json,
    }

    def choose(fields: Fields) -> BodyParser[Tag]:
        for coding in field_values(fields, b"content-encoding"):
            if coding.strip().lower() not in _NOT_CODED:
                return plain(MediaType(b"", {}))
        # Of several types the first that a parser knows counts. A client that sends
        # two could else choose which one the log believes.
        for media_type in media_types(fields):
            name = media_type.name
            reader = readers.get(name, json if name.endswith(b"+json") else None)
            if reader is not None:
                return reader(media_type)

        return plain(MediaType(b"", {}))

    return choose
