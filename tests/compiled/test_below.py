"""
What is the key of a secret is on record nowhere, whatever road its request went.

Each is sent twice, so that the memories know it the second time.
"""

from pathlib import Path
from typing import Any

import pytest
from tests.compiled.roads import Road
from tests.compiled.test_memories import _app, _posted, _scope, _serve
from tests.reaching import texts_in

pytest.importorskip("audit_mw._native", reason="it was not built")

_X = b"Zq7-canary"
_DOCUMENTS = [
    b'{"password":{"%b":1}}',
    b'{"api":{"key":{"%b":1}}}',
    b'{"API":{"Key":{"%b":"v"}}}',
    b'{"x":{"api":{"key":{"a":{"%b":[1,"y"]}}}}}',
    b'{"api":{"key":[{"%b":{}}]}}',
    b'{"api":[{"key":{"%b":1}},{"key":{"%b":2}}]}',
    b'{"private":[[{"key":{"%b":1}}]]}',
    b'{"client":{"secret":{"%b":true}}}',
    b'{"access":{"token":{"%b":null}}}',
    b'{"api.key.%b":1}',
    b'{"kind":"Secret","data":{"%b":[{"a":1}]}}',
]
_NAMES = [
    b"tokens[%b]",
    b"api[key][%b]",
    b"API[Key][%b]",
    b"api[0][key][%b]",
    b"private[key][%b]",
    b"access[token][%b]",
    b"client[secret][%b]",
    b"api-key[%b]",
    b"api.key.%b",
    b"tokens[%b][expires]",
    b"is[api][key][%b]",
]


@pytest.fixture(params=["on", "off"])
def road(tmp_path: Path, request: Any) -> Any:
    """A middleware on either road."""
    made = Road(_app, tmp_path / "trail", compiled=request.param, max_slots=256)
    yield made
    made.close()


def _check(road: Road, count: int) -> None:
    records = [record for stream, record in road.news() if stream == "request"]
    short = road.middleware._auditor.short_road
    memories = [getattr(short, name, None) for name in ("_known", "_road")]

    assert len(records) == count
    assert not [record for record in records if _X in b"".join(record.values())]
    assert _X not in texts_in(short, *filter(None, memories))


def test_documents(road: Road) -> None:
    """Of JSON, the short road and the long."""
    for document in _DOCUMENTS:
        body = document.replace(b"%b", _X)
        for _ in range(2):
            _serve(road, _posted(b"json", body), body)
            _serve(road, _posted(b"json", b"[%b" % body), b"[%b" % body)

    _check(road, 4 * len(_DOCUMENTS))


def test_pairs(road: Road) -> None:
    """Of a query, a form, a cookie, a part of a form, and a header."""
    for name in (each % _X for each in _NAMES):
        part = (
            b'--b\r\ncontent-disposition: form-data; name="%b"\r\n\r\n1\r\n--b--' % name
        )
        form = b"application/x-www-form-urlencoded"
        for _ in range(2):
            _serve(road, _scope(name + b"=1"))
            _serve(road, _scope(name))
            _serve(road, _posted(form[12:], name + b"=1"), name + b"=1")
            _serve(road, _scope(b"", (b"cookie", name + b"=1")))
            _serve(road, _scope(b"", (name, b"1")))
            media = (b"content-type", b"multipart/form-data; boundary=b")
            length = (b"content-length", b"%d" % len(part))
            _serve(road, _scope(b"", media, length, method="POST"), part)

    _check(road, 12 * len(_NAMES))
