# What all forms ask of a record: readable text, a level, an address, a field line.
#
# Rule 1: text is shown as it was sent where it is printable Unicode; all else stays
#         coded as in the record, so nothing that a client sent moves a cursor there.
# Rule 2: two texts are never shown alike. So one that has a "%" is coded as well: else
#         who calls himself `zo%C3%AB` could pass for `zoe` with its dots, and who types
#         `%{token:32}` for what we withheld. A path and a URL are shown as they were
#         sent: there `%C3%AB` is how that is written, and means the same.
# Rule 3: every form holds the record's line as well, exactly, so whatever a form has no
#         place for, or has changed, can be had again.
from collections.abc import Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from audit_mw.event import Event, Hole, Text
from audit_mw.event_types import type_rows
from audit_mw.trail.encoding import encode_text

__all__ = [
    "Address",
    "Facts",
    "address_of",
    "facts_of",
    "field_line",
    "level_of",
    "maybe",
    "readable",
    "shown_url",
]

_LEVELS = {each.name: each.level for each in type_rows()}
_URLS = (b"referer",)
_LEAST = -(1 << 63)
# Some types have two levels: which one, the outcome says.
_BAD = ("FAILURE", "ERROR")


class Facts(NamedTuple):
    """What columns `instance` and `client` say, taken apart; None: it is not said."""

    host: str | None
    pid: int | None
    client: "Address | None"
    port: int | None


class Address(NamedTuple):
    """Where something came from: an address, or a word in its place, as `unix`."""

    text: str
    ip: IPv4Address | IPv6Address | None


def readable(text: Text | str | None) -> str:
    """Return a text to be read; what is absent is empty."""
    if text is None:
        return ""
    exact = text.encode(errors="surrogateescape") if isinstance(text, str) else text
    if isinstance(exact, bytes):
        try:
            shown = exact.decode()
        except UnicodeDecodeError:
            shown = "\0"
        if shown.isprintable() and "%" not in shown:
            return shown

    return _coded(exact)


def _coded(exact: Text) -> str:
    parts = (exact,) if isinstance(exact, bytes) else exact
    coded = b"".join(
        encode_text((part,) if isinstance(part, Hole) else part) for part in parts
    )

    return coded.decode()


def shown_url(text: Text | None) -> str:
    """Return a path or a URL to be read: its own `%XX` stay what they are."""
    if isinstance(text, bytes) and b"%{" not in text:
        plain = text.decode(errors="replace").replace("%", "")
        if plain.isprintable() and "\ufffd" not in plain:
            return text.decode()

    return readable(text)


def maybe(pairs: Mapping[str, object]) -> dict[str, object]:
    """
    Return a mapping without what is absent, and without mappings of nothing.

    A number of more than 64 bits is left out: who reads the document has no room for
    it, and would refuse all of it. The record's line has it.
    """
    return {
        key: value
        for key, value in pairs.items()
        if value not in (None, {}, [])
        and not (isinstance(value, int) and not _LEAST <= value <= -_LEAST - 1)
    }


def level_of(event: Event) -> str:
    """Return INFO, WARN or CRITICAL."""
    if event.type in ("request", "websocket"):
        return "WARN" if event.outcome == "ERROR" else "INFO"
    level = _LEVELS.get(event.type, "INFO")
    low, _, high = level.partition("|")

    return high if high and event.outcome in _BAD else low


def field_line(event: Event, name: bytes) -> str | None:
    """Return the value of the first field line of a name, if it was kept."""
    for param in event.params:
        is_it = param.source == "header" and param.name == name
        if is_it and isinstance(param.value, (bytes, tuple)):
            return (shown_url if name in _URLS else readable)(param.value)

    return None


def address_of(text: Text | None) -> Address | None:
    """Return an address that a record has."""
    return None if text is None else _address(readable(text))


@lru_cache(maxsize=4096)
def _address(text: str) -> Address:
    # A zone (RFC 4007) may be of any letters, and no form takes it in an address.
    try:
        return Address(text, None if "%" in text else ip_address(text))
    except ValueError:
        return Address(text, None)


def facts_of(event: Event) -> Facts:
    """Return who wrote a record, and for whom."""
    host, _, behind = event.instance.rpartition(":")[0].rpartition(":")
    peer = readable(event.peer)
    port = peer.rpartition(":")[2]
    is_direct = event.client is not None and peer.startswith(
        (f"{readable(event.client)}:", f"[{readable(event.client)}]:")
    )

    return Facts(
        readable(host) or None,
        int(behind) if behind.isdecimal() and len(behind) < 12 else None,
        address_of(event.client),
        # The port of a proxy is not that of the client.
        int(port) if is_direct and port.isdecimal() and len(port) < 6 else None,
    )
