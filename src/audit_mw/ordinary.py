# The short road: what an ordinary head yields, without a look at each of its parts.
#
# Most requests say nothing new. Their field lines and cookies came before, and their
# query has short plain values under names that were seen. What such parts yield is
# looked up here, coded; `request` would give the same, and is asked for all else.
#
# Rule 1: what this road gives is, byte for byte, what the long one gives. Where that is
#         not certain it gives None.
# Rule 2: no secret is remembered. What has one in it is known by its keyed digest, and
#         what is odd is not remembered at all.
# Rule 3: each memory is bounded and emptied when it is full: who varies all that he
#         sends pays for the long road, and for a look here.
#
# (Longer than 250 lines, since what a head yields is decided part by part.)
import re
from collections.abc import Callable, Collection, Iterable
from typing import Any, NamedTuple, Protocol, TypeVar

from audit_mw.app_details import octets
from audit_mw.event import DELIVERY, Details, Draft, Param, RequestHead
from audit_mw.gathering import Gathering, params_room
from audit_mw.head_lines import (
    CREDENTIALS,
    OWN_GRAMMAR,
    WITH_BODY,
    add_cookies,
    add_fields,
    find_session,
)
from audit_mw.policy.client import FORWARDING_FIELDS, Client, peer_text
from audit_mw.policy.detectors import HONEST
from audit_mw.policy.keyring import mark_of
from audit_mw.policy.names import may_be_weak
from audit_mw.policy.siblings import is_sibling
from audit_mw.rules import Rules
from audit_mw.said import Said
from audit_mw.short_documents import SingleValues, take_document
from audit_mw.wire.cookies import parse_cookies
from audit_mw.wire.query import encode_path, parse_piece

__all__ = ["KINDS", "Begun", "Ordinary", "OrdinaryHead", "Sheet"]

Key = TypeVar("Key")
Found = TypeVar("Found")

_REMEMBERED = 4096  # entries of each memory
_LONGEST = 512  # bytes of what is remembered as it is
_NAME_BYTES = 16
# More than browsers and forms send: to look at each by itself would cost more.
_FIELDS = _PIECES = 64
_LINES = 4  # a line of cookies may be so many times longer
# Pieces of which a value is too short for a secret, and needs no code.
_BLAND = re.compile(
    rb"[A-Za-z][A-Za-z0-9_.-]{0,40}=[A-Za-z0-9_-]{0,12}"
    rb"(?:&[A-Za-z][A-Za-z0-9_.-]{0,40}=[A-Za-z0-9_-]{0,12})*+"
)
_NAME_OF = re.compile(rb"(?:^|&)([^=]*+)")
_NAME = re.compile(rb"[A-Za-z][A-Za-z0-9_.-]{0,40}")
_CODED = b"%"  # begins what was coded, and our own words
_NO_CODE = re.compile(rb"[ !#$&-\[\]-~]*")  # printable ASCII but for `"`, `%` and `\`


# What a field line is for, by its name.
_PASSED_BY, _RECORDED, _FORWARDING, _LENGTH, _TYPE = range(1, 6)
_SECRET, _COOKIE, _TELLING = range(6, 9)
KINDS = {
    "passed by": _PASSED_BY,
    "recorded": _RECORDED,
    "forwarding": _FORWARDING,
    "type": _TYPE,  # up to here a line is recorded as it was sent
    "secret": _SECRET,
    "cookie": _COOKIE,
}


class OrdinaryHead(NamedTuple):
    """
    What an ordinary head yields.

    Args:
        client: as policy settled on it.
        session: the digest of the session id.
        path: as it is kept.
        peer: as it is kept.
        params: as they stand in the array of their column.
        apart: of these the query's, and what stands behind a body's.
        names: of the params but those of field lines.
        number: how many params there are.
        has_credentials: whether the client sent what could let it in.
        body: bytes that were read of it.
        declared: the length of the body; 0 where there is none.
        media: of the body: form or json; empty where it is another.
        opening: details as long as the request runs.
        details: those of its end.
    """

    client: Client
    session: str | None
    method: bytes
    path: bytes
    peer: bytes | None
    params: bytes
    apart: tuple[bytes, bytes]
    names: tuple[frozenset[bytes], frozenset[bytes]]
    number: int
    has_credentials: bool
    body: int
    declared: int
    media: bytes
    opening: Details
    details: Details


