# Parts of a multipart body (RFC 7578) -> the body again.
#
# The content of a file is not in a trail: its length is, and a gap of that length
# stands there. Of a part's head the disposition is kept, and a file's media type.
from audit_mw.event import Redacted, Upload
from audit_mw.replay.gaps import Gaps, Parts, named
from audit_mw.replay.pairs import Sent, value_parts

__all__ = ["MultipartWriter"]


class MultipartWriter:
    """
    Takes the parts of one body, in order.

    Args:
        gaps: makes what the record does not hold.
        boundary: between the parts.
    """

    def __init__(self, gaps: Gaps, boundary: bytes) -> None:
        self._gaps = gaps
        self._delimiter = b"--" + boundary
        self.parts: Parts = []

    def add(self, sent: Sent) -> None:
        """Take a field or a file."""
        self.parts += [b"\r\n"] if self.parts else []
        self.parts += [self._delimiter, b"\r\n", *self._head(sent), b"\r\n\r\n"]
        self.parts += self._content(sent)

    def finish(self) -> Parts:
        """Return the body with its last boundary."""
        before: Parts = [*self.parts, b"\r\n"] if self.parts else []

        return [*before, self._delimiter, b"--\r\n"]

    def _head(self, sent: Sent) -> Parts:
        param = sent.param
        what = named(param.source, param.name)
        head: Parts = [b"Content-Disposition: "]
        if sent.halves is not None:
            return [*head, *self._gaps.text(sent.halves[0], what)]
        head.append(b"form-data")
        if param.name is not None:
            name = self._gaps.text(param.name, f"name:{what}")
            head += [b'; name="', *name, b'"']
        if isinstance(param.value, Upload):
            head += self._file_head(param.value, what)
        elif param.source == "file":
            head.append(b'; filename="')
            head += [self._gaps.make(f"filename:{what}", "withheld", 0), b'"']

        return head

    def _file_head(self, upload: Upload, what: str) -> Parts:
        filename = self._gaps.text(upload.filename or b"", f"filename:{what}")
        head: Parts = [b'; filename="', *filename, b'"']
        if upload.type is not None:
            media_type = self._gaps.text(upload.type, f"type:{what}")
            head += [b"\r\nContent-Type: ", *media_type]

        return head

    def _content(self, sent: Sent) -> Parts:
        param = sent.param
        what = named(param.source, param.name)
        if isinstance(param.value, Upload):
            return [self._gaps.make(what, "file", param.value.len)]
        if isinstance(param.value, Redacted) and param.source == "file":
            return [self._gaps.make(what, param.value.cls, param.value.len)]

        return value_parts(self._gaps, param)
