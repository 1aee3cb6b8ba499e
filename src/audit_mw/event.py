# The values that all floors speak of, and nothing that computes.
#
# Text that a client sent is bytes: it is kept exactly, and decoding it is the
# reader's business. Where a part of it is ours, the text is a tuple of bytes and
# `Hole`s. What the server or the config says in a fixed vocabulary is `str`.
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, NamedTuple

__all__ = [
    "DELIVERY",
    "NO_TLS",
    "STREAMS",
    "USER_NAMES",
    "Details",
    "Draft",
    "Event",
    "Hole",
    "JsonText",
    "Opaque",
    "Param",
    "Params",
    "Redacted",
    "RequestHead",
    "Rest",
    "Spill",
    "Spilled",
    "Text",
    "Unread",
    "Upload",
    "Value",
]

# Where an object of a user has its name, the first that is one. What users choose for
# themselves comes last: it may be another's.
USER_NAMES = ("identity", "username", "email", "id", "display_name")

# In details: whether the server took the last message, which is not known yet.
DELIVERY = object()

STREAMS = ("request", "session", "security", "error", "fault", "debug", "system")


@dataclass(frozen=True, slots=True)
class Hole:
    """
    A part of a text that is ours: something withheld, or something spilled.

    Exactly one of `cls` (the class of a secret) and `sha256` (of a spilled part)
    is given; `hmac` only beside a class whose uses may be joined.
    """

    len: int
    cls: str | None = None
    hmac: str | None = None
    sha256: str | None = None


Text = bytes | tuple[bytes | Hole, ...]


@dataclass(frozen=True, slots=True)
class Redacted:
    """A withheld value: its length in bytes, its class, at most a keyed digest."""

    len: int
    cls: str
    hmac: str | None = None


@dataclass(frozen=True, slots=True)
class Spilled:
    """A value too long for the record; the values stream has it by this digest."""

    len: int
    sha256: str


@dataclass(frozen=True, slots=True)
class JsonText:
    """A JSON number, `true`, `false`, `null`, `[]` or `{}`, as its exact text."""

    text: bytes


@dataclass(frozen=True, slots=True)
class Upload:
    """
    An uploaded file: hashed as it streamed by, never held.

    `sha256` is None where it would tell of a secret: of a private key, or of a small
    text with a password in it.
    """

    filename: Text | None
    type: Text | None
    len: int
    sha256: str | None


@dataclass(frozen=True, slots=True)
class Unread:
    """A body of which the application read `read` of `len` bytes (None: unknown)."""

    len: int | None
    read: int


@dataclass(frozen=True, slots=True)
class Opaque:
    """What no parser understood to its end and what may hold a secret."""

    len: int
    type: Text | None


@dataclass(frozen=True, slots=True)
class Rest:
    """The params that did not fit: a spilled JSON array of `len` bytes."""

    count: int
    len: int
    sha256: str


Value = Text | Redacted | Spilled | JsonText | Upload | Unread | Opaque | Rest | None


class Param(NamedTuple):
    """One thing that the client sent; `name` is None where it had none."""

    source: str
    name: Text | None
    value: Value


class Params(tuple[Param, ...]):  # noqa: SLOT001 - a tuple takes none
    """
    Params, and how each stands in a record, where that is known already.

    `coded` is None where it is not.
    """

    coded: tuple[bytes, ...] | None = None


@dataclass(frozen=True, slots=True)
class Spill:
    """An exact value on its way to the values stream."""

    sha256: str
    value: bytes


class Details(dict[str, object]):
    """
    Details that many records have, and how they stand in one once that is known.

    They are never changed.
    """

    coded: bytes | None = None


NO_TLS: Mapping[str, bytes] = MappingProxyType({})


class RequestHead(NamedTuple):
    """
    What an edge knows of a request before the application is called.

    Args:
        method: as sent; a websocket has none of its own and says GET.
        path: the raw path, without the query.
        query: the raw query, without the question mark.
        fields: (name, value) of each field line, in the order given; names in any case,
            text in the place of bytes taken for Latin-1.
        type: `request` or `websocket`.
        scheme, http_version: as the server tells them.
        peer: (host, port) of the socket, the port None where the server does not
            tell it; ("unix", None); None where unknown.
        rewritten: `by` whom another address was put in the peer's place, and `to`
            which; without `to`, it is what `peer` has.
        joined: the server folded repeated field lines, as WSGI asks it to.
        reconstructed: the server gave no raw path; `path` is a decoded one.
        tls: any of tls_version, tls_cipher, client_cert, client_verify that the server
            told.
    """

    method: bytes
    path: bytes
    query: bytes = b""
    fields: Sequence[Any] = ()
    type: str = "request"
    scheme: str | None = None
    http_version: str | None = None
    peer: tuple[str, int | None] | None = None
    rewritten: Mapping[str, str] | None = None
    joined: bool = False
    reconstructed: bool = False
    tls: Mapping[str, bytes] = NO_TLS


class Draft(NamedTuple):
    """
    A line but for its length, its seq and its check.

    `before` has time, event and stream; `after` all that stands behind the seq.
    `instance` is the one that `after` names, where it is to be looked at.
    """

    stream: str
    before: bytes
    after: bytes
    instance: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """
    Something that happened and is kept: the columns of a record, as values.

    `time` is in microseconds since the epoch. `details` holds text as `Text`,
    numbers as int, and lists and mappings of these. `spills` are the exact values
    that go to the values stream before the record does; they are not in a record,
    so a reader gives none, and they do not count for equality.
    """

    time: int
    event: str
    stream: str
    type: str
    outcome: str
    service: Text
    instance: str = ""
    client: Text | None = None
    peer: Text | None = None
    user: Text | None = None
    session: str | None = None
    method: Text | None = None
    path: Text | None = None
    action: Text | None = None
    status: int | None = None
    sent: int | None = None
    rows: int | None = None
    micros: int | None = None
    params: tuple[Param, ...] = ()
    details: Mapping[str, object] = field(default_factory=dict)
    salt: str | None = None
    seal: str | None = None
    spills: tuple[Spill, ...] = field(default=(), compare=False, repr=False)
