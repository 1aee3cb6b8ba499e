# wsgi.input, read in ways that PEP 3333 does not name.
import io
from collections.abc import Callable
from typing import Any

import pytest
from tests.edges.audited import Audited

from audit_mw.event import Param, Redacted

BODY = b"user=alice&password=hunter2&note=hello"
READ = (
    Param("form", b"user", b"alice"),
    Param("form", b"password", Redacted(7, "password")),
    Param("form", b"note", b"hello"),
)


def _readinto(stream: Any) -> None:
    buffer = bytearray(5)
    while stream.readinto(buffer):
        pass


def _read1(stream: Any) -> None:
    while stream.read1(3):
        pass


def _back_and_again(stream: Any) -> None:
    stream.read(15)
    stream.seek(0)
    stream.read()


def _back_in_pieces(stream: Any) -> None:
    while stream.read(4):
        stream.seek(-2, io.SEEK_CUR)
        stream.read(2)


@pytest.mark.parametrize(
    "read",
    [_readinto, _read1, _back_and_again, _back_in_pieces],
    ids=lambda f: f.__name__,
)
def test_read(audited: Audited, read: Callable[[Any], None]) -> None:
    """However the body is read, each byte of it is on record once."""

    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        read(environ["wsgi.input"])
        start_response("200 OK", [])
        return []

    environ = {
        "REQUEST_METHOD": "POST",
        "CONTENT_TYPE": "application/x-www-form-urlencoded",
        "CONTENT_LENGTH": str(len(BODY)),
        "wsgi.input": io.BytesIO(BODY),
    }
    audited(app)(environ, lambda *_: None)

    assert audited.event().params[:3] == READ


class _Broken(io.BytesIO):
    def __init__(self, error: OSError) -> None:
        super().__init__(BODY)
        self._error = error

    def _fail(self, *_arguments: object) -> Any:
        raise self._error

    read = readline = readlines = readinto = read1 = __next__ = _fail


_LOST = [ConnectionResetError(104, "reset"), OSError("error during read on wsgi.input")]
_SPOOLED = OSError(5, "a disk that fails under a spooled body")


@pytest.mark.parametrize(
    "read",
    [
        lambda stream: stream.read(),
        lambda stream: stream.readline(),
        lambda stream: stream.readlines(),
        lambda stream: stream.readinto(bytearray(5)),
        lambda stream: stream.read1(5),
        list,
    ],
    ids=["read", "readline", "readlines", "readinto", "read1", "iteration"],
)
@pytest.mark.parametrize(
    ("error", "outcome", "faults"),
    [(_LOST[0], "ABORTED", 0), (_LOST[1], "ABORTED", 0), (_SPOOLED, "ERROR", 1)],
    ids=["reset", "server's own", "disk"],
)
def test_client_lost(
    audited: Audited,
    read: Callable[[Any], Any],
    error: OSError,
    outcome: str,
    faults: int,
) -> None:
    """A read that fails since the client left makes it ABORTED, and no fault of ours."""

    def app(environ: dict[str, Any], _start_response: Any) -> list[bytes]:
        read(environ["wsgi.input"])
        return []

    environ = {
        "REQUEST_METHOD": "POST",
        "CONTENT_LENGTH": str(len(BODY)),
        "wsgi.input": _Broken(error),
    }
    with pytest.raises(OSError) as raised:  # noqa: PT011 - the very one, see below
        audited(app)(environ, lambda *_: None)

    assert raised.value is error
    assert audited.event().outcome == outcome
    assert len(audited.faults()) == faults
