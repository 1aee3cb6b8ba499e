# What a keyword, a variable or a TOML value can hold -> the value of an option.
#
# A reader takes text, or the value itself, and raises ValueError with the phrase that
# completes "option ... is ...:".
#
# (Longer than 250 lines, since each kind of value has its reader here.)
import re
from base64 import b64decode
from binascii import Error as BadBase64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from os import PathLike, fspath

__all__ = [
    "DETECTORS",
    "KEY_BYTES",
    "TLS_DETAILS",
    "Threshold",
    "count",
    "one_of",
    "read_cookie_name",
    "read_detectors",
    "read_field_name",
    "read_field_names",
    "read_key",
    "read_lower_words",
    "read_min_free",
    "read_networks",
    "read_path",
    "read_patterns",
    "read_switch",
    "read_tls_fields",
    "read_types",
    "read_url_paths",
    "read_word",
]

KEY_BYTES = 32
# What is looked for in each request, by the name of the event that it makes.
DETECTORS = (
    "param_mismatch",
    "deceptive_user",
    "forged_forwarding",
    "malformed_input",
    "excess_input",
    "session_new_address",
)


def read_word(value: object) -> str:
    """Return a text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError("give a text that is not empty")

    return value.strip()


def read_path(value: object) -> str:
    """Return the path of a file or directory."""
    return read_word(fspath(value) if isinstance(value, PathLike) else value)


def one_of(*words: str) -> Callable[[object], str]:
    """Return a reader of one of `words`."""

    def read(value: object) -> str:
        if value not in words:
            raise ValueError(f"give one of {', '.join(words)}")
        return str(value)

    return read


def _words(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, Iterable) or isinstance(value, (bytes, Mapping)):
        raise ValueError(  # noqa: TRY004 - a reader's one way to say what is wrong
            "give a list of texts, or one text with commas between"
        )
    words = tuple(read_word(item) for item in value if item != "")

    return tuple(dict.fromkeys(words))


def read_lower_words(value: object) -> tuple[str, ...]:
    """Return a list of texts in lower case."""
    return tuple(word.lower() for word in _words(value))


_TYPE = re.compile(r"[a-z][a-z0-9_]{1,63}")


def read_types(value: object) -> tuple[str, ...]:
    """Return names of events that the application has of its own."""
    names = _words(value)
    for name in names:
        if _TYPE.fullmatch(name) is None:
            raise ValueError(f"give names such as loan_granted: {name!r}")

    return names


def read_detectors(value: object) -> tuple[str, ...]:
    """Return which findings are looked for: all, none, some, or all but some."""
    words = _words(value)
    if words == ("all",):
        return DETECTORS
    if words == ("none",) or value == []:
        return ()
    names = {word.removeprefix("-") for word in words}
    signs = {word.startswith("-") for word in words}
    if not names or names - set(DETECTORS) or len(signs) > 1:
        known = ", ".join(DETECTORS)
        raise ValueError(f"give all, none, some of {known}, or each to omit with a -")

    return tuple(name for name in DETECTORS if (name in names) != (signs == {True}))


def read_switch(value: object) -> bool:
    """Return true or false."""
    if isinstance(value, bool):
        return value
    if value in ("true", "false"):
        return value == "true"
    raise ValueError("give true or false")


_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 5.6.2


def read_field_name(value: object) -> str:
    """Return the name of a header, in lower case."""
    name = read_word(value).lower()
    if _TOKEN.fullmatch(name) is None:
        raise ValueError("give the name of a header, such as x-forwarded-for")

    return name


def read_field_names(value: object) -> tuple[str, ...]:
    """Return names of headers."""
    return tuple(read_field_name(word) for word in _words(value))


def read_cookie_name(value: object) -> str:
    """Return the name of a cookie."""
    name = read_word(value)
    if _TOKEN.fullmatch(name) is None:
        raise ValueError("give the name of a cookie, such as sessionid")

    return name


def read_networks(value: object) -> tuple[str, ...]:
    """Return networks in their usual spelling, and `unix`."""
    return tuple(_network(word) for word in _words(value))


def _network(word: str) -> str:
    if word == "unix":
        return word
    try:
        return str(_folded(ip_network(word)))
    except ValueError as error:
        raise ValueError(
            f"{error}; give addresses, networks such as 10.0.0.0/8, or unix"
        ) from None


_MAPPED = IPv6Network("::ffff:0:0/96")


def _folded(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    # Addresses are compared with IPv4-mapped ones folded, so this would match none.
    if network.version == 4 or not network.subnet_of(_MAPPED):
        return network
    address = int(network.network_address) & 0xFFFF_FFFF

    return IPv4Network((address, network.prefixlen - _MAPPED.prefixlen))


_UNITS = {"": 1, "b": 1, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
_SIZE = re.compile(r"([0-9]{1,12})\s*([a-z]*)", re.IGNORECASE)


def count(least: int, most: int) -> Callable[[object], int]:
    """Return a reader of a number or size from `least` to `most`."""

    def read(value: object) -> int:
        match = _SIZE.fullmatch(str(value).strip())
        unit = _UNITS.get(match[2].lower()) if match else None
        if match is None or unit is None or isinstance(value, (bool, float)):
            raise ValueError("give a whole number, or a size such as 64KiB or 1MiB")
        number = int(match[1]) * unit
        if not least <= number <= most:
            raise ValueError(f"give {least} to {most}")
        return number

    return read


@dataclass(frozen=True, slots=True, kw_only=True)
class Threshold:
    """Free space below which something happens: a part in percent, or bytes."""

    percent: float | None = None
    size: int | None = None

    def __str__(self) -> str:
        """Return it as an option is written."""
        return str(self.size) if self.percent is None else f"{self.percent:g}%"


_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]{1,6})?)\s*%")
_read_size = count(0, 1 << 50)


def read_min_free(value: object) -> tuple[Threshold, ...]:
    """Return the free space at which to warn, to stop debug, and to refuse."""
    items = value.split(",") if isinstance(value, str) else value
    if not isinstance(items, (list, tuple)) or len(items) != 3:
        raise ValueError("give three, such as 10%,5%,1% or 1GiB,500MiB,100MiB")
    read = tuple(_threshold(item) for item in items)
    # A part of an unknown whole and a size cannot be compared.
    for found in (
        [each.percent for each in read if each.percent is not None],
        [each.size for each in read if each.size is not None],
    ):
        if sorted(found, reverse=True) != found:
            raise ValueError("give the largest first: to warn, stop debug, refuse")

    return read


def _threshold(value: object) -> Threshold:
    if isinstance(value, Threshold):
        return value
    match = _PERCENT.fullmatch(str(value).strip())
    if match is None:
        return Threshold(size=_read_size(value))
    if float(match[1]) > 100:
        raise ValueError("give 0% to 100%")

    return Threshold(percent=float(match[1]))


def read_url_paths(value: object) -> tuple[str, ...]:
    """Return paths of URLs."""
    paths = _words(value)
    for path in paths:
        if not path.startswith("/") or "?" in path:
            raise ValueError(f"give paths such as /health, without a query: {path!r}")

    return paths


def read_patterns(value: object) -> tuple[str, ...]:
    """Return regular expressions over bytes."""
    # A comma can stand in a pattern, so in the environment a space parts them.
    words = tuple(value.split()) if isinstance(value, str) else _words(value)
    for word in words:
        try:
            re.compile(word.encode())
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"{word!r} is no regular expression: {error}") from None

    return words


def read_tls_fields(value: object) -> tuple[tuple[str, str], ...]:
    """Return (detail, header) of each fact of TLS."""
    if isinstance(value, str):
        value = {
            word.partition("=")[0].strip(): word.partition("=")[2]
            for word in _words(value)
        }
    if not isinstance(value, Mapping) or set(value) - set(TLS_DETAILS):
        raise ValueError(f"give header names for {', '.join(TLS_DETAILS)}")

    return tuple((detail, read_field_name(value[detail])) for detail in value)


TLS_DETAILS = ("tls_version", "tls_cipher", "client_cert")


def read_key(value: object) -> bytes:
    """Return a key of enough bytes."""
    try:
        key = (
            value if isinstance(value, bytes) else b64decode(str(value), validate=True)
        )
    except (BadBase64, ValueError):
        raise ValueError("give the key in base64") from None
    if len(key) < KEY_BYTES:
        raise ValueError(f"give at least {KEY_BYTES} random bytes, in base64")

    return key
