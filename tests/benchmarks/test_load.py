# What the load of the benchmarks is made of, and what is read from who makes it.
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from benchmarks.load import Load, loaded, told
from benchmarks.typical import REQUESTS, TAG

WRK = """Running 1s test @ http://127.0.0.1:8000/
  1 threads and 8 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   582.11us  412.97us  11.35ms   97.81%
    Req/Sec    13.35k     1.03k   14.60k    81.82%
  Latency Distribution
     50%  541.00us
     75%  602.00us
     90%    0.97ms
     99%    1.25s
  14603 requests in 1.10s, 2.19MB read
Requests/sec:  13275.45
"""


def test_told() -> None:
    """Answers and latencies are read from what wrk says, in microseconds."""
    assert told(WRK) == Load(14603, 541, 1_250_000)


def test_nothing_told() -> None:
    """What tells no number of requests is no result."""
    with pytest.raises(RuntimeError, match="unable to connect"):
        told("unable to connect")


@pytest.mark.parametrize("name", REQUESTS)
def test_wire(name: str) -> None:
    """A request is whole, says its length, and differs from number to number."""
    request = REQUESTS[name]
    head, _, body = request.wire(1).partition(b"\r\n\r\n")
    declared = f"Content-Length: {len(body)}".encode()

    assert (declared in head) is (request.method == "POST")
    assert TAG.encode() not in head + body
    assert len(request.wire(2)) == len(request.wire(0xFFFFFFFF))
    assert (request.wire(1) == request.wire(2)) is (name == "bare")


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        pytest.param("json", 1_900, 2_000, id="json"),
        pytest.param("multipart", 49_900, 50_500, id="multipart"),
    ],
)
def test_lengths(name: str, least: int, most: int) -> None:
    """A body is about as long as the report says."""
    assert least < len(REQUESTS[name].body) <= most


def test_params() -> None:
    """There are 4,096 params, and values that are spilled: over 256 bytes each."""
    spilled = REQUESTS["spill"].body.split("&")

    assert REQUESTS["params"].body.count("=") == 4_096
    assert min(len(it.partition("=")[2]) for it in spilled) > 256


@contextmanager
def closer(answer: bytes) -> Iterator[int]:
    """Serve a loopback port: each connection gets one answer, and is closed unsaid."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                plug, _ = listener.accept()
            except OSError:
                return
            with closing(plug):
                plug.recv(65536)
                plug.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


# Less than a second, which wrk cannot do, so our own client asks.
BRIEFLY = 0.2


def test_closed_connection() -> None:
    """A server that closes what it had kept open does not hold the load for ever."""
    with closer(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}") as port:
        # A machine that is busy may take all of such a time, but not of each.
        assert any(
            loaded(port, REQUESTS["bare"], BRIEFLY, 1).answers > 1 for _ in range(50)
        )


@pytest.mark.parametrize(
    ("answer", "told"),
    [
        pytest.param(b"HTTP/1.1 200 OK\r\n\r\n{", "closed within", id="half"),
        pytest.param(b"HTTP/1.1 503 No\r\n\r\n{}", "not 200", id="refused"),
        pytest.param(b"", "not all was answered", id="nothing"),
    ],
)
def test_bad_answer(answer: bytes, told: str) -> None:
    """What is no answer ends the load, and is no figure."""
    with closer(answer) as port, pytest.raises(RuntimeError, match=told):
        loaded(port, REQUESTS["bare"], BRIEFLY, 2)
