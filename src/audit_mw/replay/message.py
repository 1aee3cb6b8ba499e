# A record of the request stream -> the request again, as parts with gaps.
#
# Rule 1: what the record holds is given back as it was sent; `details.sent_as` has the
#         wire form of what was not coded plainly.
# Rule 2: what it does not hold is a gap or is not there, and a note says so. Nothing
#         is invented.
from base64 import b64encode
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from audit_mw.errors import DamagedRecord
from audit_mw.event import Event, Param, Rest, Text
from audit_mw.replay.body import BodyWriter
from audit_mw.replay.gaps import Gap, Gaps, Parts, imitations, named
from audit_mw.replay.pairs import Sent, cookie_line, query, value_parts
from audit_mw.trail.encoding import encode_text
from audit_mw.trail.params import decode_params

__all__ = ["Message", "rebuild"]

_BODY = ("form", "json", "file", "body")
_CREDENTIALS = (b"authorization", b"proxy-authorization")


@dataclass(slots=True)
class Message:
    """
    A request: its head and its body, each with gaps.

    Args:
        body: None where none was sent.
        notes: what could not be rebuilt, in printable ASCII.
    """

    method: Parts
    target: Parts
    version: bytes
    scheme: str
    fields: list[tuple[Parts, Parts]]
    body: Parts | None
    gaps: list[Gap]
    notes: list[str] = field(default_factory=list)


def rebuild(event: Event, stored: Callable[[str], bytes | None]) -> Message:
    """
    Return the request of a record.

    Args:
        event: of the request stream.
        stored: gives a spilled value by its digest, None where it is not there.

    Raises:
        DamagedRecord: its spilled params are none.
    """
    return _Rebuilder(event, Gaps(stored)).message()


class _Rebuilder:
    def __init__(self, event: Event, gaps: Gaps) -> None:
        self._event = event
        self._gaps = gaps
        self._notes: list[str] = []
        self._params = list(self._all())

    def message(self) -> Message:
        event, gaps = self._event, self._gaps
        target = gaps.text(event.path or b"", "path:")
        pieces = self._of("query")
        if pieces:
            target += [b"?", *query(gaps, pieces)]
        body = BodyWriter(gaps, self._of(*_BODY), self._media_types())
        message = Message(
            method=gaps.text(event.method or b"GET", "method:"),
            target=target,
            version=b"1.0" if event.details.get("http_version") == b"1.0" else b"1.1",
            scheme="https" if self._detail("scheme") in (b"https", b"wss") else "http",
            fields=[*self._fields()],
            body=body.parts(),
            gaps=gaps.made,
        )
        message.notes = [*self._notes, *body.notes, *self._told(message)]

        return message

    # --- params

    def _all(self) -> Iterator[Sent]:
        halves = _halves(self._event.details.get("sent_as"))
        for at, param in enumerate(self._event.params):
            if isinstance(param.value, Rest):
                yield from self._rest(param.value)
            else:
                yield Sent(param, halves.get(at))

    def _rest(self, rest: Rest) -> Iterator[Sent]:
        coded = self._gaps.spilled(rest.sha256)
        if coded is None:
            self._notes.append(f"{rest.count} params are not in the trail")
            return
        before: Param | None = None
        for param in decode_params(coded):
            if param.source == "sent_as" and before is not None:
                yield Sent(before, (param.name or b"", _text(param.value)))
                before = None
                continue
            if before is not None:
                yield Sent(before)
            before = param
        if before is not None:
            yield Sent(before)

    def _of(self, *sources: str) -> list[Sent]:
        return [sent for sent in self._params if sent.param.source in sources]

    def _media_types(self) -> list[bytes]:
        return [
            sent.param.value
            for sent in self._of("header")
            if sent.param.name == b"content-type"
            and isinstance(sent.param.value, bytes)
        ]

    # --- field lines

    def _fields(self) -> Iterator[tuple[Parts, Parts]]:
        for sent in self._of("header"):
            name = self._gaps.text(sent.param.name or b"", "name:header")
            yield name, self._field_value(sent.param)
        cookies = self._of("cookie")
        if cookies:
            yield [b"cookie"], cookie_line(self._gaps, cookies)

    def _field_value(self, param: Param) -> Parts:
        value = param.value
        if param.name in _CREDENTIALS and isinstance(value, tuple) and len(value) == 2:
            scheme, space, user = _bytes_of(value[0]).partition(b" ")
            if scheme.lower() == b"basic" and user.endswith(b":"):
                return [scheme + space, self._basic(param, user)]

        return value_parts(self._gaps, param)

    def _basic(self, param: Param, user: bytes) -> Gap:
        # RFC 7617 2: what is on the wire is name and password in one code.
        what = named(param.source, param.name)
        secret = param.value[1] if isinstance(param.value, tuple) else None
        length = getattr(secret, "len", 0)
        cls = getattr(secret, "cls", None) or "password"

        return self._gaps.make(what, cls, length, partial(_basic, user))

    # --- what is said of it

    def _detail(self, key: str) -> object:
        return self._event.details.get(key)

    def _told(self, message: Message) -> Iterator[str]:
        yield from self._told_of_head()
        for digest in self._gaps.lost:
            yield f"the value {digest[:64]!a} is not in the trail"
        for gap in message.gaps:
            yield f"gap {gap.name}: {gap.cls}, {gap.len} bytes"
        count = sum(imitations(parts) for parts in _all_parts(message))
        if count:
            yield f"the client itself sent what looks like a gap, {count} times"

    def _told_of_head(self) -> Iterator[str]:
        yield "only recorded field lines are here; others were sent as well"
        version = self._detail("http_version")
        if version not in (None, b"1.0", b"1.1"):
            shown = encode_text(_text(version) or b"").decode()
            yield f"it was sent with HTTP/{shown}"
        if self._event.type == "websocket":
            yield "of a websocket only the opening request is here, without its key"
        if self._detail("reconstructed"):
            yield "the server told no raw path; it is coded again"
        if self._detail("joined"):
            yield "the server joined repeated field lines, and kept no order"
        if self._detail("cut"):
            yield "a limit kept values out of the trail"
        if any(_has_space(sent) for sent in self._of("query", "form")):
            yield "a space in query or form may have been sent as + or as %20"


def _halves(said: object) -> dict[int, tuple[Text, Text | None]]:
    found: dict[int, tuple[Text, Text | None]] = {}
    for each in said if isinstance(said, list) else ():
        if isinstance(each, list) and len(each) == 3 and isinstance(each[0], int):
            found[each[0]] = _text(each[1]) or b"", _text(each[2])

    return found


def _text(value: object) -> Text | None:
    if value is None or isinstance(value, (bytes, tuple)):
        return value

    raise DamagedRecord("sent_as that is no text")


def _bytes_of(part: object) -> bytes:
    return part if isinstance(part, bytes) else b""


def _basic(user: bytes, password: bytes) -> bytes:
    return b64encode(user + password)


def _has_space(sent: Sent) -> bool:
    texts: Sequence[object] = (sent.param.name, sent.param.value)

    return sent.halves is None and any(b" " in _bytes_of(text) for text in texts)


def _all_parts(message: Message) -> Iterable[Parts]:
    yield message.target
    for name, value in message.fields:
        yield name
        yield value
    yield message.body or []
