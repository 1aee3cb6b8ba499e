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
#
# A text with holes is as long as the text was, each part at its place.
#
# (Longer than 250 lines, since it is the one door to all that finds secrets.)
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

from audit_mw.config import Config
from audit_mw.event import Hole, Redacted, Text
from audit_mw.policy.assignments import find_assignment, first_values
from audit_mw.policy.below import Below
from audit_mw.policy.clean import Clean
from audit_mw.policy.credentials import is_machine_made, parse_credentials
from audit_mw.policy.keyring import Keyring
from audit_mw.policy.layers import decoded_runs, says_nothing, undone
from audit_mw.policy.names import (
    OPAQUE,
    PASSWORD,
    TOKEN,
    Classifier,
    logs_in,
    names_user,
    says_of_it,
    weak_class,
)
from audit_mw.policy.paths import Paths
from audit_mw.policy.remembered import NOTHING, Known
from audit_mw.policy.shapes import (
    Span,
    compile_shapes,
    find_shapes,
    is_bare_word,
)
from audit_mw.wire.query import decode_percent

__all__ = ["Redactor"]


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
        self._paths = Paths(self.classify, self._find)
        self._below = Below(self.classify)
        self._clean, self._clean_names = Clean(), Clean()
        self._nothing_below = Clean()
        self._clean_paths, self._clean_urls = Clean(), Clean()
        self._keyring = keyring

    # --- what stands in the place of a secret

    def withhold(self, cls: str, secret: bytes) -> Redacted:
        """Return what stands in the place of a secret value."""
        return Redacted(len(secret), cls, self._digest(cls, secret))

    def hole(self, cls: str, secret: bytes) -> Hole:
        """Return what stands in the place of a secret part of a text."""
        return Hole(len(secret), cls, self._digest(cls, secret))

    def _digest(self, cls: str, secret: bytes) -> str | None:
        return self._keyring.digest(secret) if cls == TOKEN and secret else None

    # --- values and texts

    def class_of(
        self,
        source: str,
        name: bytes,
        value: bytes,
        classify: Callable[[bytes], str | None] | None = None,
    ) -> str | None:
        """
        Return the class of a value by its name, and by what is made of such.

        Args:
            source, name, value: of the param.
            classify: gives the class of a name that is not to be remembered.
        """
        classify = classify or self.classify
        cls = classify(name) or weak_class(name, value)
        for other in _other_spellings(name) if cls is None else ():
            cls = cls or classify(other)
        if cls is None and source == "cookie" and is_machine_made(value):
            # State of the application's own, by a name of its own: it may be a session.
            return TOKEN

        return cls

    def class_in(self, disposition: bytes) -> str | None:
        """Return the class that any word of a Content-Disposition announces."""
        words = _ANY_WORD.findall(decode_percent(disposition))

        return next((cls for word in words if (cls := self.classify(word))), None)

    def name(self, cls: str | None, name: bytes, *, is_told: bool = False) -> Text:
        """
        Return a name as it may be kept.

        Args:
            cls: the class of its value.
            name: is a JSON pointer, if it is told.
            is_told: others than the name say the class: its keys may be secrets, too.
        """
        below = self._find_below(cls, name, is_told=is_told)
        # What is withheld of it by its place is none the less a secret to forget.
        found = self._find(name, paths=False, is_kept=not below)
        shown = self._cut(name, found + below)
        if shown is not name:
            self.forget(name)

        return shown

    def _find_below(self, cls: str | None, name: bytes, *, is_told: bool) -> list[Span]:
        if is_told:
            return list(self._below.find(name, cls, is_told=True))
        if cls is None:
            # tokens[x][expires] has the class of no secret, but x is one.
            if b"[" not in name or name[:1] == b"/" or name in self._clean_names.texts:
                return []
            if not says_of_it(name):
                return []
        if name in self._nothing_below.texts:
            return []
        below = list(self._below.find(name, cls))
        if not below:
            self._nothing_below.add(name)

        return below

    def value(
        self, cls: str | None, value: bytes, name: bytes = b""
    ) -> Redacted | Text:
        """Return a value as it may be kept; `cls` is the class of its name."""
        if cls is not None:
            return self.withhold(cls, value)
        user, colon, password = value.partition(b":")
        if password and password[:2] != b"//" and names_user(name):
            # Some type it like that, and some clients send it.
            spans = [*self._find(user), Span(len(user + colon), len(value), PASSWORD)]
            return self._cut(value, spans)
        text = self.text(value)
        if isinstance(text, tuple) and len(text) == 1 and isinstance(text[0], Hole):
            hole = text[0]
            return Redacted(hole.len, hole.cls or OPAQUE, hole.hmac)

        return text

    def text(self, text: bytes) -> Text:
        """Return a text with a hole for each secret in it."""
        return self._cut(text, self._find(text))

    def lines(self, text: bytes, secrets: Known = NOTHING) -> Text:
        """
        Return a text of lines of ours, such as a traceback, with holes.

        Args:
            text: is looked at line by line; a secret ends with its line, at most.
            secrets: values that were withheld, to be found wherever they stand.
        """
        return self._lines(text, secrets, b'  File "')

    def said(
        self, text: bytes, secrets: Known = NOTHING, *, is_url: bool = False
    ) -> Text:
        """Return a text of the application's, with holes, as `lines` does."""
        spans = self._paths.in_url(text) if is_url else []

        return self._lines(text, secrets, b"\n", spans)

    def _lines(
        self,
        text: bytes,
        secrets: Known,
        clean: bytes,
        known: Iterable[Span] = (),
    ) -> Text:
        # A key in armour spans lines.
        spans = [*known, *find_shapes(text, self._shapes), *secrets.find(text)]
        start, before = 0, b""
        for line in text.split(b"\n"):
            if not line.startswith(clean):
                spans += _moved(self._find(line), start)
                if b"input_value=" in line:
                    spans += _moved(self._quoted(before, line), start)
            start, before = start + len(line) + 1, line

        return self._cut(text, spans)

    def finds(self, text: bytes) -> bool:
        """Tell whether a text holds a secret, also once it is decoded."""
        return bool(self._find(text))

    def names_secret(self, text: bytes) -> bool:
        """
        Tell whether a text of unknown form speaks of a secret at all.

        It is for bodies that no parser understood: `<password>x</password>`.
        """
        words = set(_ANY_WORD.findall(text))
        if any(map(self.classify, words)) or self.finds(text):
            return True

        # XML-RPC and the like: what is given to a login has no name.
        if b"<" in text and any(map(logs_in, words)):
            return True
        # What was to be JSON, or is several documents: what members say of each other.
        quoted = _QUOTED.findall(text)
        return (
            b"kty" in quoted
            or any(map(logs_in, set(quoted)))
            or any(
                self.classify.of_text(b"%b.%b" % pair) for pair in set(pairwise(quoted))
            )
        )

    def forget(self, name: bytes) -> None:
        """Remember a name no more: it is withheld."""
        for each in (name, *_other_spellings(name)):
            self.classify.forget(each)

    def forget_clean(self, text: bytes) -> None:
        """Remember no more that a name or a value holds no secret: it may be one."""
        for clean in (self._clean, self._clean_names, self._nothing_below):
            clean.texts.discard(text)

    def forget_all_clean(self) -> None:
        """Remember no more that any name or value holds no secret."""
        for clean in (self._clean, self._clean_names, self._nothing_below):
            clean.texts.clear()

    def names_secret_file(self, name: bytes) -> bool:
        """Tell whether a file of this name is one that holds secrets."""
        return self.classify(name) is not None or _SECRET_FILE.search(name) is not None

    def secrets(self, text: bytes) -> Iterator[bytes]:
        """Yield the secrets in a text, each as far as the next mark."""
        if len(text) >= _LEAST:
            yield from first_values(text, self.classify.of_text)

    def _find(
        self, text: bytes, *, paths: bool = True, is_kept: bool = True
    ) -> list[Span]:
        clean = self._clean if paths else self._clean_names
        if text in clean.texts or self._is_bland(text):
            return []
        if not (paths or self._shapes) and _BLAND_NAME.fullmatch(text):
            return []
        if not self._shapes and is_bare_word(text) and says_nothing(text):
            return []  # nor has it what gives a value, or a path
        mark = self.classify.mark()
        spans = self._spans(text, paths=paths)
        if self._hides(text, spans):
            spans = [Span(0, len(text), OPAQUE)]
        if spans or not is_kept:
            self.classify.forget_since(mark)  # a secret may have been asked for
        else:
            clean.add(text)

        return spans

    def _is_bland(self, text: bytes) -> bool:
        return not self._shapes and (
            len(text) < _LEAST or _BLAND.fullmatch(text) is not None
        )

    def _hides(self, text: bytes, spans: list[Span]) -> bool:
        # What is withheld anyway must neither hide what is beside it, nor be found
        # once more; but a run of base64 or hex that it is a part of is looked at whole.
        blank = _blanked(text, spans) if spans else text
        said_of_runs = (
            said
            for (start, end), said in (decoded_runs(text) if spans else ())
            if blank[start:end].strip()
        )

        return any(not said or self._spans(said) for said in undone(blank)) or any(
            map(self._spans, said_of_runs)
        )

    def _spans(self, text: bytes, *, paths: bool = True) -> list[Span]:
        found = find_assignment(text, self.classify)
        spans = [Span(found[0], len(text), found[1])] if found else []
        spans += find_shapes(text, self._shapes)
        if paths and b"/" in text:
            spans += self._paths.in_text(text)

        return spans

    def _cut(self, text: bytes, spans: Iterable[Span]) -> Text:
        parts: list[bytes | Hole] = []
        at = 0
        for span in _apart(spans):
            secret = text[span.start : span.end]
            parts += text[at : span.start], self.hole(span.cls, secret)
            at = span.end
        if not parts:
            return text
        parts.append(text[at:])

        return tuple(part for part in parts if part)

    def _quoted(self, before: bytes, line: bytes) -> Iterator[Span]:
        # As pydantic shows it: the place on a line of its own, the value on the next.
        place = before.strip().rpartition(b".")[2]
        found = _INPUT_VALUE.search(line)
        cls = self.classify(place) if place else None
        if found is not None and cls is not None:
            start, end = found.span(found.lastindex or 0)
            yield Span(start, end, cls)

    # --- fields with a grammar of their own

    def path(self, path: bytes) -> Text:
        """Return a raw path, or the part of a URL before its query."""
        if path in self._clean_paths.texts:
            return path

        return self._clean_paths.note(path, self._cut(path, self._paths.in_path(path)))

    def url(self, url: bytes) -> Text:
        """Return a URL, as in Referer: its path, query and fragment redacted."""
        if url in self._clean_urls.texts:
            return url

        return self._clean_urls.note(url, self._cut(url, self._paths.in_url(url)))

    def is_link(self, path: bytes) -> bool:
        """Tell whether a path is one that links in messages have."""
        return self._paths.is_link(path)

    def host(self, host: bytes) -> Text:
        """Return a Host, without the user information that it must not have."""
        return self._cut(host, self._paths.in_host(host))

    def authorization(self, value: bytes) -> Text:
        """Return the value of an Authorization line: scheme and user stay."""
        kept, secret, is_password = parse_credentials(value)
        if self.finds(kept):
            kept, secret = b"", value
        hole = self.hole(PASSWORD if is_password else TOKEN, secret)

        return (kept, hole) if kept else (hole,) if value else value

    def credentials(self, value: bytes) -> list[bytes]:
        """Return the secrets in the value of an Authorization line."""
        _, _, credentials = value.partition(b" ")

        return [credentials.strip() or value, parse_credentials(value).secret]


