# What the head of a request yields: the session, cookies and field lines as params,
# the facts of TLS, and what to expect of a body.
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from audit_mw.event import RequestHead, Text
from audit_mw.gathering import Gathering
from audit_mw.policy.client import Client
from audit_mw.policy.names import TOKEN, names_session
from audit_mw.policy.session import is_session_id
from audit_mw.rules import Rules
from audit_mw.tls_facts import show_tls
from audit_mw.wire.head import Pair, field_values

__all__ = [
    "CREDENTIALS",
    "OWN_GRAMMAR",
    "WITH_BODY",
    "Expected",
    "add_cookies",
    "add_fields",
    "declared_length",
    "expect_body",
    "find_session",
    "has_authorization",
    "tls_details",
]

Fields = Iterable[tuple[bytes, bytes]]

CREDENTIALS = {b"authorization", b"proxy-authorization"}
_URLS = {b"referer", b"origin", b"x-original-url", b"x-rewrite-url"}
_HOSTS = {b"host", b"x-forwarded-host", b"x-original-host", b"x-host"}
WITH_BODY = {b"POST", b"PUT", b"PATCH"}  # of which a body is to be expected
OWN_GRAMMAR = CREDENTIALS | _URLS | _HOSTS  # looked at by rules of their own
_MOST_DIGITS = 18  # of a length that a number of 64 bits can hold


@dataclass(frozen=True, slots=True)
class Expected:
    """
    The body that the head announces.

    `declared` is its length, where that is given; `announced` tells whether there is
    one at all, read or not.
    """

    declared: int | None
    announced: bool
    media_type: bytes | None


def expect_body(head: RequestHead) -> Expected:
    """Return what `head` says of a body."""
    declared = declared_length(head.fields)
    announced = bool(field_values(head.fields, b"transfer-encoding") or declared)
    if declared is None and head.http_version not in ("1.0", "1.1"):
        # HTTP/2 and later need no length: only the method tells that a body may come.
        announced = announced or head.method in WITH_BODY
    types = field_values(head.fields, b"content-type")

    return Expected(declared, announced, types[0] if types else None)


def declared_length(fields: Fields) -> int | None:
    """Return the length that the first well-formed Content-Length declares."""
    for name, value in fields:
        if name.lower() == b"content-length":
            text = value.strip()
            if text.isdigit() and len(text) <= _MOST_DIGITS:
                return int(text)

    return None


def find_session(rules: Rules, cookies: Iterable[Pair]) -> bytes | None:
    """Return the session id among `cookies`, by name or by class."""
    named = rules.session_cookie
    for name, value, _ in cookies:
        if not value:
            continue
        if name == named or (
            named is None and names_session(name) and is_session_id(value)
        ):
            return value

    return None


def has_authorization(fields: Fields) -> bool:
    """Tell whether the client sent credentials in a field line."""
    return any(name in CREDENTIALS and value for name, value in fields)


def add_cookies(rules: Rules, gathering: Gathering, cookies: Iterable[Pair]) -> None:
    """Add each cookie as a param."""
    cookies = tuple(cookies)
    # Some readers let a value in quotes have a semicolon in it. Where the quotes are
    # never closed none does, and what follows is as it stands.
    ends: list[int] | None = None
    until = -1
    at = 0
    for pair, run in groupby(cookies):
        times = sum(1 for _ in run)
        if not pair.name and pair.value is None and at > until:
            gathering.add_repeated("cookie", pair, times)
            at += times
            continue
        cls = TOKEN if pair.name == rules.session_cookie else None
        opens = _opens_quotes(pair) and (cls or rules.redactor.classify(pair.name))
        for each in range(at, at + times):
            if each <= until:
                gathering.add_withheld("cookie", pair, TOKEN)
                continue
            gathering.add_pair("cookie", pair, cls)
            if opens:
                ends = _ends(cookies) if ends is None else ends
                later = bisect_right(ends, each)
                until = ends[later] if later < len(ends) else -1
        at += times


def _ends(cookies: Iterable[Pair]) -> list[int]:
    return [at for at, pair in enumerate(cookies) if _closes_quotes(pair)]


def _opens_quotes(pair: Pair) -> bool:
    value = pair.value or b""

    return value[:1] == b'"' and (value == b'"' or value[-1:] != b'"')


def _closes_quotes(pair: Pair) -> bool:
    return (pair.value or pair.name)[-1:] == b'"'


def add_fields(rules: Rules, gathering: Gathering, fields: Fields) -> None:
    """Add each field line that is recorded, as sent or redacted."""
    for name, value in fields:
        cls = rules.redactor.classify(name)
        if name == b"cookie" or not (cls or name in rules.recorded):
            continue
        if name in CREDENTIALS:
            for secret in rules.redactor.credentials(value):
                gathering.remember(secret)
            gathering.add("header", name, rules.redactor.authorization(value))
        elif name in _URLS:
            url = gathering.keep(value, rules.redactor.url(value))
            gathering.add("header", name, url)
        elif name in _HOSTS:
            host = gathering.keep(value, rules.redactor.host(value))
            gathering.add("header", name, host)
        else:
            gathering.add_pair("header", Pair(name, value), cls)


def tls_details(
    rules: Rules, head: RequestHead, client: Client, gathering: Gathering
) -> dict[str, object]:
    """Return what the server, or a trusted proxy before it, tells of TLS (11.9)."""
    found = dict(head.tls)
    if client.trusted:
        told = {
            rules.tls_fields[name]: value
            for name, value in head.fields
            if name in rules.tls_fields
        }
        # Where a proxy speaks for another, what the server knows is of the hop between
        # them: its certificate would be taken for the client's.
        if told or client.via != "direct":
            found = told
    found = {name: value for name, value in found.items() if value not in _NOTHING}

    def shown(value: bytes) -> Text:
        return gathering.spilling.bound(rules.redactor.text(value))

    return show_tls(found, shown)


# What proxies and servers put where there is nothing to tell.
_NOTHING = {b"", b"-", b"(null)", b"NONE"}
