# audit_mw.serve: the application that AUDIT_MW_APP names, under real servers.
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from tests.edges.audited import read_trail
from tests.edges.wsgi_server import environment
from tests.entries import shops
from tests.serving import BIN, ROOT, free_port, serving

from audit_mw import ConfigError
from audit_mw.asgi import AsgiAuditMiddleware
from audit_mw.integrations.application import audited, load_app
from audit_mw.wsgi import WsgiAuditMiddleware

SHOPS = "tests.entries.shops"


@pytest.mark.parametrize(
    ("expression", "app"),
    [
        ("asgi", shops.asgi),
        ("wsgi", shops.wsgi),
        ("nested.inner.app", shops.wsgi),
        ("make_app()", shops.wsgi),
        ("make_app('asgi')", shops.asgi),
        ("make_app('asgi', wanted=True)", shops.asgi),
        (" make_app( 'asgi' ) ", shops.asgi),
    ],
)
def test_load(expression: str, app: Any) -> None:
    """A name, a dotted name and a factory's call with literals name an application."""
    assert load_app(f"{SHOPS}:{expression}") is app


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ("", "module:name"),
        ("shop", "module:name"),
        (":app", "module:name"),
        ("shop:", "module:name"),
        ("no_such_shop:app", "no module 'no_such_shop' on sys.path"),
        ("tests.entries.no_such:app", r"no module 'tests\.entries\.no_such'"),
        ("tests.no_such.shops:app", r"no module 'tests\.no_such'"),
        (f"{SHOPS}:app", "has no 'app'; it has asgi, wsgi, make_app"),
        (f"{SHOPS}:nested.outer", "has no 'outer'"),
        (f"{SHOPS}:NUMBER", "this is a int"),
        (f"{SHOPS}:NUMBER()", "what is called is a int"),
        (f"{SHOPS}:make_app('nothing')", "this is a NoneType"),
        (f"{SHOPS}:make_app(kind)", "takes literals"),
        (f"{SHOPS}:make_app(**{{}})", "takes literals"),
        (f"{SHOPS}:make_app()()", "is a name"),
        (f"{SHOPS}:a b", "is a name"),
        (f"{SHOPS}:17", "is a name"),
        (f"{SHOPS}:a\0b", "is a name"),
    ],
)
def test_wrong_name(named: str, words: str) -> None:
    """What names no application is an error that says what would be right."""
    with pytest.raises(ConfigError, match=words) as caught:
        load_app(named)

    assert (caught.value.option, caught.value.value) == ("app", named)
    assert caught.value.where == "variable AUDIT_MW_APP"


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        ("make_app(wanted=False)", LookupError),
        ("make_app(1, 2, 3)", TypeError),
        ("needs_tables()", ModuleNotFoundError),
    ],
)
def test_errors_of_the_application(expression: str, error: type[Exception]) -> None:
    """What the application itself raises goes on as it is."""
    with pytest.raises(error):
        load_app(f"{SHOPS}:{expression}")


def test_module_that_misses_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A module that cannot import what it needs is not taken for one that is absent."""
    (tmp_path / "broken_shop.py").write_text("import package_that_nobody_has\n")
    monkeypatch.syspath_prepend(tmp_path)

    with pytest.raises(ModuleNotFoundError, match="package_that_nobody_has"):
        load_app("broken_shop:app")


@pytest.mark.parametrize(
    "app", [shops.audited_flask, shops.audited_fastapi, shops.audited_asgi]
)
def test_not_twice(app: Any) -> None:
    """An application that has its trail gets no second one."""
    assert audited(app, "shop:app") is app


@pytest.mark.parametrize(
    ("app", "kind"),
    [
        (shops.asgi, AsgiAuditMiddleware),
        (shops.wsgi, WsgiAuditMiddleware),
        (shops.flask, WsgiAuditMiddleware),
    ],
)
def test_audited(app: Any, kind: type) -> None:
    """Either kind is wrapped."""
    assert type(audited(app, "shop:app")) is kind


@pytest.mark.parametrize(
    ("named", "service"),
    [
        ("shop.web:app", b"shop.web"),
        ("shop:make_app()", b"shop"),
        ("/etc/shop.ini", b"shop"),  # the application's own name
        ("", b"shop"),
    ],
)
def test_service(
    named: str, service: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The module is the default of `service`; what is none leaves it to the rest."""
    monkeypatch.setenv("AUDIT_MW_TRAIL", str(tmp_path))
    wrapped = audited(Flask("shop"), named)
    b"".join(wrapped(environment(), lambda *_: print))
    wrapped._auditor.close()

    assert [event.service for event in read_trail(tmp_path)] == [service]


