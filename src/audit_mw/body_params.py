# What the parsers find in a body -> params.
#
# Beyond the limits of a record params are counted, hashed, and held as they would have
# stood. A client can send a million of them in a request, so there is a fast road
# through that, for pieces of a form that are plain or came before, and for plain items
# of a JSON array. It gives what the long one would, byte for byte.
#
# (Longer than 250 lines, since both roads stand beside each other.)
import re
from collections.abc import Iterable
from functools import lru_cache

from audit_mw.config import Config
from audit_mw.event import (
    Hole,
    JsonText,
    Opaque,
    Param,
    Redacted,
    Spilled,
    Text,
    Upload,
    Value,
)
from audit_mw.gathering import Gathering
from audit_mw.known_documents import BETWEEN, KnownDocuments, Run
from audit_mw.policy.documents import Classify, retag
from audit_mw.policy.layers import is_text
from audit_mw.policy.names import OPAQUE, TOKEN, Asked
from audit_mw.policy.plain import compile_plain
from audit_mw.policy.redaction import Redactor
from audit_mw.policy.siblings import RELATED
from audit_mw.spilling import RestOfParams
from audit_mw.wire.body import Document, LongPair, Piece
from audit_mw.wire.head import Pair
from audit_mw.wire.json import Items, Member, Prefix
from audit_mw.wire.multipart import FieldPart, FilePart, Tail
from audit_mw.wire.query import Long, Pieces, parse_piece

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


_DIGIT = re.compile(r"\d")
_INDEX = 6  # digits of an index, of which a document of a megabyte needs no more
_INDICES = re.compile(rb"/[0-9]{1,6}(?=/|\Z)")
_ONLY_INDICES = re.compile(rb"(?:/[0-9]{1,5})*+")
_CLEAN, _CLEAN_BYTES = 1024, 512  # pointers that are remembered
_SEEN, _SEEN_BYTES = 1024, 256  # pieces of a form that are remembered
_TINY = 2  # bytes of a name: there are too few of these to fill a memory
_SHORT = 64  # bytes that no value of the fast road has
_PREFIX_ROOM = 1 << 18  # bytes of prefixes that are looked at and withheld


