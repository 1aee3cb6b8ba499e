# A rebuilt request -> what sends it: a message, a command, a program.
#
# Rule 1: nothing is sent to where the client's Host says: that is his word. Who sends
#         it again says to where.
# Rule 2: command and program are printable ASCII, however hostile the values are, and
#         what bash or Python makes of them is the exact bytes.
# Rule 3: what would end a line of the head (CR, LF, NUL) is not put there.
#
# (Longer than 250 lines, since what is safe in one shape is read beside the others.)
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from audit_mw.replay.gaps import Parts, render
from audit_mw.replay.message import Message
from audit_mw.trail.encoding import encode_text

__all__ = ["SHAPES", "Filled", "fill", "message_bytes", "readable", "too_long"]

_TOKEN = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+")  # RFC 9110 5.6.2
_ENDS = re.compile(rb"[\r\n\x00]")
_NO_TARGET = re.compile(rb"[\x00-\x20\x7f]")
_IN_URL = re.compile(rb"/[A-Za-z0-9/._~%!$&'()*+,;=:@?-]*")
_ARGUMENT = 64 << 10  # Linux takes 128 KiB, with a NUL at the end
_ARGUMENTS = 1 << 20  # and of all of them, with the environment, 2 MiB as a rule
_PADDING = 64 << 20


@dataclass(slots=True)
class Filled:
    """A request whose gaps are filled, or show as such; all of it is bytes."""

    method: bytes
    target: bytes
    version: bytes
    fields: list[tuple[bytes, bytes]]
    body: bytes | None
    notes: list[str] = field(default_factory=list)

    @property
    def is_chunked(self) -> bool:
        """Whether the body was sent without a length."""
        return any(name == b"transfer-encoding" for name, _ in self.fields)


def fill(message: Message, values: Mapping[str, bytes], *, pad: bool = False) -> Filled:
    """
    Return a message as bytes.

    Args:
        message: with gaps.
        values: of the gaps, by their names.
        pad: whether what is not filled gets its length in `x`.

    Raises:
        ValueError: that would be more than 64 MiB.
    """
    # A file may have been of any length, and who forges a record may write any number.
    if pad and sum(max(gap.len, 0) for gap in message.gaps) > _PADDING:
        raise ValueError("the gaps are longer than 64 MiB; fill them one by one")

    def filled(parts: Parts) -> bytes:
        return render(parts, values, pad=pad)

    body = None if message.body is None else filled(message.body)
    request = Filled(
        filled(message.method), filled(message.target), message.version, [], body
    )
    fields = [(filled(name), filled(value)) for name, value in message.fields]
    request.fields = [*_sendable(request, fields)]
    request.fields = [*_with_length(request)]
    request.method = _coded(request, "method", request.method, _NO_TARGET)
    request.target = _coded(request, "target", request.target, _NO_TARGET)

    return request


def _coded(request: Filled, what: str, text: bytes, unfit: re.Pattern[bytes]) -> bytes:
    if unfit.search(text):
        request.notes.append(f"the {what} cannot be sent as it was; it is coded")
        text = unfit.sub(lambda match: b"%%%02X" % match[0][0], text)

    return text


def _sendable(
    request: Filled, fields: list[tuple[bytes, bytes]]
) -> Iterator[tuple[bytes, bytes]]:
    for name, value in fields:
        if _TOKEN.fullmatch(name) and not _ENDS.search(value):
            yield name, value
        else:
            shown = encode_text(name[:64]).decode()
            request.notes.append(f"the field line {shown} cannot be sent")


def _with_length(request: Filled) -> Iterator[tuple[bytes, bytes]]:
    """Yield the field lines with the length that the body has now."""
    body, has_length = request.body, False
    for name, value in request.fields:
        if name != b"content-length" or body is None:
            yield name, value
        elif not has_length:
            has_length = True
            if value.strip() != b"%d" % len(body):
                said = encode_text(value[:20]).decode()
                what = f"the body has {len(body)} bytes; the one sent had {said}"
                request.notes.append(what)
            yield name, b"%d" % len(body)
    if body is not None and not has_length and request.version == b"1.1":
        yield b"transfer-encoding", b"chunked"
    elif body is not None and not has_length:
        yield b"content-length", b"%d" % len(body)


# --- the message itself


def message_bytes(request: Filled) -> bytes:
    """Return the HTTP/1.1 message (RFC 9112)."""
    first = b"%b %b HTTP/%b" % (request.method, request.target, request.version)
    lines = [first, *(b"%b: %b" % each for each in request.fields), b"", b""]

    return b"\r\n".join(lines) + _framed(request)


def _framed(request: Filled) -> bytes:
    body = request.body or b""
    if not request.is_chunked:
        return body
    chunk = b"%x\r\n%b\r\n" % (len(body), body) if body else b""

    return chunk + b"0\r\n\r\n"


