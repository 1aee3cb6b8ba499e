# What is withheld, and what stands in its place.
#
# A value is withheld by the class of its name, or else by what is in it: the shape of
# a secret, or something like `password=...` inside of another text. Nothing that is
# withheld goes on from here, not even to the memory of a buffer that a record is made
# in: callers get a length, a class, and for machine-made secrets a keyed digest.
#
# Rule 1: a password has no digest. Its length is all (a digest tests guesses).
# Rule 2: where it is unclear how far a secret goes, it goes to the end. A mask that
#         stops at a quote or a space leaks the tail of a password that has one.
# Rule 3: a text may be coded again inside (JSON in a form, a URL in a parameter), so
#         it is looked at decoded as well; if only that shows a secret, all of it goes.
import hashlib
import hmac
import re
from base64 import b64decode
from binascii import Error as BadBase64
from collections.abc import Iterable, Iterator
from contextlib import suppress

from audit_mw.config import Config
from audit_mw.event import Hole, Redacted, Text
from audit_mw.policy.names import OPAQUE, PASSWORD, TOKEN, Classifier
from audit_mw.policy.shapes import Span, compile_shapes, find_shapes
from audit_mw.wire.json import unescape
from audit_mw.wire.query import decode_percent, encode_plain

__all__ = ["Keyring", "Redactor"]


class Keyring:
    """
    Keyed digests of secrets, so that their uses can be joined.

    Args:
        key: at least 32 random bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._id = hashlib.sha256(b"audit_mw/1/id" + key).hexdigest()[:8]
        # One key, one purpose: what is digested here can never be confused with
        # what another part of the format may digest some day.
        own = hmac.digest(key, b"audit_mw/1/token", "sha256")
        self._mac = hmac.new(own, digestmod="sha256")

    def digest(self, secret: bytes) -> str:
        """Return the key's id, a dot, and the digest, in hex."""
        mac = self._mac.copy()
        mac.update(secret)

        return f"{self._id}.{mac.hexdigest()[:32]}"

    def running(self) -> hmac.HMAC:
        """Return a digest to be fed piece by piece; `name` it when it is done."""
        return self._mac.copy()

    def name(self, mac: hmac.HMAC) -> str:
        """Return a running digest in the form of `digest`."""
        return f"{self._id}.{mac.hexdigest()[:32]}"


# A name, perhaps in quotes or brackets, and what gives it a value: password=,
# "password":, password => , password%3D. The quantifiers are possessive and the name
# starts at a border, so each run is read once.
_ASSIGNMENT = re.compile(
    rb"""(?<![^\s"'`=:&;,?#{}()<>|\\/%])([^\s"'`=:&;,?#{}()<>|\\/%]{1,256}+)"""
    rb"""[\\"'`\])]{0,4}+\s{0,8}+(?:=>|:=|==?|:|%3[aAdD])"""
)
_GIVES = re.compile(rb"[=:]|%3[aAdD]")
_ROUNDS = 3  # of decoding: a value in a URL in a parameter has two
_LARGE = 1 << 16  # beyond it a secret name anywhere withholds the whole


