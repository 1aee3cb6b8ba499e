# What the parsers find in a body -> params.
import re
from collections.abc import Iterable

from audit_mw.config import Config
from audit_mw.event import (
    Hole,
    JsonText,
    Opaque,
    Redacted,
    Spilled,
    Text,
    Upload,
    Value,
)
from audit_mw.gathering import Gathering
from audit_mw.policy.documents import retag
from audit_mw.policy.layers import is_text
from audit_mw.policy.names import OPAQUE, TOKEN
from audit_mw.policy.redaction import Redactor
from audit_mw.wire.body import LongPair, Piece
from audit_mw.wire.head import Pair
from audit_mw.wire.json import Member, Prefix
from audit_mw.wire.multipart import FieldPart, FilePart, Tail
from audit_mw.wire.query import Long

__all__ = ["BodyParams"]

# Codings in which letters are not their ASCII bytes: the look for names sees nothing.
_CHARSET = re.compile(
    rb"charset\s*+=\W*+(?:utf-?7|utf-?16|utf-?32|cp037|ebcdic|iso-2022)", re.IGNORECASE
)
# Types of which a short message can be printable throughout.
_BINARY = re.compile(
    rb"proto|grpc|msgpack|cbor|thrift|avro|bson|pickle|octet-stream|serialized|amf",
    re.IGNORECASE,
)


class BodyParams:
    """
    The params of one body, added to what else is gathered.

    Args:
        config: the types that may be kept unread.
        redactor: decides what is withheld.
        gathering: takes the params.
        media_type: the body's, as sent.
    """

    def __init__(
        self,
        config: Config,
        redactor: Redactor,
        gathering: Gathering,
        media_type: bytes | None,
    ) -> None:
        self._config = config
        self._redactor = redactor
        self._gathering = gathering
        self._spilling = gathering.spilling
        self._media_type = media_type
        self._prefixes: dict[Prefix, Hole] = {}

    def add_all(self, pieces: Iterable[Piece[str]]) -> None:
        """Take pieces of the body; the members of a document come all at once."""
        members: list[Member[str]] = []
        for piece in pieces:
            if isinstance(piece, Member):
                members.append(piece)
                continue
            self._add_document(members)
            members = []
            self.add(piece)
        self._add_document(members)

    def _add_document(self, members: list[Member[str]]) -> None:
        for member in retag(members, self._redactor.classify):
            self._add_member(member)

    def add(self, piece: Piece[str]) -> None:
        """Take a piece of the body."""
        if isinstance(piece, Pair):
            self._gathering.add_pair("form", piece)
        elif isinstance(piece, Member):
            self._add_member(piece)
        elif isinstance(piece, FieldPart):
            self._add_field_part(piece)
        elif isinstance(piece, FilePart):
            self._add_file_part(piece)
        elif isinstance(piece, Tail):
            self._gathering.add("body", None, self._tail(piece))
        else:
            self._add_long_pair(piece)

    def _add_member(self, member: Member[str]) -> None:
        value: Value
        key = member.name.rpartition(b"/")[2]
        cls = member.tag or self._redactor.class_of("json", key, member.value)
        if member.is_string:
            value = self._gathering.value(cls, member.value, key)
        elif cls is not None and member.value[:1] in b"-0123456789":
            value = self._gathering.withhold(cls, member.value)
        else:
            value = self._gathering.value(None, member.value)
            if isinstance(value, bytes):
                value = self._json(value)
        name = self._gathering.name(cls, member.name)
        if member.prefix is not None:
            name = (self._prefix(member.prefix), *_parts(name))
        self._gathering.add("json", name, value)

    def _json(self, text: bytes) -> Value:
        if not self._spilling.is_long(text):
            return JsonText(text)

        return Spilled(len(text), self._spilling.spill(text))

    def _prefix(self, prefix: Prefix) -> Hole:
        hole = self._prefixes.get(prefix)
        if hole is None:
            hole = self._prefixes[prefix] = self._new_prefix(prefix)

        return hole

    def _new_prefix(self, prefix: Prefix) -> Hole:
        if prefix.len > self._spilling.room:
            self._spilling.note_cut(prefix.len)
            return Hole(prefix.len, OPAQUE)
        text = prefix.text()
        if isinstance(self._redactor.name(TOKEN, text), tuple):
            return Hole(prefix.len, OPAQUE)

        return Hole(prefix.len, sha256=self._spilling.spill(text))

    def _add_field_part(self, part: FieldPart) -> None:
        name, sent = part.name or b"", part.sent
        held = b"" if isinstance(part.value, Long) else part.value
        cls = self._redactor.class_of("form", name, held)
        if cls is None and sent is not None:
            # Of two names one reader takes the first and another the last.
            cls = self._redactor.class_in(sent)
        if isinstance(part.value, Long):
            value = self._long(cls, part.value)
        else:
            value = self._gathering.value(cls, part.value, name)
        odd = sent is not None and not self._redactor.finds(sent)
        self._gathering.add(
            "form",
            None if part.name is None else self._gathering.name(cls, name),
            value,
            (sent, None) if odd and sent is not None else None,
        )

    def _add_file_part(self, part: FilePart) -> None:
        name = part.name or b""
        cls = self._redactor.classify(name)
        value: Value = Upload(
            self._spilling.bound(self._gathering.text(part.filename)),
            self._maybe_text(part.type),
            part.content.len,
            None if self._is_secret(part) else part.content.sha256,
        )
        if cls is not None:
            value = Redacted(part.content.len, cls)
        self._gathering.add(
            "file",
            None if part.name is None else self._gathering.name(cls, name),
            value,
        )

    def _is_secret(self, part: FilePart) -> bool:
        # Then even its digest would tell: of a small file the rest can be guessed.
        if self._redactor.names_secret_file(part.filename):
            return True
        held = part.content.held

        return held is not None and is_text(held) and self._redactor.finds(held)

    def _maybe_text(self, text: bytes | None) -> Text | None:
        if text is None:
            return None

        return self._spilling.bound(self._gathering.text(text))

    def _add_long_pair(self, pair: LongPair) -> None:
        name, value = pair
        if isinstance(name, Long):
            self._spilling.note_cut(name.len)
            shown: Text = (Hole(name.len, sha256=name.sha256),)
            cls = None
        else:
            cls = self._redactor.classify(name)
            shown = self._gathering.name(cls, name)
        self._gathering.add(
            "form", shown, None if value is None else self._long(cls, value)
        )

    def _long(self, cls: str | None, value: Long) -> Value:
        if cls is not None:
            return Redacted(value.len, cls)
        self._spilling.note_cut(value.len)

        return Spilled(value.len, value.sha256)

    def _tail(self, tail: Tail) -> Value:
        name = (
            (self._media_type or b"")
            .partition(b";")[0]
            .strip()
            .lower()
            .decode("latin-1")
        )
        allowed = name in self._config.opaque_types
        if tail.held is not None and (allowed or self._may_keep(tail.held)):
            return tail.held
        if allowed and tail.sha256:
            return self._long(None, Long(tail.len, tail.sha256))

        for secret in self._redactor.secrets(tail.held or b""):
            self._gathering.remember(secret)

        return Opaque(tail.len, self._maybe_text(self._media_type))

    def _may_keep(self, body: bytes) -> bool:
        media_type = self._media_type or b""
        if _CHARSET.search(media_type) or _BINARY.search(media_type):
            return False

        return is_text(body) and not self._redactor.names_secret(body)


def _parts(text: Text) -> tuple[bytes | Hole, ...]:
    return text if isinstance(text, tuple) else (text,)