def _other_spellings(name: bytes) -> Iterator[bytes]:
    """Yield what else a name may be for an application."""
    if b"%" in name:
        yield decode_percent(name)
    if b"[" in name and (found := _INDEX.sub(b"", name)) != name:
        yield found  # api[0][key] is a key as api[key] is


_INDEX = re.compile(rb"\[[0-9]{1,6}\]")
_LEAST = 5  # "pw=1" is no password that anyone has
_BLAND = re.compile(rb"[A-Za-z0-9_,-]{5,12}")  # too short for a shape, and no giver
# Likewise of a name, as `user[name]`. Nor is a part long enough for a coding.
_PART = rb"[A-Za-z0-9_/-]{0,11}"
_BLAND_NAME = re.compile(rb"%b(?:[\[\]]++%b)*+" % (_PART, _PART))
_SECRET_FILE = re.compile(
    rb"(?:\.(?:key|pem|p12|pfx|ppk|jks|keystore|kdbx?|env|ovpn|htpasswd|pgpass|netrc)"
    rb"|(?:^|[/\\])(?:\.env[\w.-]*+|shadow))\Z",
    re.IGNORECASE,
)
# Up to the last of these marks: what is quoted may have one in it.
_INPUT_VALUE = re.compile(rb"input_value=(.*), input_type=\w+\]|input_value=(.*)")
_ANY_WORD = re.compile(rb"[\w\x80-\xff.-]{2,}")
_QUOTED = re.compile(rb"""["']([\w$.-]{2,40}+)["']""")


def _apart(spans: Iterable[Span]) -> Iterator[Span]:
    # Of overlapping spans the first and longest wins, and eats the others.
    at = 0
    for span in sorted(spans, key=lambda span: (span.start, -span.end)):
        if span.end > at:
            yield Span(max(span.start, at), span.end, span.cls)
            at = span.end


def _blanked(text: bytes, spans: Iterable[Span]) -> bytes:
    # Line feeds are in no shape. What goes to the end takes no place.
    blank = bytearray(text)
    end = len(text)
    for span in spans:
        blank[span.start : span.end] = b"\n" * (span.end - span.start)
        end = min(end, span.start) if span.end == len(text) else end

    return bytes(blank[:end])


def _moved(spans: Iterable[Span], by: int) -> Iterator[Span]:
    for span in spans:
        yield Span(span.start + by, span.end + by, span.cls)