class Redactor:
    """
    Finds secrets and withholds them.

    Args:
        config: names, patterns and exemptions.
        keyring: makes the digests.
    """

    def __init__(self, config: Config, keyring: Keyring) -> None:
        self.classify = Classifier(config.secret_names, config.not_secret)
        self._shapes = compile_shapes(config.secret_patterns)
        self._keyring = keyring

    def withhold(self, cls: str, secret: bytes) -> Redacted:
        """Return what stands in the place of a secret value."""
        digest = self._keyring.digest(secret) if cls == TOKEN and secret else None

        return Redacted(len(secret), cls, digest)

    def hole(self, cls: str, secret: bytes) -> Hole:
        """Return what stands in the place of a secret part of a text."""
        digest = self._keyring.digest(secret) if cls == TOKEN and secret else None

        return Hole(len(secret), cls, digest)

    def value(self, cls: str | None, value: bytes) -> Redacted | Text:
        """Return a value as it may be kept; `cls` is the class of its name."""
        if cls is not None:
            return self.withhold(cls, value)
        text = self.text(value)
        if isinstance(text, tuple) and len(text) == 1 and isinstance(text[0], Hole):
            hole = text[0]
            return Redacted(hole.len, hole.cls or OPAQUE, hole.hmac)

        return text

    def text(self, text: bytes) -> Text:
        """Return a text with a hole for each secret in it."""
        if len(text) < 5:  # "pw=1" is no password that anyone has
            return text
        spans = self._spans(text)
        if spans:
            return self._cut(text, spans)
        if self._hides(text):
            return (Hole(len(text), OPAQUE),)

        return text

    def lines(self, text: bytes, secrets: Iterable[bytes] = ()) -> Text:
        """
        Return a text of lines of ours, such as a traceback, with holes.

        Args:
            text: is looked at line by line; a secret ends with its line, at most.
            secrets: values that were withheld, to be found wherever they stand.
        """
        parts: list[bytes | Hole] = []
        for piece in _without(text, secrets):
            if isinstance(piece, Hole):
                parts.append(piece)
                continue
            whole = self._whole(piece)
            parts += whole if isinstance(whole, tuple) else (whole,)
        if any(isinstance(part, Hole) for part in parts):
            return tuple(part for part in parts if part)

        return text

    def _whole(self, text: bytes) -> Text:
        # A key in armour spans lines; all else is looked for in each line.
        spans = list(find_shapes(text, self._shapes))
        start = 0
        for line in text.split(b"\n"):
            spans += (
                Span(span.start + start, span.end + start, span.cls)
                for span in self._spans(line)
            )
            start += len(line) + 1

        return self._cut(text, spans) if spans else text

    def finds(self, text: bytes) -> bool:
        """Tell whether a text holds a secret, also once it is decoded."""
        return bool(self._spans(text)) or self._hides(text)

    def _spans(self, text: bytes) -> list[Span]:
        spans = list(find_shapes(text, self._shapes))
        if _GIVES.search(text) is None:
            return spans
        for match in _ASSIGNMENT.finditer(text):
            cls = self.classify(match[1])
            if cls is not None and match.end() < len(text):
                spans.append(Span(match.end(), len(text), cls))
                break

        return spans

    def _cut(self, text: bytes, spans: list[Span]) -> Text:
        parts: list[bytes | Hole] = []
        at = 0
        # Of overlapping spans the first and longest wins, and eats the others.
        for span in sorted(spans, key=lambda span: (span.start, -span.end)):
            if span.end <= at:
                continue
            start = max(span.start, at)
            parts += text[at:start], self.hole(span.cls, text[start : span.end])
            at = span.end
        parts.append(text[at:])

        return tuple(part for part in parts if part)

    def _hides(self, text: bytes) -> bool:
        for _ in range(_ROUNDS):
            decoded = unescape(text) if b"\\u" in text else text
            if b"%" in decoded:
                decoded = decode_percent(decoded)
            if decoded == text:
                return False
            if self._spans(decoded):
                return True
            text = decoded

        # Still coded after three rounds: nobody can say what it is.
        return b"%25" in text

    def names_secret(self, text: bytes) -> bool:
        """
        Tell whether a text of unknown form speaks of a secret at all.

        It is for bodies that no parser understood: `<password>x</password>`.
        """
        words = set(_ANY_WORD.findall(text))

        return any(map(self.classify, words)) or self.finds(text)

    def authorization(self, value: bytes) -> Text:
        """
        Return the value of an Authorization line (RFC 9110 11.6.2).

        The scheme stays, and with Basic (RFC 7617 2) the user name.
        """
        scheme, space, credentials = value.partition(b" ")
        if not space or _SCHEME.fullmatch(scheme) is None:
            return (self.hole(TOKEN, value),) if value else value
        if scheme.lower() != b"basic":
            return (scheme + space, self.hole(TOKEN, credentials.strip()))
        try:
            user, colon, password = b64decode(credentials, validate=True).partition(
                b":"
            )
        except BadBase64:
            colon = b""
        if not colon or len(user) > _USER_BYTES or self.finds(user):
            return (scheme + space, Hole(len(credentials), PASSWORD))

        return (b"%s %s:" % (scheme, user), Hole(len(password), PASSWORD))

    def credentials(self, value: bytes) -> list[bytes]:
        """Return the secrets in the value of an Authorization line."""
        _, _, credentials = value.partition(b" ")
        secrets = [credentials.strip() or value]
        with suppress(BadBase64):
            secrets.append(b64decode(credentials, validate=True).partition(b":")[2])

        return secrets

    def path(self, path: bytes) -> Text:
        """
        Return a raw path, or the part of a URL before its query.

        Withheld are user information, the values of matrix parameters with a secret
        name (`;jsessionid=`), what follows a segment with a secret name unless it is
        a plain word, and whatever `text` finds in a segment.
        """
        if path.isalpha():
            return path
        parts: list[bytes | Hole] = []
        authority = _AUTHORITY.match(path)
        if authority:
            parts += authority["scheme"], Hole(len(authority["user"]), PASSWORD), b"@"
            path = path[authority.end() :]
        named: str | None = None
        for place, segment in enumerate(path.split(b"/")):
            if place:
                parts.append(b"/")
            kept = self._segment(segment, named)
            parts += kept if isinstance(kept, tuple) else (kept,)
            named = self.classify(decode_percent(segment)) if segment else None

        return _merged(parts)

    def _segment(self, segment: bytes, named: str | None) -> Text:
        if named and _ROUTE_WORD.fullmatch(segment) is None:
            return (self.hole(named, segment),)
        if b"=" not in segment and b"%" not in segment:
            return self.text(segment)
        parts: list[bytes | Hole] = []
        for place, piece in enumerate(segment.split(b";")):
            if place:
                parts.append(b";")
            kept = self.pair(piece)
            parts += kept if isinstance(kept, tuple) else (kept,)

        return _merged(parts)

    def pair(self, piece: bytes) -> Text:
        """Return `name=value` as sent, with a hole if it is secret."""
        name, equals, value = piece.partition(b"=")
        cls = self.classify(decode_percent(name)) if equals else None
        if cls and value:
            return (name + equals, self.hole(cls, value))
        if self.finds(decode_percent(piece)):
            return (Hole(len(piece), OPAQUE),)

        return piece

    def url(self, url: bytes) -> Text:
        """Return a URL, as in Referer: its path, query and fragment redacted."""
        parts: list[bytes | Hole] = []
        for place, piece in enumerate(_URL_PARTS.split(url)):
            if piece in (b"?", b"#", b"&"):
                parts.append(piece)
                continue
            kept = self.pair(piece) if place else self.path(piece)
            parts += kept if isinstance(kept, tuple) else (kept,)

        return _merged(parts)


