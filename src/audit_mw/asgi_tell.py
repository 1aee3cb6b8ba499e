# What a message that an application sends tells, by its type. A message of another type
# is passed on, and tells nothing. So does what is malformed in one: servers take more
# than ASGI allows, and what they do not take is theirs to refuse.
import os
from collections.abc import Callable, Iterable, MutableMapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from audit_mw.asgi_head import field_lines
from audit_mw.auditor import Receipt, Recorder

__all__ = ["STARTS", "TELL", "payload"]

Message = MutableMapping[str, Any]
# What must be waited for before the message is handed over.
Steps = Iterable[Receipt]


def _tell_start(recorder: Recorder, message: Message) -> Steps:
    trailers = bool(message.get("trailers", False))
    fields = _lengths(message.get("headers"))
    return recorder.start(_number(message.get("status")), fields, trailers=trailers)


def _lengths(headers: Any) -> list[tuple[bytes, bytes]]:
    # What else the headers of a response say nobody asks: so only these are looked at.
    try:
        same = [pair for pair in headers or () if len(pair[0]) == _LENGTH_OF_NAME]
        return field_lines(same)
    except (TypeError, ValueError, LookupError):  # no pairs
        return []


_LENGTH_OF_NAME = len("content-length")


def _tell_body(recorder: Recorder, message: Message) -> Steps:
    more = bool(message.get("more_body", False))
    body: Any = message.get("body")
    return recorder.send(len(body) if hasattr(body, "__len__") else 0, more=more)


def _tell_trailers(recorder: Recorder, message: Message) -> Steps:
    return recorder.send_trailers(more=bool(message.get("more_trailers", False)))


def _tell_path(recorder: Recorder, message: Message) -> Steps:
    # http.response.pathsend: the server reads the file, so its size is what is known.
    # A declared length counts more, and then a look at the disk would only block.
    size = 0 if recorder.exchange.declares_length else _size(message.get("path"))
    return recorder.send(size, more=False, estimated=True)


def _size(path: Any) -> int:
    try:
        return Path(path).stat().st_size
    except (OSError, ValueError, TypeError):  # ValueError: a NUL in it
        return 0


def _tell_zerocopy(recorder: Recorder, message: Message) -> Steps:
    # http.response.zerocopysend: without a count it is all that is left of the file.
    count = message.get("count")
    if count is None:
        count = _left(message.get("file"), message.get("offset"))
    return recorder.send(
        _number(count), more=bool(message.get("more_body", False)), estimated=True
    )


def _left(file: Any, offset: int | None) -> int:
    with suppress(OSError, ValueError, TypeError):
        fd = file.fileno() if hasattr(file, "fileno") else file
        if offset is None:
            offset = os.lseek(fd, 0, os.SEEK_CUR)
        return max(os.fstat(fd).st_size - offset, 0)

    return 0


def _tell_accept(recorder: Recorder, _message: Message) -> Steps:
    recorder.exchange.accept()

    return ()


def _tell_message(recorder: Recorder, message: Message) -> Steps:
    recorder.exchange.message_out(payload(message))

    return ()


def _tell_close(recorder: Recorder, message: Message) -> Steps:
    return recorder.close_socket(_number(message.get("code", 1000)))


def _number(found: Any) -> int:
    return found if isinstance(found, int) else 0


TELL: dict[str, Callable[[Recorder, Message], Steps]] = {
    "http.response.start": _tell_start,
    "http.response.body": _tell_body,
    "http.response.trailers": _tell_trailers,
    "http.response.pathsend": _tell_path,
    "http.response.zerocopysend": _tell_zerocopy,
    "websocket.accept": _tell_accept,
    "websocket.send": _tell_message,
    "websocket.close": _tell_close,
    "websocket.http.response.start": _tell_start,
    "websocket.http.response.body": _tell_body,
}

STARTS = frozenset(kind for kind, tell in TELL.items() if tell is _tell_start)


def payload(message: Message) -> bytes:
    """Return what a message of a websocket carries."""
    text = message.get("text")
    if text is not None:
        return str(text).encode(errors="surrogatepass")

    found = message.get("bytes")
    return bytes(found) if isinstance(found, (bytes, bytearray, memoryview)) else b""
