# A request that is sent again at a real server, from its record alone, gives the same
# params; whatever sends it.
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.edges.fleet import QUICK, Fleet, Served
from tests.replay.requests import Sent, recorded
from tests.serving import SECONDS, new_word

from audit_mw.cli import main
from audit_mw.event import Event, Redacted, Spill, Upload
from audit_mw.trail.record import (
    draft_event,
    finish_line,
    finish_value_line,
    header_line,
)

NAMES = ("uvicorn", "gunicorn sync")
FORM = "Content-Type: application/x-www-form-urlencoded"
PARTS = (
    '--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n1 2\r\n'
    '--b\r\nContent-Disposition: form-data; name="password"\r\n\r\nsecret\r\n'
    '--b\r\nContent-Disposition: form-data; name="up"; filename="a b.txt"\r\n'
    "Content-Type: text/plain\r\n\r\nxxxx\r\n--b--\r\n"
)
# name -> method, rest of the query, field lines, body
CASES = {
    "query": ("GET", "&q=%FF&q=a%26b&%61=%2527&empty=&flag&&x='%22%24(id)`!;", [], ""),
    "form": ("POST", "", [FORM], "a=1&a=2&b=%c3%a9+x&password=secret&flag"),
    "long": ("POST", "", [FORM], f"note={'long+' * 200}&a=1"),
    "json": (
        "PUT",
        "",
        ["Content-Type: application/json"],
        '{"a":[1.50,{"b":null}],"a":{"x":"\'\\u0000\\n"},"e":[],"password":"secret"}',
    ),
    "multipart": (
        "POST",
        "",
        ["Content-Type: multipart/form-data; boundary=b"],
        PARTS,
    ),
    "cookies": ("GET", "", ["Cookie: a=1; a=2;b; sid=0123456789abcdef0123; c=x=y"], ""),
    "fields": (
        "GET",
        "",
        [
            "User-Agent: it's $HOME `id` !x",
            "Referer: http://a/?b=c",
            "Authorization: Basic YWxpY2U6c2VjcmV0",
        ],
        "",
    ),
}


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fleet]:
    """Start servers on demand, and end all of them."""
    fleet = Fleet(QUICK, tmp_path_factory.mktemp("servers"))
    try:
        yield fleet
    finally:
        fleet.end()


def first_of(server: Served, kind: str) -> tuple[str, Event]:
    """Send a request; return a word that is in its query, and its event."""
    case = new_word()
    method, query, fields, body = CASES[kind]
    lines = [f"{method} /p/../%2e/x?case={case}{query} HTTP/1.1", "Host: example.org"]
    lines += [*fields, *([f"Content-Length: {len(body)}"] if body else [])]
    lines += ["Connection: close", "", body]
    server.running.exchange("\r\n".join(lines).encode("latin-1"))

    return case, server.awaited(case)[0]


def replayed(server: Served, event: Event, *options: str) -> Result:
    """Return what the command makes of a request."""
    return CliRunner().invoke(
        main,
        ["replay", event.event, "--trail", str(server.trail), "--pad", *options],
    )


def send_raw(server: Served, event: Event) -> None:
    """Send the message itself."""
    message = replayed(server, event, "--as", "http", "--raw").stdout_bytes
    with server.running.connect() as client:
        client.sendall(message)
        assert client.recv(65536).startswith(b"HTTP/1.1 ")


def send_by(server: Served, event: Event, shape: str) -> None:
    """Have bash or Python send it."""
    to = f"http://127.0.0.1:{server.running.port}"
    text = replayed(server, event, "--as", shape, "--to", to).stdout
    if find_spec("httpx") is None:  # its successor has the same calls
        text = text.replace("import httpx\n", "import httpx2 as httpx\n", 1)
    command = {"curl": ["bash"], "httpx": [sys.executable, "-"]}[shape]
    done = subprocess.run(
        command,
        input=text,
        text=True,
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )

    assert done.returncode == 0, (text, done.stderr)


def compared(event: Event) -> list[tuple[object, ...]]:
    """Return what is equal of two events: all but keyed digests, files, and order."""
    return sorted(((p.source, p.name, _plain(p.value)) for p in event.params), key=repr)


def _plain(value: object) -> object:
    if isinstance(value, Redacted):
        return value.len, value.cls
    if isinstance(value, Upload):
        return value.filename, value.type, value.len

    return value


def is_same(first: Event, other: Event) -> None:
    """Fail unless an event is as the first was."""
    assert compared(first) == compared(other)
    assert (first.method, first.path) == (other.method, other.path)
    assert first.details.get("sent_as") == other.details.get("sent_as")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", list(CASES))