class Sheet(Protocol):
    """A record of which the head is coded, for all its versions."""

    def fill(  # noqa: PLR0913, PLR0917 - the columns that a head does not settle
        self,
        outcome: str,
        user: bytes | None,
        session: str | None,
        action: bytes | None,
        status: int | None,
        counts: tuple[int, int | None, int] | None,
        params: bytes,
        details: Details,
        /,
    ) -> Draft:
        """Return the draft of a version."""


class Begun(Protocol):
    """
    What the compiled road did of an exchange.

    Args:
        short: what the head yields.
        body: a form or a document, as far as it was read.
        has_ended: whether the application read the body to its end.
        status, declares, sent: of the response; its declared length.
        before: whence its session was used before; None where nobody asked.
        spoken: what the application said of it so far, if anything.
        is_kept: whether the record is in the journal as it is to stay.
        is_sent: whether it is with the writer.
        is_vouched: whether a framework says who the user is.
        instance: the worker.
    """

    short: OrdinaryHead
    body: bytes | None
    has_ended: bool
    status: int | None
    declares: int | None
    sent: int
    before: tuple[bytes, ...] | None
    spoken: Said | None
    is_kept: bool
    is_sent: bool
    is_vouched: bool
    instance: str


class _Part(NamedTuple):
    """What a part of a head yields: its params, coded, and what else."""

    coded: bytes = b""
    number: int = 0
    names: frozenset[bytes] = frozenset()
    session: str | None = None
    has_credentials: bool = False

    @property
    def size(self) -> int:
        """How much there is to remember, in bytes or thereabouts."""
        return len(self.coded) + _size_of(self.names)


class _Lines(NamedTuple):
    """What the field lines yield: those recorded, coded, and what else."""

    cookie: _Part
    number: int
    coded: list[bytes]
    claims: list[tuple[bytes, bytes]]
    has_credentials: bool
    declared: int
    media: bytes


_NOTHING = _Part()


class _Odd(Exception):
    """It is not ordinary."""


