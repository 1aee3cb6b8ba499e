# What an application may show of a secret when it fails: two tables, of where the
# secret came from and of how the exception shows it, read by tests/test_canary.py.
import html
import json
from base64 import b64encode
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import quote

from tests.canary.drive import Request
from tests.canary.places import (
    ALL,
    ANY,
    FORM,
    ONE_LINE,
    document,
    form,
    header,
    json_body,
    part,
    path,
    percent,
    query,
)

__all__ = ["ERRORS", "ORIGINS"]

Make = Callable[[bytes], Request]
Fail = Callable[[str], Exception]


@dataclass(frozen=True, slots=True)
class Credentials:
    """A login as an application may hold it."""

    user: str
    secret: str


def coded(text: str) -> bytes:
    """Return the bytes that an application read as `text`."""
    return text.encode("utf-8", "surrogateescape")


def _xml(canary: bytes) -> Request:
    return json_body(b"<a><password>%s</password></a>" % canary, b"text/xml")


# Where the secret came from, and which canaries it takes.
ORIGINS: dict[str, tuple[Make, frozenset[str]]] = {
    "query": (query("password"), ANY),
    "form": (form("password"), ANY),
    "JSON": (document(lambda text: {"user": {"password": text}}), ALL),
    "JSON key": (document(lambda text: {"tokens": {text: 1}}), ONE_LINE - {"letters"}),
    "JSON, GraphQL": (
        document(
            lambda text: {
                "query": "mutation($p: String!){login(password: $p){id}}",
                "variables": {"p": text},
            }
        ),
        ALL,
    ),
    "multipart": (part(b'name="password"'), ANY),
    "text in a value": (
        lambda c: Request(fields=(FORM,), body=b"note=" + percent(b"my pin is " + c)),
        ALL - {"lines", "pem"},
    ),
    "XML": (_xml, frozenset({"alphanumeric", "letters", "digits", "jwt", "card"})),
    "cookie": (
        header(b"cookie", b"a=1; sessionid=".__add__),
        frozenset({"alphanumeric", "letters", "digits", "jwt", "card"}),
    ),
    "Bearer": (header(b"authorization", b"Bearer ".__add__), ONE_LINE),
    "Basic": (
        header(b"authorization", lambda c: b"Basic " + b64encode(b"alice:" + c)),
        ANY,
    ),
    "X-Api-Key": (header(b"x-api-key"), ONE_LINE),
    "path": (path(lambda c: b"/reset-password/" + percent(c)), ANY),
    "Referer": (header(b"referer", lambda c: b"https://h/?token=" + percent(c)), ALL),
}


def _chained(text: str) -> Exception:
    error = ValueError("outside")
    error.__cause__ = KeyError(text)

    return error


def _in_context(text: str) -> Exception:
    error = ValueError("outside")
    error.__context__ = KeyError(text)

    return error


def _noted(text: str) -> Exception:
    error = ValueError("outside")
    error.add_note(f"it was {text}")

    return error


def _grouped(text: str) -> Exception:
    inner = ExceptionGroup("two", [ValueError(text), KeyError(text)])

    return ExceptionGroup("one", [inner, _noted(text)])


def _syntax(text: str) -> Exception:
    return SyntaxError("bad", ("<form>", 1, 2, text, 1, 3))


# How an exception shows it.
ERRORS: dict[str, Fail] = {
    "raw": ValueError,
    "KeyError": KeyError,
    "repr": lambda text: ValueError(repr(text)),
    "repr of repr": lambda text: ValueError(repr(repr(text))),
    "ascii": lambda text: ValueError(ascii(text)),
    "in a sentence": lambda text: ValueError(f"no user alice with {text}!"),
    "in a line of several": lambda text: ValueError(f"first\n  it was {text},\nlast"),
    "in a mapping": lambda text: ValueError({"user": "a", "secret": text, "b": 1}),
    "in a mapping under another name": lambda text: ValueError({"q": [text]}),
    "in pairs": lambda text: ValueError([("user", "a"), ("password", text)]),
    "in a value object": lambda text: ValueError(Credentials("alice", text)),
    "as bytes": lambda text: ValueError(coded(text)),
    "as Latin-1": lambda text: ValueError(coded(text).decode("latin-1")),
    "as the repr of Latin-1": lambda text: KeyError(coded(text).decode("latin-1")),
    "as JSON": lambda text: ValueError(json.dumps({"x": text})),
    "as JSON in UTF-8": lambda text: ValueError(json.dumps([text], ensure_ascii=False)),
    "as a URL": lambda text: ValueError(
        f"https://h/?q={quote(coded(text), safe='')}&a=1"
    ),
    "as a path": lambda text: ValueError(f"https://h/{quote(coded(text))}"),
    "as HTML": lambda text: ValueError(html.escape(text)),
    "as base64": lambda text: ValueError(b64encode(coded(text)).decode()),
    "in base64": lambda text: ValueError(b64encode(b"a:" + coded(text)).decode()),
    "as hex": lambda text: ValueError(coded(text).hex()),
    "with what is no text replaced": lambda text: ValueError(
        coded(text).decode("utf-8", "replace")
    ),
    "in upper case": lambda text: ValueError(text.upper()),
    "cut short": lambda text: ValueError(f"input_value='{text[:24]}...{text[-24:]}'"),
    "as a cause": _chained,
    "in the context": _in_context,
    "in a note": _noted,
    "in a group of groups": _grouped,
    "in the text of a SyntaxError": _syntax,
    "as a failed conversion": lambda text: ValueError(f"invalid literal: {text!r}"),
    "as the database says it": lambda text: ValueError(f"Key (q)=({text}) exists"),
}
