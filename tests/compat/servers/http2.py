# A client of HTTP/2 without TLS, by prior knowledge (RFC 9113, 3.3): one request on a
# connection, or several at once.
from collections.abc import Sequence

import h2.config
import h2.connection
import h2.events
from tests.serving import Running

__all__ = ["get_at_once"]

Lines = Sequence[tuple[str, str]]


def get_at_once(
    running: Running, targets: Sequence[str], lines: Lines = ()
) -> dict[str, tuple[bytes, bytes]]:
    """Return status and body of what is behind each target, asked for all at once."""
    config = h2.config.H2Configuration(client_side=True, header_encoding=None)
    connection = h2.connection.H2Connection(config=config)
    with running.connect() as client:
        connection.initiate_connection()
        streams = {_ask(connection, target, lines): target for target in targets}
        client.sendall(connection.data_to_send())
        statuses, bodies, ended = {}, dict.fromkeys(streams, b""), set[int]()
        while ended != set(streams):
            received = client.recv(65536)
            assert received, "the server closed"
            for event in connection.receive_data(received):
                if isinstance(event, h2.events.ResponseReceived):
                    statuses[event.stream_id] = dict(event.headers)[b":status"]
                elif isinstance(event, h2.events.DataReceived):
                    bodies[event.stream_id] += event.data
                    connection.acknowledge_received_data(
                        event.flow_controlled_length, event.stream_id
                    )
                elif isinstance(event, h2.events.StreamEnded):
                    ended.add(event.stream_id)
            client.sendall(connection.data_to_send())

    return {it: (statuses[key], bodies[key]) for key, it in streams.items()}


def _ask(connection: h2.connection.H2Connection, target: str, lines: Lines) -> int:
    stream: int = connection.get_next_available_stream_id()
    pseudo = [
        (":method", "GET"),
        (":scheme", "http"),
        (":authority", "example.org"),
        (":path", target),
    ]
    connection.send_headers(stream, [*pseudo, *lines], end_stream=True)

    return stream
