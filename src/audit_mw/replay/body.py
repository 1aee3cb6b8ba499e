# The params of a body -> the body again, in the form that its media type names.
from collections.abc import Callable, Sequence

from audit_mw.event import Opaque, Unread
from audit_mw.replay.gaps import Gaps, Parts
from audit_mw.replay.json_body import JsonWriter
from audit_mw.replay.multipart_body import MultipartWriter
from audit_mw.replay.pairs import Sent, form, value_parts
from audit_mw.wire.head import parse_media_type

__all__ = ["BodyWriter"]

_MULTIPART = b"multipart/form-data"
_BOUNDARY = b"boundary"  # where the record has none


class BodyWriter:
    """
    Makes one body.

    Args:
        gaps: makes what the record does not hold.
        params: of the body, in order.
        media_types: the Content-Type lines.
    """

    def __init__(
        self, gaps: Gaps, params: Sequence[Sent], media_types: Sequence[bytes]
    ) -> None:
        self._gaps = gaps
        self._params = params
        self._types = [parse_media_type(each) for each in media_types]
        self.notes: list[str] = []

    def parts(self) -> Parts | None:
        """Return the body; None if there was none."""
        if not self._params:
            return None
        known = [at for at, sent in enumerate(self._params) if _is_known(sent)]
        if not known:
            return self._rests(self._params)
        first, last = known[0], known[-1] + 1
        before, behind = self._params[:first], self._params[last:]
        write = self._writer(self._params[first:last])

        return write(before, self._params[first:last], behind)

    def _writer(
        self, params: Sequence[Sent]
    ) -> Callable[[Sequence[Sent], Sequence[Sent], Sequence[Sent]], Parts]:
        sources = {sent.param.source for sent in params}
        if "json" in sources:
            return self._json
        is_multipart = any(each.name == _MULTIPART for each in self._types)

        return self._multipart if is_multipart or "file" in sources else self._form

    def _form(
        self, before: Sequence[Sent], params: Sequence[Sent], behind: Sequence[Sent]
    ) -> Parts:
        pieces = form(self._gaps, params)

        return [*self._rests(before), *pieces, *self._rests(behind)]

    def _json(
        self, before: Sequence[Sent], params: Sequence[Sent], behind: Sequence[Sent]
    ) -> Parts:
        writer = JsonWriter(self._gaps)
        for sent in params:
            if sent.param.source == "json":
                writer.add(sent.param)
        self.notes.append("white space and escapes of JSON are not on record")
        if writer.withheld:
            self.notes.append("a withheld value of JSON may have been a number")
        document = writer.finish(whole=not behind)

        return [*self._rests(before), *document, *self._rests(behind)]

    def _multipart(
        self, before: Sequence[Sent], params: Sequence[Sent], behind: Sequence[Sent]
    ) -> Parts:
        writer = MultipartWriter(self._gaps, self._boundary())
        for sent in params:
            if sent.param.source in ("form", "file"):
                writer.add(sent)
        self.notes.append("of the head of a part only name and type are on record")
        preamble = [*self._rests(before), b"\r\n"] if before else []
        if any(isinstance(sent.param.value, (Opaque, Unread)) for sent in behind):
            self.notes.append("where the last part of the body ends is not on record")
            return [*preamble, *writer.parts, *self._rests(behind)]

        return [*preamble, *writer.finish(), *self._rests(behind)]

    def _boundary(self) -> bytes:
        for media_type in self._types:
            boundary = media_type.parameters.get(b"boundary")
            if boundary and media_type.name == _MULTIPART:
                return boundary
        self.notes.append("the boundary is not on record; ours stands for it")

        return _BOUNDARY

    def _rests(self, params: Sequence[Sent]) -> Parts:
        return [part for sent in params for part in self._rest(sent)]

    def _rest(self, sent: Sent) -> Parts:
        value = sent.param.value
        if isinstance(value, Opaque):
            return [self._gaps.make("body:", "opaque", value.len)]
        if not isinstance(value, Unread):
            return value_parts(self._gaps, sent.param)
        if value.len is None:
            self.notes.append(f"the application read {value.read} bytes of the body")
            return []

        return [self._gaps.make("body:", "unread", max(value.len - value.read, 0))]


def _is_known(sent: Sent) -> bool:
    return sent.param.source in ("form", "json", "file")
