# Which parts of a path, or of a URL, are withheld.
#
# User information; the values of `name=value` with a secret name (`;jsessionid=`); and
# what follows a segment that announces a secret: `/reset-password/TOKEN`. There is no
# grammar for the last, so words that are known to stand in routes stay, and all else
# goes, for two segments: Django's reset link has the user before the token.
#
# Segments that announce one only at times (`/sessions/42`, `/confirm/...`) withhold
# what looks made by a machine.
#
# (Longer than 250 lines, since segments and their values are judged by one set of
# rules.)
import re
from collections.abc import Callable, Iterator
from typing import NamedTuple

from audit_mw.policy.clean import Clean
from audit_mw.policy.credentials import is_machine_made
from audit_mw.policy.names import (
    PASSWORD,
    TOKEN,
    Classifier,
    is_random,
    names_user,
    weak_class,
)
from audit_mw.policy.routes import AT_TIMES, LINKED, ROUTE_WORDS, SELDOM
from audit_mw.policy.shapes import Span
from audit_mw.wire.query import decode_percent

__all__ = ["Paths"]

_SCHEME = re.compile(rb"(?:[A-Za-z][A-Za-z0-9+.-]*+:)?//")
_USER = re.compile(rb"[^/?#]*@|[^/:?#]*+:(?![0-9]{0,5}+(?:[/?#]|\Z))[^?]*@")
_HOST = re.compile(rb"[^/?#]*+")
_PARTS = re.compile(rb"[?#&]")
_PATH = re.compile(rb"[^=?#&/]*+/")
_REMEMBERED, _REMEMBERED_BYTES = 4096, 64
_REACH = 2  # segments behind one that announces a secret

