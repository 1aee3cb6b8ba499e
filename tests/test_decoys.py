# A decoy that looks like the beginning of a secret must not hide what stands behind it.
from pathlib import Path

import pytest
from tests.canary.drive import DRIVERS, Request
from tests.edges.audited import read_trail

from audit_mw.event import Param


def _cookies(line: bytes) -> Request:
    return Request(fields=((b"cookie", line),))


@pytest.mark.parametrize(
    "request_",
    [
        pytest.param(Request(query=b'{"pin":1}&q=attack'), id="whole JSON"),
        pytest.param(Request(query=b'{"pin":1&q=attack'), id="half a number"),
        pytest.param(Request(query=b'{"pin":"1"&q=attack'), id="half a document"),
        pytest.param(Request(query=b'{"pin":"1&b"&q=attack'), id="the string ends"),
        pytest.param(Request(query=b'{"a":"1&q=attack'), id="no secret"),
        pytest.param(_cookies(b'sessionid="a; q=attack'), id="quotes left open"),
        pytest.param(_cookies(b'sessionid="a;b"; q=attack'), id="quotes closed"),
        pytest.param(_cookies(b'theme="a; q=attack; b"'), id="no secret in quotes"),
    ],
)
@pytest.mark.parametrize("interface", DRIVERS)
def test_what_follows_is_kept(
    request_: Request, interface: str, tmp_path: Path
) -> None:
    """The parameter behind it is on record as it was sent."""
    DRIVERS[interface]([request_], tmp_path)
    (event,) = read_trail(tmp_path)
    source = "cookie" if request_.fields else "query"

    assert Param(source, b"q", b"attack") in event.params