def test_cannot_be_told_apart() -> None:
    """An application of ASGI 2 is an error that says what to do."""
    with pytest.raises(ConfigError, match="guarantee_single_callable"):
        audited(shops.old, "shop:old")


# --- under servers

SERVERS = {
    "uvicorn": (["uvicorn", "audit_mw.serve:app", "--port"], "asgi"),
    "uvicorn, two workers": (
        ["uvicorn", "audit_mw.serve:app", "--workers", "2", "--port"],
        "asgi",
    ),
    "uvicorn, WSGI": (
        ["uvicorn", "audit_mw.serve:app", "--interface", "wsgi", "--port"],
        "wsgi",
    ),
    "hypercorn": (["hypercorn", "audit_mw.serve:app", "--bind"], "asgi"),
    "gunicorn": (["gunicorn", "audit_mw.serve:app", "--bind"], "wsgi"),
    "gunicorn, preload": (
        ["gunicorn", "--preload", "audit_mw.serve:app", "--bind"],
        "wsgi",
    ),
    "gunicorn, asgi": (
        ["gunicorn", "-k", "asgi", "audit_mw.serve:app", "--bind"],
        "asgi",
    ),
    "waitress": (["waitress-serve", "audit_mw.serve:app", "--listen"], "wsgi"),
}


def _command(name: str, port: int) -> list[str]:
    (command, *arguments), _ = SERVERS[name]
    if name.startswith("uvicorn"):
        return [str(BIN / command), *arguments, str(port)]
    address = f"127.0.0.1:{port}"
    if command == "waitress-serve":  # the application comes last there
        app, listen = arguments
        return [str(BIN / command), f"{listen}={address}", app]

    return [str(BIN / command), *arguments, address]


# What a factory returns is taken like what a name gives: one server of each interface
# shows it.
@pytest.mark.parametrize(
    ("name", "factory"),
    [*((name, False) for name in SERVERS), ("uvicorn", True), ("gunicorn", True)],
)
def test_served(name: str, factory: bool, tmp_path: Path) -> None:
    """AUDIT_MW_APP and audit_mw.serve:app are all that it takes."""
    kind = SERVERS[name][1]
    port = free_port()
    env = {
        "AUDIT_MW_APP": f"{SHOPS}:{f'make_app({kind!r})' if factory else kind}",
        "AUDIT_MW_TRAIL": str(tmp_path / "trail"),
    }
    with serving(_command(name, port), port, tmp_path, env=env) as server:
        response, body = server.ask("GET", "/seen?a=1&a=2")
    (event,) = read_trail(tmp_path / "trail")

    assert (response.status, body) == (200, b"/seen")
    assert (event.path, event.service) == (b"/seen", SHOPS.encode())
    assert [p.value for p in event.params if p.source == "query"] == [b"1", b"2"]


@pytest.mark.parametrize(
    ("server", "named", "words"),
    [
        ("uvicorn", "", "name the application as module:name"),
        (
            "gunicorn",
            "no_such_shop:app",
            "there is no module 'no_such_shop' on sys.path",
        ),
        ("uvicorn", f"{SHOPS}:old", "guarantee_single_callable"),
    ],
)
def test_does_not_start(server: str, named: str, words: str, tmp_path: Path) -> None:
    """A server ends at once, and says what would be right."""
    done = subprocess.run(
        _command(server, free_port()),
        capture_output=True,
        text=True,
        check=False,
        cwd=ROOT,
        timeout=60,
        env={**os.environ, "AUDIT_MW_APP": named, "AUDIT_MW_TRAIL": str(tmp_path)},
    )

    assert done.returncode != 0
    assert words in done.stderr