_WORD = re.compile(rb"[a-z]+")
_CAMEL = re.compile(rb"(?<=[a-z])(?=[A-Z])")  # confirmEmail
_WORDS = re.compile(rb"(?:[a-z]{1,24}(?:[-_.][a-z]{1,24}){0,5}|v[0-9]{1,2}|oauth[12])?")
_TITLE = 5  # words of a segment that is one, and announces nothing
_FILE = re.compile(
    rb"[A-Za-z_]{1,40}\.(?:pyc?|html?|js|css|json|xml|txt|php|aspx?|png|svg)"
)
_MACHINE_MADE = re.compile(
    rb"(?=.*[0-9]).{6,}|(?=.*[A-Z])(?=.*[a-z]).{8,}|.{20,}|.*[^ -~].*", re.DOTALL
)
_CARRIED = re.compile(
    rb"(?<![A-Za-z0-9])(?=[A-Za-z]*+[0-9][A-Za-z]*+[0-9])[A-Za-z0-9]{6}"
)
_STATIC = (b".js", b".css", b".map", b".png", b".svg", b".woff2")
_UUID = re.compile(rb"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_NAMED_FILE = re.compile(rb"([\w.%-]+)\.(?:[a-z]{2,4}|html|woff2|docx|xlsx|pptx|jpeg)")

# A path in another text, and a segment in it that another one follows.
_RUN = re.compile(rb"""[^\s"'<>(){}|,/]*+/[^\s"'<>(){}|,]*+""")
_FOLLOWED = re.compile(rb"/([A-Za-z0-9_%-][\w.%-]{2,63}+)(?=/[^\s/?#])")


_Look = Callable[[bytes], Iterator[Span]]


class _Announced(NamedTuple):
    cls: str
    at_times: bool
    seldom: bool = False
    reach: int = _REACH

    def reaching(self, reach: int) -> "_Announced | None":
        return self._replace(reach=reach) if reach else None


class Paths:
    """
    Finds what is to be withheld in paths and URLs.

    Args:
        classify: gives the class of a name.
        find: finds secrets in any text, coded or not.
    """

    def __init__(
        self,
        classify: Classifier,
        find: Callable[[bytes], list[Span]],
    ) -> None:
        self._classify = classify
        self._of_text = classify.of_text
        self._find = find
        self._remembered: dict[bytes, _Announced | None] = {}
        self._clean = Clean()

    def in_url(self, url: bytes) -> Iterator[Span]:
        """Yield the spans of a URL, as in Referer: of path, query and fragment."""
        start = 0
        in_pair = self._in_linked if self.is_link(url) else self._in_piece
        look: _Look = self.in_path
        for mark in (*_PARTS.finditer(url), None):
            piece = url[start : mark.start() if mark else len(url)]
            if piece:
                yield from _moved(look(piece), start)
            if mark is not None:
                start = mark.end()
                look = self.in_path if _PATH.match(url, start) else in_pair

    def in_text(self, text: bytes) -> Iterator[Span]:
        """Yield the spans of the paths and URLs in a text."""
        if self._is_announced(text):
            for run in _RUN.finditer(text):
                if run[0] not in self._clean.texts:
                    yield from self._in_run(run[0], run.start())

    def _in_run(self, run: bytes, start: int) -> Iterator[Span]:
        spans = list(self.in_url(run))
        if not spans:
            self._clean.add(run)  # a log has the same paths again and again
        yield from _moved(spans, start)

    def _is_announced(self, text: bytes) -> bool:
        followed = _FOLLOWED.findall(text if text[:1] == b"/" else b"/" + text)

        return any(self._announced(name) for name in followed)

    def in_host(self, host: bytes) -> Iterator[Span]:
        """Yield the spans of a Host: user information, which it must not have."""
        user = host.rfind(b"@")
        if user > 0:
            yield Span(0, user, PASSWORD)
        else:
            yield from self._find(host)

    def is_link(self, url: bytes) -> bool:
        """Tell whether a path is one that links in messages have: `/verify`."""
        path = url.partition(b"?")[0]

        return not LINKED.isdisjoint(_words(path))

    def in_path(self, path: bytes) -> Iterator[Span]:
        """Yield the spans of a raw path, which may begin with scheme and authority."""
        start = 0
        scheme = _SCHEME.match(path)
        if scheme is not None:
            user = _USER.match(path, scheme.end())
            start = user.end() if user else scheme.end()
            if user and user.end() - 1 > user.start():
                yield Span(user.start(), user.end() - 1, PASSWORD)
            host = _HOST.match(path, start)
            if host is not None:
                yield from _moved(self._find(host[0]), start)
                start = host.end()
        announced: _Announced | None = None
        for at, segment in _segments(path, start):
            if segment:  # a megabyte of slashes has a million that are empty
                yield from _moved(self._in_segment(segment, announced), at)
                announced = self._next(segment, announced)

    def _next(self, segment: bytes, announced: _Announced | None) -> _Announced | None:
        name, equals, _ = segment.partition(b";")[0].partition(b"=")
        if not name:
            return announced
        if announced is None:
            return self._announced(name)
        if not equals and not self._is_route(name):
            return announced.reaching(announced.reach - 1)
        again = self._announced(name)

        # /password/reset/TOKEN: what is sure stays so.
        return again if again and announced.at_times else announced.reaching(_REACH)

    def _announced(self, segment: bytes) -> _Announced | None:
        try:
            return self._remembered[segment]
        except KeyError:
            found = self._look(segment)
        if len(segment) <= _REMEMBERED_BYTES:
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            self._remembered[segment] = found

        return found

    def _look(self, segment: bytes) -> _Announced | None:
        name = decode_percent(segment) if b"%" in segment else segment
        cls = self._classify(name)
        words = _words(name)
        if len(words) > _TITLE:
            return None
        others = [word for word in words if word not in AT_TIMES]
        if cls is not None:
            only_at_times = not others or self._classify(b"-".join(others)) is None
            return _Announced(cls, only_at_times)

        at_times = len(others) < len(words) or b"".join(words) in AT_TIMES
        if at_times:
            return _Announced(TOKEN, at_times=True)

        seldom = not SELDOM.isdisjoint(words)
        return _Announced(TOKEN, at_times=True, seldom=True) if seldom else None

    def _is_route(self, segment: bytes) -> bool:
        if _FILE.fullmatch(segment):
            return True

        return _WORDS.fullmatch(segment) is not None and all(
            word in ROUTE_WORDS or word in AT_TIMES or self._classify(word)
            for word in _WORD.findall(segment)
        )

    def _in_segment(
        self, segment: bytes, announced: _Announced | None
    ) -> Iterator[Span]:
        at = 0
        for piece in segment.split(b";"):
            if at == 0 and announced and self._is_secret(piece, announced):
                yield Span(0, len(piece), announced.cls)
            elif piece:
                yield from _moved(self._in_piece(piece), at)
            at += len(piece) + 1

    def _is_secret(self, piece: bytes, announced: _Announced) -> bool:
        if self._is_route(piece):
            return False

        if not announced.at_times:
            return True
        file = _NAMED_FILE.fullmatch(piece)
        if announced.seldom or file is not None:
            stem = file[1] if file else piece
            return is_machine_made(stem) and _UUID.fullmatch(stem) is None

        return _MACHINE_MADE.fullmatch(piece) is not None

    def _in_linked(self, piece: bytes) -> Iterator[Span]:
        name, _, value = piece.partition(b"=")
        if is_random(value):
            yield Span(len(name) + 1, len(piece), TOKEN)
        else:
            yield from self._in_piece(piece)

    def _in_piece(self, piece: bytes) -> Iterator[Span]:
        name, equals, value = piece.partition(b"=")
        plain = decode_percent(name)
        cls = self._classify(plain) or weak_class(plain, value)
        if cls and value:
            yield Span(len(name) + 1, len(piece), cls)
        elif cls and not equals and _carries(name):
            # /reset-password-TOKEN: where the name ends nobody can say.
            yield Span(0, len(piece), cls)
        elif value and names_user(plain) and b":" in decode_percent(value):
            yield Span(len(name) + 1, len(piece), PASSWORD)
        else:
            yield from self._find(piece)


def _words(text: bytes) -> list[bytes]:
    return _WORD.findall(_CAMEL.sub(b"-", text).lower())


def _carries(name: bytes) -> bool:
    return _CARRIED.search(name) is not None and not name.endswith(_STATIC)


def _segments(path: bytes, start: int) -> Iterator[tuple[int, bytes]]:
    for segment in path[start:].split(b"/"):
        yield start, segment
        start += len(segment) + 1


def _moved(spans: Iterator[Span] | list[Span], by: int) -> Iterator[Span]:
    for span in spans:
        yield Span(span.start + by, span.end + by, span.cls)
