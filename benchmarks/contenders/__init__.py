# Who is compared: the rows of the report. Each contender is a module beside this one,
# with an application for each interface that it has.
#
# What is said of each is what anybody can read in its documentation and source; what
# can be tried is tried by `report/probes.py` instead, in every run.
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import NamedTuple

__all__ = ["BASES", "CONTENDERS", "Contender", "of_stack", "versions"]


class Contender(NamedTuple):
    """
    One row: `apps` has its application by stack (asgi, wsgi, django), `packages` are
    the distributions that it needs, `keeps` says what it records. `evidence` matches
    the files with its records, below the directory of its server, and `mark` stands
    once in what it writes of a request.
    """

    name: str
    apps: dict[str, str]
    evidence: str
    keeps: str
    packages: tuple[str, ...] = ()
    mark: bytes = b"\n"


def _both(module: str) -> dict[str, str]:
    name = f"benchmarks.contenders.{module}"

    return {"asgi": f"{name}:asgi", "wsgi": f"{name}:wsgi"}


def _asgi(module: str) -> dict[str, str]:
    return {"asgi": _both(module)["asgi"]}


def _wsgi(module: str) -> dict[str, str]:
    return {"wsgi": _both(module)["wsgi"]}


def _django(module: str) -> dict[str, str]:
    return {"django": _both(module)["wsgi"]}


_BARE = {"asgi": "benchmarks.served:asgi", "wsgi": "benchmarks.served:wsgi"}
_BARE |= _django("django_alone")
_OTEL = "opentelemetry-instrumentation-"

CONTENDERS = {
    it.name: it
    for it in (
        Contender("alone", _BARE, "", "nothing"),
        Contender(
            "access log",
            _BARE,
            "log",
            "the server's own line: peer, method, target with query, status;"
            " gunicorn's has time, Referer and User-Agent, too",
            mark=b" HTTP/1.1",
        ),
        Contender(
            "middleware",
            _both("audited") | _django("django_audited"),
            "trail/request/*.log",
            "25 columns: who, what, where, from where, when, outcome; params, cookies,"
            " fields and body, with secrets withheld",
        ),
        Contender(
            "asgi-logger",
            _asgi("with_asgi_logger"),
            "records",
            "an access log line: peer, method, target with query, status; no time",
            ("asgi-logger",),
        ),
        Contender(
            "asgi-logging-middleware",
            _asgi("with_asgi_logging_middleware"),
            "records",
            "the same: it is a fork of asgi-logger",
            ("asgi-logging-middleware",),
        ),
        Contender(
            "Paste TransLogger",
            _wsgi("with_translogger"),
            "records",
            "an access log line, with time, Referer and User-Agent",
            ("Paste",),
        ),
        Contender(
            "BaseHTTPMiddleware",
            _asgi("with_base_http"),
            "records",
            "what the recipe logs: peer, method, URL, status, time taken",
            ("starlette",),
        ),
        Contender(
            "structlog",
            _both("with_structlog"),
            "records",
            "what the recipe logs, as JSON: peer, method, path, query, status, time",
            ("structlog", "orjson"),
        ),
        Contender(
            "loguru",
            _both("with_loguru"),
            "records",
            "what the recipe logs, as JSON: peer, method, path, query, status, time;"
            " and process, thread and place in the code",
            ("loguru",),
        ),
        Contender(
            "OpenTelemetry ASGI",
            _asgi("with_opentelemetry"),
            "records",
            "spans: URL with query, status, peer, user agent, times",
            (f"{_OTEL}asgi", "opentelemetry-exporter-otlp-json-file"),
            b'"kind":2',  # the span of a server; others are of a message
        ),
        Contender(
            "OpenTelemetry WSGI",
            _wsgi("with_opentelemetry"),
            "records",
            "spans: URL with query, status, peer, user agent, times",
            (f"{_OTEL}wsgi", "opentelemetry-exporter-otlp-json-file"),
            b'"kind":2',  # the span of a server; others are of a message
        ),
        Contender(
            "ProxyFix",
            _wsgi("with_proxy_fix"),
            "",
            "nothing: it replaces the peer's address by the one that a proxy names",
            ("Werkzeug",),
        ),
        Contender(
            "django-structlog",
            _django("django_with_structlog"),
            "records",
            "two lines of JSON: method, target with query, address, User-Agent,"
            " status, request id; and the user, where Django knows one",
            ("django-structlog", "Django"),
            b'"event": "request_finished"',
        ),
        Contender(
            "django-auditlog",
            _django("django_with_auditlog"),
            "",
            "changes of models, with who asked; nothing of other requests",
            ("django-auditlog", "Django"),
        ),
    )
}

# What every other row is compared with. A run in which one of them fails has failed.
BASES = ("alone", "access log", "middleware")


def of_stack(stack: str) -> Iterator[Contender]:
    """Yield those that there are for a stack."""
    return (it for it in CONTENDERS.values() if stack in it.apps)


def versions(contender: Contender) -> dict[str, str | None]:
    """Return what it needs, with the version that is installed; None, if none is."""
    return {package: _version(package) for package in contender.packages}


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
