# The suites: one row each, and the tests that end in another way when wrapped.
#
# A version is that of our own environment when the row was written. To move on: change
# it, run, and set `passed` and `requests` to what the run prints.
from dataclasses import dataclass, field

__all__ = ["SUITES", "Difference", "Suite"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A test that does not end as it does bare, and why."""

    why: str
    # Whether a middleware that only passes on does the same; then that is run too.
    anyones: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """
    The test suite of a project.

    Args:
        name: of the project, on the package index.
        version: of its source distribution, and of what is installed.
        how: what goes through the middleware, for the reader of docs/peers.md.
        passed: so many tests pass bare, or more.
        requests: so many requests are recorded, or more.
        needs: what else its tests import.
        options: of pytest.
        paths: of the tests that are run.
        unrun: what of the suite is not run, and why.
        differences: by test id.
    """

    name: str
    version: str
    how: str
    passed: int
    requests: int
    needs: tuple[str, ...]
    options: tuple[str, ...] = ()
    paths: tuple[str, ...] = ("tests",)
    unrun: str = ""
    differences: dict[str, Difference] = field(default_factory=dict)


_CYCLE = Difference(
    why="`app.wsgi_app = M(app.wsgi_app)` is how Flask has it, and makes a reference "
    "cycle with any M: the application is freed by the collector, not by its last user",
    anyones=True,
)

_VARIABLE = Difference(
    why="the application looks at all variables of its context, and has one more: ours, "
    "from which `audit_mw.current()` knows whose request it is",
)

SUITES = (
    Suite(
        name="starlette",
        version="1.10.0",
        how="what `TestClient` and `httpx.ASGITransport` are given, and each "
        "`await app(scope, receive, send)` of a test; under asyncio and trio",
        passed=1410,
        requests=1900,
        needs=(
            "blockbuster",
            "httpx<0.29",
            "httpx2[zstd]",
            "importlib-metadata",
            "itsdangerous",
            "jinja2",
            "opentelemetry-sdk",
            "pytest>=9",
            "python-multipart",
            "pyyaml",
            "trio",
        ),
    ),
    Suite(
        name="flask",
        version="3.1.3",
        how="`app.wsgi_app` of each application, as soon as it is made",
        passed=490,
        requests=440,
        # Its tests use what pytest 9 hides, and what Werkzeug 3.1.6 changed.
        needs=("asgiref", "greenlet", "pytest<9", "python-dotenv", "werkzeug<3.1.6"),
        differences={"tests/test_basic.py::test_app_freed_on_zero_refcount": _CYCLE},
    ),
    Suite(
        name="werkzeug",
        version="3.1.9",
        how="what its test client runs",
        passed=955,
        requests=193,
        needs=(
            "cffi",
            "cryptography",
            "ephemeral-port-reserve",
            "pytest<9",
            "pytest-timeout",
            "watchdog",
        ),
        options=("-m", "not dev_server"),
        unrun="the tests of its development server, which runs as a process of its own",
    ),
    Suite(
        name="uvicorn",
        version="0.54.0",
        how="what a server serves, whatever its protocol; what `httpx.ASGITransport` is "
        "given, and each `await app(scope, receive, send)` of a test",
        passed=1100,
        requests=950,
        needs=(
            "uvicorn[standard]",
            "a2wsgi",
            "cryptography",
            "httpx2",
            "pytest>=9",
            "pytest-codspeed",
            "pytest-mock",
            "pytest-xdist",
            "trustme",
            "wsproto",
            "zttp",
        ),
        options=("-n0",),
        paths=(
            "tests/middleware",
            "tests/protocols",
            "tests/test_default_headers.py",
            "tests/test_lifespan.py",
            "tests/test_main.py",
            "tests/test_server.py",
            "tests/test_ssl.py",
        ),
        unrun="supervisors, command line and configuration, which serve no request",
        differences={
            f"tests/test_server.py::test_reset_contextvars_asyncio[{protocol}]": _VARIABLE
            for protocol in ("h11", "httptools", "zttp")
        },
    ),
)
