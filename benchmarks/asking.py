# One connection, one request after the other, for what is not load: probes and uploads.
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from http.client import HTTPException, HTTPResponse

__all__ = ["connected", "status_of"]

_PATIENCE = 60  # seconds until a server that does not answer is an error


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    """Give a connection."""
    with socket.create_connection(("127.0.0.1", port), _PATIENCE) as plug:
        yield plug


def status_of(plug: socket.socket, pieces: Iterable[bytes]) -> int:
    """Send a request, return the answer's status; OSError, if none comes whole."""
    for piece in pieces:
        plug.sendall(piece)
    try:
        with HTTPResponse(plug) as response:
            response.begin()
            response.read()
            return response.status
    except HTTPException as error:
        raise ConnectionResetError(str(error)) from error