class BodyParams:
    """
    The params of one body, added to what else is gathered.

    Args:
        config: the types that may be kept unread.
        redactor: decides what is withheld.
        gathering: takes the params.
        media_type: the body's, as sent.
        documents: knows what came before in JSON; None: all is looked at anew.
    """

    def __init__(
        self,
        config: Config,
        redactor: Redactor,
        gathering: Gathering,
        media_type: bytes | None,
        documents: KnownDocuments | None = None,
    ) -> None:
        self._config = config
        self._redactor = redactor
        self._gathering = gathering
        self._spilling = gathering.spilling
        self._media_type = media_type
        self._documents = documents
        self._prefixes: dict[Prefix, Hole] = {}
        self._prefix_room = _PREFIX_ROOM
        self._unread: set[Prefix] = set()  # beyond that; all their keys are secrets
        self._clean: set[bytes] = set()  # pointers that hold no secret
        self._seen: dict[bytes, tuple[bytes, int]] = {}  # pieces, coded and how many
        # Names that one document asked for; `_classify` is what gives their classes
        # while a document goes the long road.
        self._asked = Asked(redactor.classify)
        self._classify: Classify | None = None
        self._has_withheld = False
        self._cut_json = False  # then what a piece is depends on those before it
        # With patterns of the user's own, nothing is plain at a glance.
        self._has_plain = not config.secret_patterns and config.spill_over >= _SHORT
        self._is_plain = _plain(config.secret_names)
        self._has_indices = not any(map(_DIGIT.search, config.secret_names))
        # Items of an array come one after the other: how those of the last one begin.
        self._siblings: tuple[object, tuple[bytes | Hole, ...] | None] = None, None

    def add_all(self, pieces: Iterable[Piece[str]]) -> None:
        """Take pieces of the body; the members of a document come all at once."""
        members: list[Member[str] | Items[str]] = []
        for piece in pieces:
            if isinstance(piece, Document):
                self._add_whole(piece)
                continue
            if isinstance(piece, (Member, Items)):
                members.append(piece)
                continue
            self._add_document(members)
            members = []
            self.add(piece)
        self._add_document(members)

    def _add_whole(self, document: Document[str]) -> None:
        held = document.body.held or b""
        known = None if self._documents is None else self._documents.read(held)
        if known is None:
            self._classify = self._asked.__getitem__
            self.add_all(document._replace(classify=self._classify).pieces())
            self._classify = None
            return
        for part in known.found if document.is_json or not known.tail else ():
            if isinstance(part, Run):
                self._add_run(part)
            else:
                self.add(part)
        left = document.left(known.tail, has_members=bool(known.found))
        if left.len:
            self.add(left)

    def _add_run(self, run: Run) -> None:
        params, coded, prefix, beyond = run
        if prefix is not None:
            hole = self._prefix(prefix)
            start = self._gathering.code_start("json", (hole,))
            between = b"," + start
            beyond = (
                (start + joined.replace(BETWEEN, between), count)
                for joined, count in beyond
            )
            coded = [start + code for code in coded]
            params = [
                Param(source, (hole, name), value)
                for source, name, value in params
                if isinstance(name, bytes)
            ]
        self._gathering.add_run(params, coded, beyond)

    def _add_document(self, members: list[Member[str] | Items[str]]) -> None:
        if not members:
            return
        for member in retag(
            members, self._asked.__getitem__, has_indices=self._has_indices
        ):
            self.add(member)
        if not self._has_withheld:
            self._redactor.classify.keep(self._asked)

    def add(self, piece: Piece[str]) -> None:
        """Take a piece of the body."""
        if isinstance(piece, Pair):
            self._cut_json = self._cut_json or piece.name.lstrip()[:1] in (b"{", b"[")
            self._gathering.add_pair("form", piece)
        elif isinstance(piece, Member):
            self._add_member(piece)
        elif isinstance(piece, Pieces):
            self._add_pieces(piece.text.split(b"&"))
        elif isinstance(piece, Items):
            self._add_items(piece)
        elif isinstance(piece, FieldPart):
            self._add_field_part(piece)
        elif isinstance(piece, Document):
            self._add_whole(piece)
        elif isinstance(piece, FilePart):
            self._add_file_part(piece)
        elif isinstance(piece, Tail):
            self._gathering.add("body", None, self._tail(piece))
        else:
            self._add_long_pair(piece)

    # --- the fast road

    def _add_pieces(self, pieces: list[bytes]) -> None:
        done = 0
        while done < len(pieces) and self._spilling.rest is None:
            self.add(parse_piece(pieces[done]))
            done += 1
        rest = self._spilling.rest
        if rest is not None:
            self._add_beyond(rest, pieces[done:])

    def _add_beyond(self, rest: RestOfParams, pieces: list[bytes]) -> None:
        known = [it for it in map(self._seen.get, pieces) if it is not None]
        if known and len(known) == len(pieces) and not self._cut_json:
            coded_all = b",".join([coded for coded, _ in known])
            rest.add_joined(coded_all, sum([count for _, count in known]))
            return
        # What is coded and not added yet: all of it is, before a long look.
        coded: list[bytes] = []
        count = 0
        for piece in pieces:
            seen = self._seen.get(piece) or self._look(piece)
            if seen is not None and not self._cut_json:
                coded.append(seen[0])
                count += seen[1]
                continue
            if coded:
                rest.add_joined(b",".join(coded), count)
                coded.clear()
                count = 0
            self._add_seen(rest, piece)
        if coded:
            rest.add_joined(b",".join(coded), count)

    def _look(self, piece: bytes) -> tuple[bytes, int] | None:
        match = self._is_plain.fullmatch(piece) if self._has_plain else None
        if match is None:
            return None
        name, value = match.groups()
        if value is not None:
            return b'["form","%b","%b"]' % (name, value), 1
        found = b'["form","%b",null]' % name, 1
        if len(name) < _TINY:
            self._seen[piece] = found

        return found

    def _add_seen(self, rest: RestOfParams, piece: bytes) -> None:
        """Take the long road, and remember where it led, if it leads there again."""
        room, cut = self._spilling.room, self._spilling.cut
        rest.watch()
        pair = parse_piece(piece)
        self.add(pair)
        coded = rest.watched()
        spills = self._spilling.room != room or self._spilling.cut != cut
        if (
            not spills
            and len(piece) <= _SEEN_BYTES
            and len(self._seen) < _SEEN
            and pair.name.lower() not in RELATED
        ):
            self._seen[piece] = b",".join(coded), len(coded)

    def _add_items(self, items: Items[str]) -> None:
        done = 0
        for member in items.members():
            if self._spilling.rest is not None:
                break
            self._add_member(member)
            done += 1
        rest = self._spilling.rest
        if rest is None:
            return
        texts = items.texts.split(b",")[done:]
        if self._has_plain and self._has_indices and texts and items.tag is None:
            self._add_plain_items(rest, items, items.first + done, texts)
        else:
            for member in items.members(done):
                self._add_member(member)

    def _add_plain_items(
        self, rest: RestOfParams, items: Items[str], first: int, texts: list[bytes]
    ) -> None:
        # How the first one stands tells how the others do.
        rest.watch()
        self._add_member(next(items.members(first - items.first)))
        coded = b"".join(rest.watched())
        values = {text: _code_plain(text) for text in set(texts)}
        tail = b'/%d",%b]' % (first, values[texts[0]])
        longest = b"%b/%d" % (items.above, first + len(texts))
        whole = not self._spilling.is_long(longest) and self._is_clean(longest)
        if not whole or not coded.endswith(tail):
            for member in items.members(first - items.first + 1):
                self._add_member(member)
            return
        start = coded.removesuffix(tail)
        others = [
            b'%b/%d",%b]' % (start, index, values[text])
            for index, text in enumerate(texts[1:], first + 1)
        ]
        if others:
            rest.add_joined(b",".join(others), len(others))

    # --- the long road

    def _class_of(self, member: Member[str], key: bytes) -> str | None:
        # An index is ours, and announces nothing.
        if member.tag is None and self._has_indices and _is_index(key):
            return None

        return member.tag or self._redactor.class_of(
            "json", key, member.value, self._classify
        )

    def _name(self, cls: str | None, pointer: bytes, *, is_told: bool) -> Text:
        if cls is None and self._is_clean(pointer):
            return pointer
        above, _, key = pointer.rpartition(b"/")
        if not self._has_indices or not _is_index(key):
            return self._gathering.name(cls, pointer, is_told=is_told)
        siblings = cls, above, len(key), is_told
        if self._siblings[0] != siblings:
            begin = self._begin_of(cls, above, len(key), is_told=is_told)
            self._siblings = siblings, begin
        begin = self._siblings[1]
        if begin is None:
            return self._gathering.name(cls, pointer, is_told=is_told)
        *parts, last = begin
        if isinstance(last, Hole):
            if not parts:
                return (last,)
            return (*parts, self._redactor.hole(last.cls or OPAQUE, key))

        return (*parts, last + key) if parts else pointer

    def _begin_of(
        self, cls: str | None, above: bytes, digits: int, *, is_told: bool
    ) -> tuple[bytes | Hole, ...] | None:
        """Return how all items of an array begin; a hole at the end has the index."""
        # As one of them, and as `_is_clean` does: indices are ours.
        first = b"0" * digits
        name = b"%b/%b" % (above, first)
        parts = _parts(self._gathering.name(cls, name, is_told=is_told))
        *before, last = parts
        if isinstance(last, bytes):
            is_apart = last.endswith(b"/" + first)
            return (*before, last.removesuffix(first)) if is_apart else None
        if not before:
            return None if last.hmac else parts  # all of it is withheld
        is_index = last.len == digits and _ends_with_slash(before[-1])

        return parts if is_index else None

    def _is_clean(self, pointer: bytes) -> bool:
        # What is looked at is the pointer of the first such member.
        first = _INDICES.sub(b"/0", pointer)
        if first not in self._clean:
            if isinstance(self._redactor.name(None, first), tuple):
                return False
            if len(first) <= _CLEAN_BYTES:
                if len(self._clean) >= _CLEAN:
                    self._clean.clear()
                self._clean.add(first)

        return True

    def _add_member(self, member: Member[str]) -> None:
        value: Value
        key = member.name.rpartition(b"/")[2]
        cls = self._class_of(member, key)
        if member.is_string:
            value = self._gathering.value(cls, member.value, key)
        elif cls is not None and member.value[:1] in b"-0123456789":
            value = self._gathering.withhold(cls, member.value)
        else:
            value = self._gathering.value(None, member.value)
            if isinstance(value, bytes):
                value = self._json(value)
        above = member.prefix
        is_told = member.is_told or (above is not None and above.is_secret)
        name = self._name(cls, member.name, is_told=is_told)
        if (
            cls is not None
            or isinstance(value, Redacted | tuple)
            or name is not member.name
        ):
            self._has_withheld = True
        if member.prefix is not None:
            hole = self._prefix(member.prefix, is_told=member.is_told)
            name = (hole, *_parts(name))
        self._gathering.add("json", name, value)

    def _json(self, text: bytes) -> Value:
        if not self._spilling.is_long(text):
            return JsonText(text)

        return Spilled(len(text), self._spilling.spill(text))

    def _prefix(self, prefix: Prefix, *, is_told: bool = False) -> Hole:
        hole = self._prefixes.get(prefix)
        if hole is None:
            hole = self._prefixes[prefix] = self._new_prefix(prefix, is_told=is_told)

        return hole

    def _new_prefix(self, prefix: Prefix, *, is_told: bool) -> Hole:
        if prefix.len > self._spilling.room:
            self._spilling.note_cut(prefix.len)
            return Hole(prefix.len, OPAQUE)
        if prefix.len > self._prefix_room:
            return self._withhold_unread(prefix)
        text = prefix.text()
        # Indices stand below a secret name as they do below another one. What a sibling
        # says of one member behind a prefix, it says of all.
        cls = None if _ONLY_INDICES.fullmatch(text) else TOKEN
        name = self._gathering.name(cls, text, is_told=is_told and cls is not None)
        if isinstance(name, tuple):
            self._prefix_room -= prefix.len
            return Hole(prefix.len, OPAQUE)

        return Hole(prefix.len, sha256=self._spilling.spill(text))

    def _withhold_unread(self, prefix: Prefix) -> Hole:
        # What is kept of prefixes has a bound, and so must what is withheld: each has
        # all of those above it, so a look at each would be the square of the document.
        self._spilling.note_cut(prefix.len)
        part: Prefix | None = prefix
        while part is not None and part not in self._unread:
            self._unread.add(part)
            self._gathering.name(TOKEN, part.part, is_told=True)  # its keys are secrets
            part = part.above

        return Hole(prefix.len, OPAQUE)

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


@lru_cache(maxsize=16)
def _plain(secret_names: tuple[str, ...]) -> re.Pattern[bytes]:
    return compile_plain(secret_names)


def _ends_with_slash(part: bytes | Hole) -> bool:
    return isinstance(part, bytes) and part.endswith(b"/")


def _is_index(key: bytes) -> bool:
    return len(key) <= _INDEX and key.isdigit()


def _code_plain(text: bytes) -> bytes:
    # As trail/params.py has strings and numbers of these few bytes.
    return text if text[:1] == b'"' else b'{"json":"%b"}' % text


def _parts(text: Text) -> tuple[bytes | Hole, ...]:
    return text if isinstance(text, tuple) else (text,)
