# Options -> one frozen Config, once, at start.
#
# Each option is a keyword of `AuditMiddleware(app, ...)`, a variable
# AUDIT_MW_<NAME>, and a key of [tool.audit_mw] in the TOML file that
# AUDIT_MW_CONFIG names. The keyword wins, then the environment, then the file.
#
# Rule: a wrong value or an unknown name never waits for a request. It is a
# ConfigError that names the option, where it was set, and what would be right.
#
# (Longer than 250 lines, since each option is explained where it is declared.)
import os
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from difflib import get_close_matches
from pathlib import Path
from typing import Any, Self

from audit_mw.errors import ConfigError
from audit_mw.option_readers import (
    DETECTORS,
    Threshold,
    count,
    one_of,
    read_cookie_name,
    read_detectors,
    read_field_name,
    read_field_names,
    read_key,
    read_lower_words,
    read_min_free,
    read_networks,
    read_path,
    read_patterns,
    read_switch,
    read_tls_fields,
    read_types,
    read_url_paths,
    read_word,
)

__all__ = ["CONSOLES", "Config", "option_rows"]

CONSOLES = ("stdout", "stderr")  # as a trail: not directories of these names

PREFIX = "AUDIT_MW_"
# A record of a trail of files, and of one on the console: collectors split its lines
# beyond 16 KiB.
_RECORD, _CONSOLE_RECORD = (32 << 10, 1 << 20), (8 << 10, 12 << 10)
_COUNTS = {"max_params", "max_slots"}  # shown as numbers; other numbers are sizes
# These name the application and files; they are no options.
RESERVED = {"AUDIT_MW_APP", "AUDIT_MW_CONFIG", "AUDIT_MW_GUNICORN_CONFIG"}