class Ordinary:
    """
    Looks for what is ordinary.

    Args:
        rules: compiled at start.
        lay_out: begins a record, from time, event id, (service, instance, client,
            peer), method and path; this floor does not know how one is kept.
    """

    def __init__(self, rules: Rules, lay_out: Callable[..., Sheet]) -> None:
        self._rules = rules
        self.lay_out = lay_out
        self.room = params_room(rules.config)
        self.most = rules.config.max_params
        self._forwarding = FORWARDING_FIELDS | {rules.config.forwarded_by.encode()}
        self.is_off = bool(rules.config.secret_patterns)
        self.marks = rules.keyring.marks
        self.documents = rules.documents
        self.secret_names = rules.config.secret_names
        self.kinds: dict[bytes, int] = {}
        self.lines: dict[tuple[bytes, bytes], bytes] = {}
        self.marked: dict[bytes, _Part | None] = {}
        self.clients: dict[tuple[object, ...], Client] = {}
        self.paths: dict[tuple[bytes, bool], tuple[bytes, bool]] = {}
        self._names: dict[bytes, bytes] = {}
        self.sets: dict[tuple[bytes, ...], frozenset[bytes]] = {}
        self.pieces: dict[tuple[bytes, bytes], bytes] = {}
        self.words: dict[str | bytes, bytes] = {}
        self.details: dict[tuple[object, ...], tuple[Details, Details]] = {}

    def look(self, head: RequestHead) -> OrdinaryHead | None:
        """Return what a head yields; None where that takes a closer look."""
        try:
            return self._look(head)
        except Exception:  # noqa: BLE001 - who takes the closer look tells what it is
            return None

    def _look(self, head: RequestHead) -> OrdinaryHead:
        if self.is_off or head.type != "request" or head.rewritten or head.tls:
            raise _Odd
        if len(head.fields) > _FIELDS:
            raise _Odd
        lines = self._fields(head)
        cookie, query = lines.cookie, _NOTHING
        client = self.client(head.peer, lines.claims)
        path, is_link = self.path(head)
        if head.query:
            if is_link or len(head.query) >= self.room:
                raise _Odd
            query = self.query(b"query", head.query, cookie.names)
        behind = b",".join(lines.coded)
        params = b",".join([part for part in (query.coded, behind) if part])
        number = query.number + cookie.number + lines.number
        self._check(params, number)
        opening, details = self.details_of(client, head, 0)

        return OrdinaryHead(
            client,
            cookie.session,
            self.words.get(head.method) or self.word(head.method),
            path,
            self.peer(head.peer),
            params,
            (query.coded, behind),
            (query.names, cookie.names),
            number,
            lines.has_credentials,
            0,
            lines.declared,
            lines.media,
            opening,
            details,
        )

    def with_body(
        self, known: OrdinaryHead, head: RequestHead, body: bytes
    ) -> OrdinaryHead | None:
        """Return the same with a body that was read whole; None as `look` does."""
        fits = len(body) == known.declared < self.room
        if not known.media or known.body or not fits:
            return None
        try:
            part = self._body_part(known, body)
            first, behind = known.apart
            parts = first, part.coded, behind
            params = b",".join([part for part in parts if part])
            number = known.number + part.number
            self._check(params, number)
            opening, details = self.details_of(known.client, head, len(body))
        except Exception:  # noqa: BLE001 - as above
            return None

        return known._replace(
            params=params,
            number=number,
            has_credentials=known.has_credentials or part.has_credentials,
            body=len(body),
            opening=opening,
            details=details,
        )

    def _body_part(self, known: OrdinaryHead, body: bytes) -> _Part:
        query, cookies = known.names
        if known.media == b"json":
            part = self.document(body)
            is_apart = cookies.isdisjoint(part.names)
        else:
            part, is_apart = self.query(b"form", body, cookies), True
        if not is_apart or not query.isdisjoint(part.names):
            raise _Odd  # the same name twice

        return part

    def document(self, body: bytes) -> _Part:
        """
        Return what a JSON document yields.

        Raises:
            Exception: it needs a closer look.
        """
        taken = take_document(self._rules, body)
        if taken is None:
            raise _Odd

        return _Part(
            b",".join(taken.coded),
            len(taken.coded),
            taken.names,
            None,
            taken.has_password,
        )

    def single_values(self) -> SingleValues:
        """Return what looks at single values of a document."""
        return SingleValues(self._rules)

    def _check(self, params: bytes, number: int) -> None:
        if number > self.most or len(params) + 1 > self.room:
            raise _Odd

    # --- words of ours, or of the application

    def word(self, word: str | bytes) -> bytes:
        """
        Return a word that needs no code.

        Raises:
            Exception: it needs a closer look.
        """
        known = self.words.get(word)
        if known is None:
            known = self._plain_word(word)
            _remember(self.words, word, known, len(word))

        return known

    def maybe_word(self, word: str | None) -> bytes | None:
        """Return the same of a word; None stays."""
        return None if word is None else self.word(word)

    def _plain_word(self, word: str | bytes) -> bytes:
        text = octets(word)
        if self._rules.redactor.text(text) is not text or not self._is_plain(text):
            raise _Odd

        return text

    def _is_plain(self, text: bytes) -> bool:
        """Tell whether a text is printable ASCII and short, and has no "%"."""
        return (
            0 < len(text) <= self._rules.config.spill_over
            and text.isascii()
            and text.decode().isprintable()
            and _CODED not in text
        )

    # --- field lines

    def _fields(self, head: RequestHead) -> _Lines:
        kinds, lines = self.kinds, self.lines
        cookie = _NOTHING
        coded: list[bytes] = []
        telling: list[tuple[int, tuple[bytes, bytes]]] = []
        has_credentials = False
        for line in head.fields:
            name, value = line
            kind = kinds.get(name) or self.kind(name)
            if kind == _PASSED_BY:
                if type(value) is not bytes:
                    raise _Odd  # the long road may not take it, and must say so now
                continue
            if kind <= _TYPE:
                coded.append(lines.get(line) or self.line(line))
                if kind != _RECORDED:
                    telling.append((kind, line))
            elif kind == _SECRET:
                secret = self.secret(line)
                has_credentials = has_credentials or secret.has_credentials
                coded.append(secret.coded)
            elif kind == _COOKIE and cookie is _NOTHING:
                cookie = self.cookies(line)
            else:
                raise _Odd
        number = len(coded)
        if cookie.coded:
            coded.insert(0, cookie.coded)
        if not telling and head.method not in WITH_BODY:
            claims: list[tuple[bytes, bytes]] = []
            declared, media = 0, b""
        else:
            claims = [line for kind, line in telling if kind == _FORWARDING]
            declared, media = self.body(head.method, telling)
        has_credentials = has_credentials or cookie.has_credentials

        return _Lines(cookie, number, coded, claims, has_credentials, declared, media)

    def kind(self, name: bytes) -> int:
        rules = self._rules
        if not isinstance(name, bytes) or _TOKEN.fullmatch(name) is None:
            raise _Odd
        if name == b"cookie":
            kind = _COOKIE
        elif name in _ODD or name in rules.tls_fields or is_sibling(name):
            kind = _TELLING
        elif name in _TELL_OF_BODY:
            kind = _TELL_OF_BODY[name]
        elif name in CREDENTIALS or rules.redactor.classify(name):
            kind = _TELLING if name in self._forwarding else _SECRET
        elif name in self._forwarding:
            kind = _FORWARDING
        else:
            is_recorded = name in rules.recorded
            kind = _RECORDED if is_recorded else _PASSED_BY

        return _remember(self.kinds, name, kind, len(name))

    def line(self, line: tuple[bytes, bytes]) -> bytes:
        if len(line[1]) > self._rules.config.spill_over:
            raise _Odd
        name, value = _exact(line)
        if name not in OWN_GRAMMAR and self._is_known(name):
            coded = self._plain(b"header", name, value)
        else:
            coded = self._gathered(
                lambda it: add_fields(self._rules, it, (line,))
            ).coded

        return _remember(self.lines, line, coded, len(value))

    def _marked_part(
        self, line: tuple[bytes, bytes], look: Callable[[tuple[bytes, bytes]], _Part]
    ) -> _Part:
        if len(line[1]) > _LINES * _LONGEST:
            raise _Odd
        mark = mark_of(self.marks, b"%b:%b" % line)  # no name has a colon
        try:
            part = self.marked[mark]
        except KeyError:
            try:
                part = look(_exact(line))
            except _Odd:
                part = None
            size = 0 if part is None else part.size // _LINES
            _remember(self.marked, mark, part, size)
        if part is None:
            raise _Odd

        return part

    def secret(self, line: tuple[bytes, bytes]) -> _Part:
        """Return what a field line with a secret in it yields."""
        return self._marked_part(line, self._secret)

    def cookies(self, line: tuple[bytes, bytes]) -> _Part:
        """Return what a line of cookies yields."""
        return self._marked_part(line, self._cookies)

    def _secret(self, line: tuple[bytes, bytes]) -> _Part:
        part = self._gathered(
            lambda it: add_fields(self._rules, it, (line,)), may_hide=True
        )
        is_credential = line[0] in CREDENTIALS and bool(line[1])

        return part._replace(has_credentials=part.has_credentials or is_credential)

    def _cookies(self, line: tuple[bytes, bytes]) -> _Part:
        cookies = tuple(parse_cookies(line[1:]))
        part = self._gathered(
            lambda it: add_cookies(self._rules, it, cookies), may_hide=True
        )
        if len(part.names) != part.number or _CODED in part.coded:
            raise _Odd
        session = find_session(self._rules, cookies)
        digest = self._rules.keyring.digest(session) if session else None

        return part._replace(session=digest)

    def _gathered(
        self, add: Callable[[Gathering], object], *, may_hide: bool = False
    ) -> _Part:
        """Return what the long road makes of a part, if that is all of it."""
        rules = self._rules
        gathering = Gathering(rules.config, rules.redactor, rules.encode_param)
        add(gathering)
        params = gathering.finish()
        spilling = gathering.spilling
        is_odd = gathering.sent_as or spilling.spills or spilling.cut
        if is_odd or (gathering.secrets and not may_hide):
            raise _Odd

        return _Part(
            b",".join(params.coded or ()),
            len(params),
            _names_of(params),
            None,
            gathering.has_password,
        )

    def body(
        self, method: bytes, telling: Iterable[tuple[int, tuple[bytes, bytes]]]
    ) -> tuple[int, bytes]:
        """Return the length of the body, and its media, as `OrdinaryHead` has them."""
        lengths = [line[1] for kind, line in telling if kind == _LENGTH]
        types = [line[1] for kind, line in telling if kind == _TYPE]
        if not lengths and method not in WITH_BODY and len(types) <= 1:
            return 0, b""  # in some versions of HTTP a POST may have one all the same
        length, *others = lengths
        is_odd = others or len(types) > 1
        if is_odd or not length.isdigit() or len(length) > _MOST_DIGITS:
            raise _Odd

        return int(length), _media_of(types[0]) if types else b""

    # --- client and path

    def client(self, peer: Any, claims: list[tuple[bytes, bytes]]) -> Client:
        if peer is not None and peer[1] == 0:
            raise _Odd  # a port that no socket has: somebody rewrote the peer
        key = (peer and peer[0], *claims)
        client = self.clients.get(key)
        if client is None:
            client = self._rules.resolve_client(peer, claims)
            address = client.address or b""
            if client.via not in HONEST or len(address) > self._rules.config.spill_over:
                raise _Odd
            length = sum(len(value) for _, value in claims)
            _remember(self.clients, key, client, length)

        return client

    def peer(self, peer: Any) -> bytes | None:
        text = peer_text(peer)
        if text is not None and len(text) > self._rules.config.spill_over:
            raise _Odd

        return text

    def path(self, head: RequestHead) -> tuple[bytes, bool]:
        key = head.path, head.reconstructed
        known = self.paths.get(key)
        if known is None:
            redactor = self._rules.redactor
            if len(head.path) > self._rules.config.spill_over:
                raise _Odd
            path = encode_path(head.path) if head.reconstructed else head.path
            if redactor.path(path) is not path or not self._is_plain(path):
                raise _Odd
            known = path, redactor.is_link(head.path)
            _remember(self.paths, key, known, len(path))

        return known

    # --- the query

    def query(self, source: bytes, query: bytes, taken: frozenset[bytes]) -> _Part:
        """Return the coded params of a query or a form, of which all names are new."""
        if _BLAND.fullmatch(query) is None:
            return self._query_by_piece(source, query, taken)
        found = tuple(_NAME_OF.findall(query))
        names = self.sets.get(found) or self.set_of(found)
        if not taken.isdisjoint(names):
            raise _Odd  # the same name twice
        between = b'"],["%b","' % source
        inner = query.replace(b"=", b'","').replace(b"&", between)

        return _Part(b'["%b","%b"]' % (source, inner), len(names), names)

    def set_of(self, found: tuple[bytes, ...]) -> frozenset[bytes]:
        names = frozenset(found)
        if len(names) != len(found) or not all(map(self._is_known, names)):
            raise _Odd

        return _remember(self.sets, found, names, _size_of(found))

    def _query_by_piece(
        self, source: bytes, query: bytes, taken: frozenset[bytes]
    ) -> _Part:
        pieces = query.split(b"&")
        if len(pieces) > _PIECES:
            raise _Odd
        coded = [self.piece(source, piece) for piece in pieces]
        names = frozenset(piece.partition(b"=")[0] for piece in pieces)
        if len(names) != len(pieces) or not taken.isdisjoint(names):
            raise _Odd  # as above

        return _Part(b",".join(coded), len(pieces), names)

    def piece(self, source: bytes, piece: bytes) -> bytes:
        coded = self.pieces.get((source, piece))
        if coded is None:
            coded = self._plain_piece(source, piece)
            _remember(self.pieces, (source, piece), coded, len(piece))

        return coded

    def _plain_piece(self, source: bytes, piece: bytes) -> bytes:
        if len(piece) > _LONGEST:
            raise _Odd
        name, value, sent = parse_piece(piece)
        if sent is not None or value is None or not self._is_known(name):
            raise _Odd

        return self._plain(source, name, value)

    def _plain(self, source: bytes, name: bytes, value: bytes) -> bytes:
        """Return a param as it stands in the record, if its value needs no code."""
        shown = self._rules.redactor.value(None, value, name)
        if shown is not value or len(value) > self._rules.config.spill_over:
            raise _Odd
        if _NO_CODE.fullmatch(value) is None:
            raise _Odd

        return b'["%b","%b","%b"]' % (source, name, value)

    def _is_known(self, name: bytes) -> bool:
        if name not in self._names:
            if not self._is_plain_name(name):
                return False
            _remember(self._names, name, name)

        return True

    def _is_plain_name(self, name: bytes) -> bool:
        """Tell whether a name says nothing of its value, nor of any other."""
        redactor = self._rules.redactor

        return (
            _NAME.fullmatch(name) is not None
            and redactor.classify(name) is None
            and not may_be_weak(name)
            and not is_sibling(name)
            and redactor.name(None, name) is name
        )

    # --- details

    def details_of(
        self, client: Client, head: RequestHead, body: int
    ) -> tuple[Details, Details]:
        key = (
            client.via,
            head.scheme,
            head.http_version,
            head.joined,
            head.reconstructed,
            body,
        )
        known = self.details.get(key)
        if known is None:
            shown: dict[str, object] = {
                "via": client.via.encode(),
                "scheme": self.maybe_word(head.scheme),
                "http_version": self.maybe_word(head.http_version),
                "request_len": body or None,
                "joined": head.joined or None,
                "reconstructed": head.reconstructed or None,
            }
            told = {name: value for name, value in shown.items() if value is not None}
            known = (
                Details(told | {"delivery": b"unknown", "reason": b"process_died"}),
                Details(told | {"delivery": DELIVERY}),
            )
            _remember(self.details, key, known)

        return known


