# The notes below the table of docs/servers.md, each shown on a real server.
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from tests.compat.servers.more import ALL
from tests.edges.fleet import Fleet, Served, Server, start
from tests.edges.test_servers import case, raw, servers  # noqa: F401 - fixtures

from audit_mw.event import Event

FORM = "Content-Type: application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def table() -> Mapping[str, Server]:
    """Return all servers."""
    return ALL


def _asked(served: Served, case: str, *lines: str, body: str = "") -> Event:  # noqa: F811 - no fixture
    served.running.exchange(raw("POST", "/", case, *lines, body=body))

    return served.awaited(case)[0]


def _values(event: Event, name: bytes) -> list[object]:
    return [param.value for param in event.params if param.name == name]


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [("", []), ("--no-clear-untrusted-proxy-headers", [b"192.0.2.7"])],
)
def test_waitress_removes_what_proxies_say(
    arguments: str,
    expected: list[bytes],
    tmp_path: Path,
    case: str,  # noqa: F811 - a fixture
) -> None:
    """waitress removes X-Forwarded-For, unless it is told not to."""
    kind = ALL["waitress"]
    kind = replace(kind, command=f"{kind.command} {arguments}")
    served = start(kind, kind.tcp, tmp_path)
    try:
        event = _asked(served, case, "X-Forwarded-For: 192.0.2.7")
    finally:
        served.running.end()

    assert _values(event, b"x-forwarded-for") == expected


def test_uwsgi_chunked(servers: Fleet, case: str) -> None:  # noqa: F811 - fixtures
    """uWSGI gives no chunked body to wsgi.input, so none is on record."""
    lines = [FORM, "Transfer-Encoding: chunked"]
    event = _asked(servers["uWSGI"], case, *lines, body="3\r\na=1\r\n0\r\n\r\n")

    assert event.status == 200
    assert {param.source for param in event.params} == {"query", "header"}


def test_wsgiref_content_type(servers: Fleet, case: str) -> None:  # noqa: F811 - fixtures
    """wsgiref adds a Content-Type that the client did not send."""
    event = _asked(servers["wsgiref"], case)

    assert _values(event, b"content-type") == [b"text/plain"]
