# What the pages of servers in docs/quickstart/ say under "What to know".
from pathlib import Path

import pytest
from tests.compat.frameworks.frameworks import Served
from tests.compat.frameworks.quickstart import curl, page_of, serving_page
from tests.serving import SECONDS

from audit_mw.trail.reader import read_segment, segments
from audit_mw.trail.record import Record

NOWHERE = "/dev/null/trail"


@pytest.mark.parametrize("name", ["uvicorn", "hypercorn", "granian"])
def test_trail_fails_at_start(name: str, tmp_path: Path) -> None:
    """A server that waits for the lifespan ends where the trail cannot be written."""
    page = page_of(name)
    command = page.commands[0]
    try:
        with serving_page(page, command, tmp_path, AUDIT_MW_TRAIL=NOWHERE) as running:
            # Granian listens before it asks.
            assert running.process.wait(SECONDS) != 0
            said = running.said()
    except RuntimeError as error:
        said = str(error)

    assert "audit_mw: the trail" in said or "AuditUnavailable" in said


@pytest.mark.parametrize("name", ["daphne", "gunicorn", "waitress", "uwsgi"])
def test_trail_fails_at_the_first_request(name: str, tmp_path: Path) -> None:
    """A server that does not wait starts, and answers 503."""
    page = page_of(name)
    command = page.commands[0]
    with serving_page(page, command, tmp_path, AUDIT_MW_TRAIL=NOWHERE) as running:
        response, _ = running.ask("POST", "/orders")

    assert response.status == 503


@pytest.mark.parametrize("trusting", [False, True])
def test_proxy_headers_of_uvicorn(tmp_path: Path, *, trusting: bool) -> None:
    """Without its option, uvicorn rewrites the peer, and the record says so."""
    page = page_of("uvicorn")
    command = page.commands[0]
    command = command.replace("--no-proxy-headers", "") if trusting else command
    with serving_page(page, command, tmp_path) as running:
        claim = {"X-Forwarded-For": "192.0.2.7"}
        running.ask("GET", "/orders?case=1", headers=claim)
        (event,) = Served(running, tmp_path / "audit-trail").awaited("1")

    assert isinstance(event.peer, bytes)
    assert event.peer.startswith(b"127.0.0.1:")
    assert ("rewritten" in event.details) == trusting


@pytest.mark.parametrize("name", ["uvicorn", "gunicorn"])
def test_workers(name: str, tmp_path: Path) -> None:
    """Workers write to the same files; each counts from 1, without a gap."""
    page = page_of(name)
    (command,) = [command for command in page.commands if "--workers" in command]
    with serving_page(page, command, tmp_path) as running:
        for _ in range(20):
            running.ask("POST", "/orders", body="item=tea")
    counted: dict[str, list[int]] = {}
    for path in segments(tmp_path / "audit-trail", "request"):
        for record in read_segment(path):
            assert isinstance(record, Record)
            counted.setdefault(record.event.instance, []).append(record.seq)

    assert sum(map(len, counted.values())) == 20
    for numbers in counted.values():
        assert numbers == list(range(1, len(numbers) + 1))


def test_http_2_of_hypercorn(tmp_path: Path) -> None:
    """Hypercorn speaks HTTP/2 without TLS, and the record says so."""
    page = page_of("hypercorn")
    with serving_page(page, page.commands[0], tmp_path) as running:
        url = f"http://127.0.0.1:{running.port}/orders?case=1"
        curl("--http2-prior-knowledge", url)
        (event,) = Served(running, tmp_path / "audit-trail").awaited("1")

    assert (event.details["http_version"], event.status) == (b"2", 405)


def test_interface_of_granian(tmp_path: Path) -> None:
    """An application of the other interface fails its requests under Granian."""
    page = page_of("granian")
    command = page.commands[0].replace("asgi", "wsgi")
    with serving_page(page, command, tmp_path) as running:
        response, _ = running.ask("POST", "/orders", body="item=tea")

    assert response.status == 500


def test_body_cut_short_under_waitress(tmp_path: Path) -> None:
    """Of a client that leaves within its own body, waitress calls no application."""
    page = page_of("waitress")
    cut = b"POST /orders?case=1 HTTP/1.1\r\nContent-Length: 9\r\n\r\na"
    with serving_page(page, page.commands[0], tmp_path) as running:
        with running.connect() as client:
            client.sendall(cut)
        running.ask("POST", "/orders?case=2", body="item=tea")
        served = Served(running, tmp_path / "audit-trail")
        assert len(served.awaited("2")) == 1

    assert served.events("1") == []