_ODD = {b"transfer-encoding", b"content-encoding"}
_TOKEN = re.compile(rb"[a-z0-9!#$&'*+.^_`|~-]+")  # RFC 9110 5.6.2, in lower case
_TELL_OF_BODY = {b"content-length": _LENGTH, b"content-type": _TYPE}
_FORM = re.compile(
    rb"application/x-www-form-urlencoded(?: *; *charset=[A-Za-z0-9-]+)?\Z"
)
# Whatever else it names, readers of JSON look at its first bytes (RFC 8259 8.1).
_JSON = re.compile(
    rb"application/(?:[a-z0-9][a-z0-9.-]{0,62}\+)?json"
    rb"(?: *; *charset=[Uu][Tt][Ff]-8)?\Z"
)
_MOST_DIGITS = 18


def _media_of(media_type: bytes) -> bytes:
    if _FORM.match(media_type):
        return b"form"

    return b"json" if _JSON.match(media_type) else b""


def _exact(line: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    if not isinstance(line[1], bytes):
        raise _Odd

    return line


def _size_of(names: Collection[bytes]) -> int:
    # A name of one byte takes some sixty all the same.
    return _NAME_BYTES * len(names) + sum(map(len, names))


def _names_of(params: Iterable[Param]) -> frozenset[bytes]:
    return frozenset(it.name for it in params if isinstance(it.name, bytes))


def _remember(
    memory: dict[Key, Found], key: Key, found: Found, length: int = 0
) -> Found:
    if length <= _LONGEST:
        if len(memory) >= _REMEMBERED:
            memory.clear()
        memory[key] = found

    return found
