# What the middleware recorded is found again, by what the client really sent.
from pathlib import Path
from urllib.parse import quote

import pytest
from click.testing import CliRunner
from tests.edges.audited import Audited
from tests.edges.wsgi_server import WsgiServer, environment

from audit_mw.cli import main

TOKEN = "Zm9vYmFy-0123456789-YmFyZm9v"
LONG = "a long value, " * 40
MANY = "&".join(f"n{number}={number}" for number in range(1100))


def _app(_environ: object, start_response: object) -> list[bytes]:
    assert callable(start_response)
    start_response("200 OK", [("Content-Length", "2")])

    return [b"ok"]


def _request(query: str, cookie: str = "a=1", path: str = "/innocent") -> WsgiServer:
    asked = {"QUERY_STRING": query, "HTTP_COOKIE": cookie, "PATH_INFO": path}

    return WsgiServer(environment() | asked)


@pytest.fixture(scope="module")
def trail(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a trail of five requests, of which one is innocent of everything."""
    trail = tmp_path_factory.mktemp("trail")
    audited = Audited(trail)
    app = audited(_app, key=None)
    for request in (
        _request(f"access_token={TOKEN}", path="/by-query"),
        _request("q=1", f"sessionid={TOKEN}", path="/by-cookie"),
        _request(f"note={quote(LONG)}&q=%FF%00", path="/long"),
        _request(f"{MANY}&access_token={TOKEN}", path="/many"),
        _request("q=2"),
    ):
        request.run(app)
    audited.close()

    return trail


def paths(trail: Path, *words: str, stdin: str = "") -> list[str]:
    """Return the paths of the requests that are found."""
    asked = ["find", "--trail", str(trail), "--stream", "request", *words]
    shown = CliRunner().invoke(main, asked, input=stdin)

    assert TOKEN not in shown.output
    return [line.split()[6] for line in shown.stdout.splitlines()]


def test_secret(trail: Path) -> None:
    """A token is found wherever it was sent, in a param that did not fit as well."""
    found = paths(trail, "--secret-stdin", stdin=f"{TOKEN}\n")

    assert found == ["/by-query", "/by-cookie", "/many"]
    assert paths(trail, "--secret-stdin", stdin="another token") == []


def test_exact_value(trail: Path) -> None:
    """A value is found that was spilled, that is beyond the limit, that is no text."""
    assert paths(trail, "--param", f"note={LONG}") == ["/long"]
    assert paths(trail, "--param", f"note={LONG[:-1]}") == []
    assert paths(trail, "--param", "n1099=1099") == ["/many"]
    assert paths(trail, "--coded", "--param", "q=%FF%00") == ["/long"]
    assert paths(trail, "--param", "q=2", "--source", "query") == ["/innocent"]


def test_show(trail: Path) -> None:
    """All of one event is shown, what did not fit in its place."""
    asked = ["find", "--trail", str(trail), "--path", "/many"]
    event = CliRunner().invoke(main, asked).stdout.split()[-1]
    shown = CliRunner().invoke(main, ["show", event, "--trail", str(trail)]).stdout

    assert 'n1099 = "1099"\n' in shown
    assert TOKEN not in shown