_SCHEME = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]{1,32}")
_USER_BYTES = 256
_AUTHORITY = re.compile(
    rb"(?P<scheme>(?:[A-Za-z][A-Za-z0-9+.-]*+:)?//)(?P<user>[^/?#@]*+)@"
)
_ROUTE_WORD = re.compile(rb"[a-z]{0,24}(?:[-_.][a-z]{1,24}){0,4}")
_URL_PARTS = re.compile(rb"([?#&])")
_ANY_WORD = re.compile(rb"[\w\x80-\xff.-]{2,64}")


def _merged(parts: list[bytes | Hole]) -> Text:
    if not any(isinstance(part, Hole) for part in parts):
        return b"".join(part for part in parts if isinstance(part, bytes))
    merged: list[bytes | Hole] = []
    for part in parts:
        last = merged[-1] if merged else None
        if isinstance(part, bytes) and isinstance(last, bytes):
            merged[-1] = last + part
        elif part:
            merged.append(part)

    return tuple(merged)


def _without(text: bytes, secrets: Iterable[bytes]) -> list[bytes | Hole]:
    # The longest first: one secret may be the beginning of another.
    known = sorted(set(_spellings(secrets)), key=len, reverse=True)
    if not known:
        return [text]
    pattern = b"|".join(map(_bordered, known))
    parts: list[bytes | Hole] = []
    at = 0
    for match in re.finditer(pattern, text):
        parts += text[at : match.start()], Hole(len(match[0]), PASSWORD)
        at = match.end()
    parts.append(text[at:])

    return parts


def _spellings(secrets: Iterable[bytes]) -> Iterator[bytes]:
    # An exception shows a value as it is, as repr() does, or as a URL has it.
    for secret in secrets:
        if secret:
            shown = repr(secret.decode("utf-8", "surrogateescape"))[1:-1]
            yield from (secret, repr(secret)[2:-1].encode(), encode_plain(secret))
            yield shown.encode("utf-8", "surrogateescape")


def _bordered(secret: bytes) -> bytes:
    # A password of one letter must not eat that letter everywhere.
    border = b"" if len(secret) > 3 else rb"\b"

    return border + re.escape(secret) + border