def readable(request: Filled, _to: str = "") -> str:
    """Return the message for the eye: what is not printable as `\\xHH`, LF as well."""
    shown = [_escaped(line) for line in message_bytes(request).split(b"\r\n")]

    return "\n".join(shown)


def _escaped(line: bytes) -> str:
    return "".join(map(_character, line))


def _character(byte: int) -> str:
    if byte == ord("\\"):
        return "\\\\"

    return chr(byte) if 0x20 <= byte <= 0x7E else f"\\x{byte:02x}"


# --- bash and curl

_BARE = re.compile(rb"[A-Za-z0-9/._:=@%+,-]+")
_QUOTABLE = re.compile(rb"[ -&(-~]*")


def quoted(argument: bytes) -> str:
    """Return one argument for bash, in printable ASCII; it must hold no NUL."""
    if _BARE.fullmatch(argument):
        return argument.decode()
    if _QUOTABLE.fullmatch(argument):
        return f"'{argument.decode()}'"

    return "$'" + "".join(map(_octal, argument)) + "'"


def _octal(byte: int) -> str:
    # Three digits: what follows cannot be taken for a fourth. "!" as well, which an
    # interactive bash may look at between these quotes.
    is_plain = 0x20 <= byte <= 0x7E and byte not in b"\\'!"

    return chr(byte) if is_plain else f"\\{byte:03o}"


def as_curl(request: Filled, to: str) -> str:
    """
    Return a command for bash with curl 7.55 or later.

    Args:
        request: as filled.
        to: scheme, host and port to which it is to be sent.
    """
    words = ["curl", "--globoff", "--path-as-is"]
    words.append("--http1.0" if request.version == b"1.0" else "--http1.1")
    lines = [" ".join(words), _curl_method(request)]
    lines += [f"-H {quoted(line)}" for line in _curl_fields(request)]
    before, data = _curl_body(request)
    lines += data + _curl_target(request, to)

    return before + " \\\n  ".join(line for line in lines if line)


def too_long(request: Filled, to: str) -> Iterator[str]:
    """Yield what has to be said of a command that no system would begin."""
    words = [*_curl_fields(request), to.encode() + request.target, request.method]
    if max(map(len, words)) >= 2 * _ARGUMENT or sum(map(len, words)) > _ARGUMENTS:
        yield (
            "this command has more than the system takes as arguments (128 KiB each); "
            "use --as httpx, or --as http --raw"
        )


def _curl_method(request: Filled) -> str:
    if request.method == b"HEAD" and request.body is None:
        return "--head"  # else it would wait for a body

    return f"-X {quoted(request.method)}"


def _curl_fields(request: Filled) -> Iterator[bytes]:
    """Yield what curl is to send, and what it must not add of its own."""
    names = {name for name, _ in request.fields}
    for name, value in request.fields:
        if name != b"content-length" or request.body is None:
            yield b"%b: %b" % (name, value) if value else b"%b;" % name
    added = [b"accept", b"user-agent", b"expect"]
    added += [b"content-type"] if request.body is not None else []
    for name in added:
        if name not in names:
            yield b"%b:" % name


def _curl_body(request: Filled) -> tuple[str, list[str]]:
    body = request.body
    if body is None:
        return "", []
    if len(body) <= _ARGUMENT // 4 and b"\x00" not in body:
        return "", [f"--data-raw {quoted(body)}"]
    # An argument holds no NUL, and not any length; printf is no program but bash's own.
    text = "".join("%%" if byte == ord("%") else _octal(byte) for byte in body)

    # A body of parts begins with "--", which is no option here.
    return f"printf -- '{text}' | ", ["--data-binary @-"]


def _curl_target(request: Filled, to: str) -> list[str]:
    base = to.rstrip("/")
    if _IN_URL.fullmatch(request.target):
        return [quoted(base.encode() + request.target)]

    return [f"--request-target {quoted(request.target)}", quoted(base.encode() + b"/")]


# --- Python and httpx


def as_httpx(request: Filled, to: str) -> str:
    """Return a program for Python with httpx 0.25 or later."""
    lines = ["import httpx", "", "request = httpx.Request("]
    lines.append(f"    {request.method.decode('latin-1')!a},")
    lines.append(f"    {to.rstrip('/') + '/'!a},")
    lines += _listed("headers", [f"({n!r}, {v!r})" for n, v in request.fields])
    if request.body is not None:
        content = f"{request.body!r}"
        # An iterator has no length, so it is sent in chunks.
        content = f"iter([{content}])" if request.is_chunked else content
        lines.append(f"    content={content},")
    lines.append(f'    extensions={{"target": {request.target!r}}},')
    lines += [")", "with httpx.Client() as client:"]
    lines.append("    print(client.send(request))")

    return "\n".join(lines)


def _listed(name: str, items: list[str]) -> list[str]:
    return [f"    {name}=[", *(f"        {item}," for item in items), "    ],"]


SHAPES: dict[str, Callable[[Filled, str], str]] = {
    "http": readable,
    "curl": as_curl,
    "httpx": as_httpx,
}