def _option(default: Any, read: Callable[[object], Any], meaning: str) -> Any:
    return field(
        default=default,
        metadata={"read": read, "meaning": meaning},
        repr=read is not read_key,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """
    All options, read and checked. Build one with `Config.load`.

    Sizes are in bytes. What each option means stands beside it.
    """

    interface: str = _option(
        "auto",
        one_of("auto", "asgi", "wsgi"),
        "`asgi` or `wsgi`; `auto` counts the parameters that the app requires",
    )
    trail: str = _option(
        "audit-trail", read_path, "directory of the trail; or `stdout`, `stderr`"
    )
    service: str | None = _option(
        None,
        read_word,
        "column service; else the app's own name, else the directory's",
    )
    version: str | None = _option(None, read_word, "version of the service")
    responsible: str | None = _option(
        None, read_word, "person who answers for what automatic processes do"
    )
    trusted_proxies: tuple[str, ...] = _option(
        (),
        read_networks,
        "addresses, networks and `unix`, whose forwarding header counts",
    )
    forwarded_by: str = _option(
        "x-forwarded-for", read_field_name, "the one header that those proxies set"
    )
    tls_fields: tuple[tuple[str, str], ...] = _option(
        (),
        read_tls_fields,
        "headers in which those proxies tell `tls_version`, `tls_cipher`, "
        "`client_cert`: a table, or `tls_version=x-tls,...`",
    )
    session_cookie: str | None = _option(
        None,
        read_cookie_name,
        "cookie that holds the session id; else found by class",
    )
    key: bytes | None = _option(
        None,
        read_key,
        "secret for keyed digests, base64, at least 32 bytes",
    )
    key_file: str | None = _option(
        None,
        read_path,
        "file with that secret, raw; else one is made in the trail, 0600",
    )
    secret_names: tuple[str, ...] = _option(
        (), read_lower_words, "further names whose values are withheld"
    )
    secret_patterns: tuple[str, ...] = _option(
        (), read_patterns, "regular expressions of further values to withhold"
    )
    not_secret: tuple[str, ...] = _option(
        (),
        read_lower_words,
        "names that are no secret, whatever the classes say",
    )
    opaque_types: tuple[str, ...] = _option(
        (),
        read_lower_words,
        "media types of bodies to keep though no parser knows them",
    )
    record_fields: tuple[str, ...] = _option(
        (), read_field_names, "further headers to record"
    )
    types: tuple[str, ...] = _option(
        (), read_types, "names of events beside those of OWASP's logging vocabulary"
    )
    detectors: tuple[str, ...] = _option(
        DETECTORS,
        read_detectors,
        "findings that make security records: `all`, `none`, some, or `-` before each "
        "that is left out",
    )
    debug: bool = _option(
        False,  # noqa: FBT003 - the default of an option
        read_switch,
        "keep debug records, as `AuditHandler` makes them",
    )
    on_failure: str = _option(
        "refuse",
        one_of("refuse", "exit", "serve"),
        "where no record can be written: `refuse` requests, `exit` the worker as "
        "well, or `serve` them unrecorded and count them",
    )
    serve_unlogged: tuple[str, ...] = _option(
        (),
        read_url_paths,
        "paths that are served though no record can be written, such as `/health`",
    )
    on_vanished: str = _option(
        "continue",
        one_of("continue", "refuse"),
        "where a segment was removed or truncated: `continue` in a new one, or "
        "`refuse` requests until a restart",
    )
    durability: str = _option(
        "process",
        one_of("process", "disk"),
        "a record outlives its `process`, or, synced before the response ends, a loss "
        "of power: `disk`",
    )
    rotate: str = _option(
        "day", one_of("day", "hour"), "a segment a `day` or an `hour`, in UTC"
    )
    spill_over: int = _option(
        256, count(64, 4096), "bytes of a value beyond which it is spilled"
    )
    max_body: int = _option(
        1 << 20, count(1 << 10, 1 << 30), "bytes held of one value or JSON document"
    )
    max_spill: int = _option(
        4 << 20, count(0, 1 << 30), "bytes that one request may spill"
    )
    max_params: int = _option(
        1000, count(1, 1_000_000), "params in one record; the rest is spilled"
    )
    max_record: int = _option(
        64 << 10,
        count(_CONSOLE_RECORD[0], _RECORD[1]),
        "bytes of one record, on a console 12KiB at most; the rest is spilled",
    )
    max_slots: int = _option(
        1 << 16,
        count(16, 1 << 20),
        "requests that may run at once, in one process, before new ones are refused",
    )
    journal_dir: str | None = _option(
        None,
        read_path,
        "directory of the journals; else `.journal` in the trail",
    )
    min_free: tuple[Threshold, ...] = _option(
        (Threshold(percent=10), Threshold(percent=5), Threshold(percent=1)),
        read_min_free,
        "free space at which to warn, stop debug records, and refuse requests",
    )
    event_header: str | None = _option(
        None, read_field_name, "response header that carries the event id"
    )
    compiled: str = _option(
        "auto",
        one_of("auto", "on", "off"),
        "the compiled road of ordinary requests: `auto`, where it was built; `on`: "
        "likewise, and an error where it was not; `off`",
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

        options = {name: _read(cls, name, *said) for name, said in given.items()}
        if options.get("trail") in CONSOLES:
            _fit_console(options)
        _check_record(options, given)

        return cls(**options)

    @property
    def is_console(self) -> bool:
        """Whether the trail is the console, and no directory."""
        return self.trail in CONSOLES

    @property
    def home(self) -> str:
        """The directory that this trail owns: its own; on a console its journals'."""
        return str(self.journal_dir) if self.is_console else self.trail

    @classmethod
    def names_trail(cls, keywords: Mapping[str, object]) -> bool:
        """Tell whether keywords, environment or file name a trail."""
        environ = os.environ
        sources = (
            keywords,
            _environ_options(environ)[0],
            _file_options(environ.get("AUDIT_MW_CONFIG"))[0],
        )

        return any(source.get("trail") is not None for source in sources)


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


def _fit_console(options: dict[str, Any]) -> None:
    """
    Give a trail on the console what it has by default.

    Raises:
        ConfigError: it lacks what only a directory has of itself.
    """
    if options.get("journal_dir") is None:
        right = "a trail on the console needs a directory that outlives the process"
        raise ConfigError("journal_dir", None, right, "not given")
    if options.get("key") is None and options.get("key_file") is None:
        right = "a trail on the console has no place for one: give key or key_file"
        raise ConfigError("key", None, right, "not given")
    options.setdefault("max_record", _CONSOLE_RECORD[1])


def _check_record(
    options: Mapping[str, Any], given: Mapping[str, tuple[object, str]]
) -> None:
    on_console = options.get("trail") in CONSOLES
    least, most = _CONSOLE_RECORD if on_console else _RECORD
    if least <= options.get("max_record", least) <= most:
        return
    value, where = given["max_record"]
    right = f"give {least} to {most}" + (" on a console" if on_console else "")
    raise ConfigError("max_record", value, right, where)


def option_rows() -> list[tuple[str, str, str]]:
    """Return (name, default, meaning) of each option, for the documentation."""
    return [
        (
            option.name,
            _shown(option.default, is_size=option.name not in _COUNTS),
            option.metadata["meaning"],
        )
        for option in fields(Config)
    ]


def _shown(default: object, *, is_size: bool) -> str:
    if default is None or default == ():
        return "none"
    if default == DETECTORS:
        return "all"
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    if is_size and isinstance(default, int) and default % 1024 == 0:
        return (
            f"{default >> 20}MiB" if default % (1 << 20) == 0 else f"{default >> 10}KiB"
        )

    return str(default)
