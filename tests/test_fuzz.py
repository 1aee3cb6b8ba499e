# Hostile requests by the thousand: whatever is sent, the trail keeps its form.
#
# Requests are made of pieces that break parsers, over both interfaces. The seed is
# printed, so that a failure can be had again: AUDIT_FUZZ_SEED=... pytest ...
import asyncio
import io
import os
import random
import subprocess
from collections.abc import Callable, Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
from tests.chance import seed_of
from tests.effort import EFFORT
from tests.settling import settle

from audit_mw import AuditMiddleware
from audit_mw.trail.reader import Damage, read_segment, segments
from audit_mw.trail.record import Record

Message = MutableMapping[str, Any]

PIECES = (
    b"&", b"=", b";", b"%", b"%zz", b"%00", b"%0a", b"+", b"\n", b"\r\n", b"\t", b"\0",
    b"\x1b[2J", b"\xff", b"\xe2\x80\xae", b"\x7f", b"\x85", b'"', b"\\", b"'", b"{", b"}",
    b"[", b"]", b",", b":", b"-", b'""', b"%{password:6}", b"%7Bx", b"null", b"#", b"//",
    b"/../", b";jsessionid=", b"password=", b'"password":"', b"user_id", b"x" * 300,
    b"eyJhbGciOiJIUzI1NiJ9.e30.x", b"4111111111111111", b"a", b"B", b"7", b" ", b"<b>",
    b'{"a":', b'{"a":[1,2.50,{"b":null}]}', b"\\u0070", b"--b\r\n", b"--b--\r\n",
    b'Content-Disposition: form-data; name="n"\r\n\r\n', b"unknown", b"1.2.3.4", b"[::1]:80",
    b'for="[::1]"', b"Basic YTpi", b"Bearer x", b"\xd0\xbf\xd0\xb0\xd1\x80\xd0\xbe\xd0\xbb",
)  # fmt: skip
TYPES = (
    b"application/x-www-form-urlencoded", b"application/json", b"text/plain", b"\xff",
    b"multipart/form-data; boundary=b", b"multipart/form-data", b"application/xml", b"",
)  # fmt: skip
NAMES = (
    b"host", b"cookie", b"cookie", b"referer", b"x-forwarded-for", b"forwarded", b"x-y",
    b"authorization", b"x-api-key", b"user-agent", b"content-length", b"x-real-ip",
    b"content-encoding", b"transfer-encoding", b"origin", b"traceparent",
)  # fmt: skip


def _bytes(chance: random.Random, most: int) -> bytes:
    return b"".join(chance.choices(PIECES, k=chance.randrange(most)))


def _fields(chance: random.Random) -> list[tuple[bytes, bytes]]:
    names = chance.choices(NAMES, k=chance.randrange(6))

    return [
        (b"content-type", chance.choice(TYPES)),
        *((name, _bytes(chance, 6)) for name in names),
    ]


async def _asgi_app(_scope: Any, receive: Any, send: Any) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok"})


async def _send_asgi(app: Any, chance: random.Random) -> None:
    chunks = [_bytes(chance, 12) for _ in range(chance.randrange(3))]
    messages: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
    ]
    messages.append({"type": "http.request"})

    async def receive() -> Message:
        return messages.pop(0)

    async def send(_message: Message) -> None:
        pass

    path = b"/" + _bytes(chance, 8)
    scope = {
        "type": "http",
        "method": chance.choice(["GET", "POST", "PUT", "X\nY"]),
        "path": path.decode("latin-1"),
        "raw_path": chance.choice([path, None]),
        "query_string": _bytes(chance, 12),
        "headers": _fields(chance),
        "client": chance.choice([("1.2.3.4", 5), ["::1", "80"], None, ("x\ny", 1)]),
        "scheme": "http",
        "http_version": "1.1",
    }
    await app(scope, receive, send)


def _wsgi_app(
    environ: dict[str, Any], start_response: Callable[..., Any]
) -> Iterator[bytes]:
    environ["wsgi.input"].read()
    start_response("200 OK", [])
    yield b"ok"


def _send_wsgi(app: Any, chance: random.Random) -> None:
    environ: dict[str, Any] = {
        "REQUEST_METHOD": chance.choice(["GET", "POST"]),
        "SCRIPT_NAME": "",
        "PATH_INFO": "/" + _bytes(chance, 8).decode("latin-1"),
        "QUERY_STRING": _bytes(chance, 12).decode("latin-1"),
        "REMOTE_ADDR": chance.choice(["1.2.3.4", "", "x\ny"]),
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.input": io.BytesIO(_bytes(chance, 24)),
        "wsgi.url_scheme": "http",
    }
    for name, value in _fields(chance):
        key = name.decode().upper().replace("-", "_")
        key = key if key.startswith("CONTENT_") else f"HTTP_{key}"
        environ[key] = value.decode("latin-1")
    result = app(environ, lambda *_: None)
    list(result)
    result.close()


def _fuzz(trail: Path, count: int, part: int = 0) -> None:
    drawn = seed_of("AUDIT_FUZZ_SEED") + part
    print(f"AUDIT_FUZZ_SEED={drawn}")
    chance = random.Random(drawn)
    # As many slots as a user has: the requests follow each other faster than any come.
    options: Any = {"trusted_proxies": "1.2.3.4", "max_slots": 65_536}
    asgi = AuditMiddleware(_asgi_app, trail=str(trail), **options)
    wsgi = AuditMiddleware(_wsgi_app, trail=str(trail), **options)

    async def run() -> None:
        for _ in range(count // 2):
            await _send_asgi(asgi, chance)

    asyncio.run(run())
    for _ in range(count - count // 2):
        _send_wsgi(wsgi, chance)


def _check(trail: Path, count: int) -> None:
    settle(trail)
    files = [str(path) for path in trail.rglob("*.log")]
    environ = os.environ | {"LC_ALL": "C"}
    grep = ["grep", "-nP", r"[^\x20-\x7e\t]", *files]
    found = subprocess.run(grep, env=environ, capture_output=True, check=False)
    parts = segments(trail, "request")  # two, where midnight comes in between
    awk = ["awk", "-F\t", "NF != 25 { print FILENAME, NR, NF }", *map(str, parts)]
    columns = subprocess.run(awk, env=environ, capture_output=True, check=True)
    items = [item for part in parts for item in read_segment(part)]

    assert (found.returncode, found.stdout) == (1, b"")
    assert columns.stdout == b""
    assert [item for item in items if isinstance(item, Damage)] == []
    assert len([item for item in items if isinstance(item, Record)]) == count
    for item in items:
        assert isinstance(item, Record)
        assert b"unparsed" not in repr(item.event.details).encode(), item


def test_fuzz(tmp_path: Path) -> None:
    """Hundreds of hostile requests: printable ASCII, 25 columns, a record each."""
    _fuzz(tmp_path, 900)

    _check(tmp_path, 900)


@pytest.mark.long
@pytest.mark.parametrize("part", range(1, 6))  # so that all workers have some
def test_fuzz_at_length(tmp_path: Path, part: int) -> None:
    """The same with tens of thousands, others in each part."""
    _fuzz(tmp_path, 2_500 * EFFORT, part)

    _check(tmp_path, 2_500 * EFFORT)
