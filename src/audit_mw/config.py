# Options -> one frozen Config, once, at start.
#
# Each option is a keyword of `AuditMiddleware(app, ...)`, a variable
# AUDIT_MW_<NAME>, and a key of [tool.audit_mw] in the TOML file that
# AUDIT_MW_CONFIG names. The keyword wins, then the environment, then the file.
#
# Rule: a wrong value or an unknown name never waits for a request. It is a
# ConfigError that names the option, where it was set, and what would be right.
#
# A reader takes what any of the three sources can hold (text, or the value itself)
# and raises ValueError with the phrase that completes "option ... is ...:".
import os
import re
import tomllib
from base64 import b64decode
from binascii import Error as BadBase64
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from ipaddress import IPv4Network, IPv6Network, ip_network
from pathlib import Path
from typing import Any, Self

from audit_mw.errors import ConfigError

__all__ = ["Config", "option_rows"]

PREFIX = "AUDIT_MW_"
RESERVED = {"AUDIT_MW_APP", "AUDIT_MW_CONFIG"}  # name the app and the file
KEY_BYTES = 32


def _word(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("give a text that is not empty")

    return value.strip()


def _one_of(*words: str) -> Callable[[object], str]:
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
    words = tuple(_word(item) for item in value if item != "")

    return tuple(dict.fromkeys(words))


def _lower_words(value: object) -> tuple[str, ...]:
    return tuple(word.lower() for word in _words(value))


_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 5.6.2


def _field_name(value: object) -> str:
    name = _word(value).lower()
    if _TOKEN.fullmatch(name) is None:
        raise ValueError("give the name of a header, such as x-forwarded-for")

    return name


def _field_names(value: object) -> tuple[str, ...]:
    return tuple(_field_name(word) for word in _words(value))


def _cookie_name(value: object) -> str:
    name = _word(value)
    if _TOKEN.fullmatch(name) is None:
        raise ValueError("give the name of a cookie, such as sessionid")

    return name


def _networks(value: object) -> tuple[str, ...]:
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


def _count(least: int, most: int) -> Callable[[object], int]:
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


def _patterns(value: object) -> tuple[str, ...]:
    # A comma can stand in a pattern, so in the environment a space parts them.
    words = tuple(value.split()) if isinstance(value, str) else _words(value)
    for word in words:
        try:
            re.compile(word.encode())
        except (re.error, OverflowError, RecursionError) as error:
            raise ValueError(f"{word!r} is no regular expression: {error}") from None

    return words


def _tls_fields(value: object) -> tuple[tuple[str, str], ...]:
    if isinstance(value, str):
        value = {
            word.partition("=")[0].strip(): word.partition("=")[2]
            for word in _words(value)
        }
    if not isinstance(value, Mapping) or set(value) - set(TLS_DETAILS):
        raise ValueError(f"give header names for {', '.join(TLS_DETAILS)}")

    return tuple((detail, _field_name(value[detail])) for detail in value)


TLS_DETAILS = ("tls_version", "tls_cipher", "client_cert")


def _key(value: object) -> bytes:
    try:
        key = (
            value if isinstance(value, bytes) else b64decode(str(value), validate=True)
        )
    except (BadBase64, ValueError):
        raise ValueError("give the key in base64") from None
    if len(key) < KEY_BYTES:
        raise ValueError(f"give at least {KEY_BYTES} random bytes, in base64")

    return key


def _option(default: Any, read: Callable[[object], Any], meaning: str) -> Any:
    return field(
        default=default,
        metadata={"read": read, "meaning": meaning},
        repr=read is not _key,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """
    All options, read and checked. Build one with `Config.load`.

    Sizes are in bytes. What each option means stands beside it.
    """

    interface: str = _option(
        "auto",
        _one_of("auto", "asgi", "wsgi"),
        "`asgi` or `wsgi`; `auto` counts the parameters that the app requires",
    )
    trail: str = _option("audit-trail", _word, "directory of the trail")
    service: str | None = _option(
        None, _word, "column service; else the app's own name, else the directory's"
    )
    trusted_proxies: tuple[str, ...] = _option(
        (), _networks, "addresses, networks and `unix`, whose forwarding header counts"
    )
    forwarded_by: str = _option(
        "x-forwarded-for", _field_name, "the one header that those proxies set"
    )
    tls_fields: tuple[tuple[str, str], ...] = _option(
        (),
        _tls_fields,
        "headers in which those proxies tell `tls_version`, `tls_cipher`, "
        "`client_cert`: a table, or `tls_version=x-tls,...`",
    )
    session_cookie: str | None = _option(
        None, _cookie_name, "cookie that holds the session id; else found by class"
    )
    key: bytes | None = _option(
        None, _key, "secret for keyed digests, base64, at least 32 bytes"
    )
    key_file: str | None = _option(
        None, _word, "file with that secret, raw; else one is made in the trail, 0600"
    )
    secret_names: tuple[str, ...] = _option(
        (), _lower_words, "further names whose values are withheld"
    )
    secret_patterns: tuple[str, ...] = _option(
        (), _patterns, "regular expressions of further values to withhold"
    )
    not_secret: tuple[str, ...] = _option(
        (), _lower_words, "names that are no secret, whatever the classes say"
    )
    opaque_types: tuple[str, ...] = _option(
        (), _lower_words, "media types of bodies to keep though no parser knows them"
    )
    record_fields: tuple[str, ...] = _option(
        (), _field_names, "further headers to record"
    )
    rotate: str = _option(
        "day", _one_of("day", "hour"), "a segment a `day` or an `hour`, in UTC"
    )
    spill_over: int = _option(
        256, _count(64, 4096), "bytes of a value beyond which it is spilled"
    )
    max_body: int = _option(
        1 << 20, _count(1 << 10, 1 << 30), "bytes held of one value or JSON document"
    )
    max_spill: int = _option(
        4 << 20, _count(0, 1 << 30), "bytes that one request may spill"
    )
    max_params: int = _option(
        1000, _count(1, 1_000_000), "params in one record; the rest is spilled"
    )
    max_record: int = _option(
        64 << 10, _count(32 << 10, 1 << 20), "bytes of one record; the rest is spilled"
    )
    event_header: str | None = _option(
        None, _field_name, "response header that carries the event id"
    )

    @classmethod
    def load(
        cls,
        keywords: Mapping[str, object] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> Self:
        """
        Return the options from keywords, environment and file, in this order.

        Args:
            keywords: as given to `AuditMiddleware`; None as a value is "not given".
            environ: instead of the process's own.

        Raises:
            ConfigError: an option that does not exist, or a value that is wrong.
        """
        environ = os.environ if environ is None else environ
        given: dict[str, tuple[object, str]] = {}
        for source, where in (
            _file_options(environ.get("AUDIT_MW_CONFIG")),
            _environ_options(environ),
            (dict(keywords or {}), "keyword of AuditMiddleware"),
        ):
            for name, value in source.items():
                if value is not None:
                    given[name] = (value, _place(name, where))

        return cls(**{name: _read(cls, name, *said) for name, said in given.items()})


def _place(name: str, where: str) -> str:
    return where.replace("<NAME>", name.upper())


def _environ_options(environ: Mapping[str, str]) -> tuple[dict[str, object], str]:
    options: dict[str, object] = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in environ.items()
        if name.startswith(PREFIX) and name not in RESERVED
    }

    return options, f"variable {PREFIX}<NAME>"


def _file_options(path: str | None) -> tuple[dict[str, object], str]:
    if path is None:
        return {}, ""
    try:
        document = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        options = document["tool"]["audit_mw"]
    except OSError as error:
        right = f"name a TOML file that can be read ({error.strerror})"
        raise ConfigError("config", path, right, "variable AUDIT_MW_CONFIG") from error
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        right = f"name a TOML file with a table [tool.audit_mw] ({error})"
        raise ConfigError("config", path, right, "variable AUDIT_MW_CONFIG") from error
    if not isinstance(options, dict):
        right = "make tool.audit_mw a table"
        raise ConfigError("config", path, right, "variable AUDIT_MW_CONFIG")

    return options, f"[tool.audit_mw] in {path}"


def _read(cls: type[Config], name: str, value: object, where: str) -> Any:
    readers = {option.name: option.metadata["read"] for option in fields(cls)}
    if name not in readers:
        near = get_close_matches(name, readers, 1)
        right = "there is no such option" + (f"; {near[0]}?" if near else "")
        # It may be the key, under a name that is nearly right.
        raise ConfigError(name, "withheld", right, where)
    try:
        return readers[name](value)
    except ValueError as error:
        # A key that is nearly right is still a secret.
        shown = "withheld" if name == "key" else value
        raise ConfigError(name, shown, str(error), where) from None


def option_rows() -> list[tuple[str, str, str]]:
    """Return (name, default, meaning) of each option, for the documentation."""
    return [
        (option.name, _shown(option.default), option.metadata["meaning"])
        for option in fields(Config)
    ]


def _shown(default: object) -> str:
    if default is None or default == ():
        return "none"
    if isinstance(default, int) and default % 1024 == 0:
        return (
            f"{default >> 20}MiB" if default % (1 << 20) == 0 else f"{default >> 10}KiB"
        )

    return str(default)