def test_again(servers: Fleet, name: str, kind: str) -> None:
    """What was rebuilt is recorded as the first was, in the same order."""
    server = servers[name]
    case, first = first_of(server, kind)
    send_raw(server, first)
    _, other = server.awaited(case, 2)

    is_same(first, other)
    assert [(p.source, p.name) for p in first.params] == [
        (p.source, p.name) for p in other.params
    ]


@pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("kind", list(CASES))
def test_by_curl(servers: Fleet, name: str, kind: str) -> None:
    """Likewise by bash and curl."""
    server = servers[name]
    case, first = first_of(server, kind)
    send_by(server, first, "curl")
    _, other = server.awaited(case, 2)

    is_same(first, other)


_long = pytest.mark.long


@pytest.mark.parametrize("name", [NAMES[0], pytest.param(NAMES[1], marks=_long)])
@pytest.mark.parametrize(
    "kind",
    ["json", *(pytest.param(kind, marks=_long) for kind in CASES if kind != "json")],
)
def test_by_httpx(servers: Fleet, name: str, kind: str) -> None:
    """Likewise by httpx."""
    server = servers[name]
    case, first = first_of(server, kind)
    send_by(server, first, "httpx")
    _, other = server.awaited(case, 2)

    is_same(first, other)


def test_exact_with_secrets(servers: Fleet, tmp_path: Path) -> None:
    """Who knows the secrets gets the very bytes, and nothing of them is printed else."""
    server = servers["uvicorn"]
    _, event = first_of(server, "form")
    shown = CliRunner().invoke(
        main,
        ["replay", event.event, "--trail", str(server.trail), "--fill-stdin", "--raw"],
        input="form:password=secret\n",
    )

    assert shown.stdout_bytes.endswith(
        b"\r\n\r\na=1&a=2&b=%c3%a9+x&password=secret&flag"
    )
    assert "secret" not in shown.stderr
    assert tmp_path.is_dir()


def test_nothing_but_ascii(servers: Fleet) -> None:
    """What is shown is printable ASCII; what is missing is said, on both."""
    server = servers["uvicorn"]
    _, event = first_of(server, "json")
    for shape in ("http", "curl", "httpx"):
        shown = CliRunner().invoke(
            main, ["replay", event.event, "--trail", str(server.trail), "--as", shape]
        )

        assert shown.exit_code == 0
        assert all(c == "\n" or " " <= c <= "~" for c in shown.output)
        assert "note: gap json:/password: password, 6 bytes\n" in shown.stderr
        assert "{password:6}" in shown.stdout


def test_console(tmp_path: Path) -> None:
    """From the text of a console a request is replayed as from a directory."""
    event, spills = recorded(Sent(b"a=" + b"x%20" * 300 + b"&password=secret"))
    (spill,) = spills.items()
    lines = [
        finish_value_line(
            b"2026-11-21T05:26:07.123456Z\t" + event.event.encode(), Spill(*spill)
        ),
        b"Starting up\n",
        finish_line(draft_event(event), 1),
    ]
    path = tmp_path / "console.txt"
    path.write_bytes(b"".join(lines))
    shown = CliRunner().invoke(main, ["replay", event.event, "--trail", str(path)])

    assert shown.exit_code == 0
    assert (
        f"GET /form?a={'x%20' * 300}&password={{password:6}} HTTP/1.1\n" in shown.stdout
    )


def test_damaged(tmp_path: Path) -> None:
    """A record that is damaged is told as such, and not taken for none."""
    event, _ = recorded(Sent(b"a=1"))
    path = tmp_path / "request" / "2026-11-21.log"
    path.parent.mkdir()
    line = finish_line(draft_event(event), 1).replace(b"/form", b"/else")
    path.write_bytes(header_line("request") + line)
    words = ["replay", event.event, "--trail", str(tmp_path)]
    shown = CliRunner().invoke(main, words)

    assert shown.exit_code == 1
    assert "the record is damaged: the check does not fit the line" in shown.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        pytest.param(["0"], 1, "no request '0' in the trail", id="no such event"),
        pytest.param(["0", "--to", "javascript:1"], 2, "is no http://", id="no URL"),
        pytest.param(["0", "--as", "curl", "--raw"], 2, "--raw is for", id="raw curl"),
    ],
)
def test_wrong(tmp_path: Path, arguments: list[str], code: int, said: str) -> None:
    """What cannot be done is said, with its exit code."""
    (tmp_path / "request").mkdir()
    shown = CliRunner().invoke(main, ["replay", "--trail", str(tmp_path), *arguments])

    assert shown.exit_code == code
    assert said in shown.stderr
