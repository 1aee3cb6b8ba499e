# What a secret may look like in a file, and all that a trail's files can be read as.
import hashlib
import html
import json
import re
from base64 import b64decode, b64encode
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from urllib.parse import quote, quote_plus

__all__ = ["leaks", "leaks_in", "readings", "spellings"]

_WINDOW = 8  # bytes of a secret that are a leak even without the rest
# What we draw: event ids, the ends of instances, checks. By chance they have a canary's.
_DRAWN = re.compile(
    rb"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
    rb"|:[0-9]+:[0-9a-f]{8}(?=\t)|(?<=\t)[0-9a-f]{16}(?=\n)"
)
_ZEROS = bytes(256)  # no secret, however spelt, has as many in a row


@cache  # the same few are looked for in hundreds of trails
def spellings(secret: bytes) -> Mapping[str, bytes]:
    """Return each way to write `secret` that its reader could undo, by name."""
    text = secret.decode("utf-8", "surrogateescape")
    found = {
        "raw": secret,
        "twice coded": secret.decode("latin-1").encode(),
        "repr": repr(text)[1:-1].encode("utf-8", "surrogateescape"),
        "repr of bytes": repr(secret)[2:-1].encode(),
        "ascii": ascii(text)[1:-1].encode(),
        "json": json.dumps(text)[1:-1].encode(),
        "json in utf-8": json.dumps(text, ensure_ascii=False)[1:-1].encode(
            "utf-8", "surrogateescape"
        ),
        "html": html.escape(text).encode("utf-8", "surrogateescape"),
        "percent": quote(secret, safe="").encode(),
        "percent with slashes": quote(secret).encode(),
        "form": quote_plus(secret, safe="").encode(),
        "each byte percent": b"".join(b"%%%02X" % byte for byte in secret),
        "percent twice": quote(quote(secret, safe=""), safe="").encode(),
        "hex": secret.hex().encode(),
        "utf-16": text.encode("utf-16-le", "surrogatepass"),
    }
    for place in range(3):
        coded = b64encode(b"\0" * place + secret)
        # The first and the last characters also hold bits of what is beside it.
        found[f"base64 at {place}"] = coded[(0, 2, 3)[place] :].rstrip(b"=")[:-1]
    for name in ("sha256", "sha1", "md5"):
        found[name] = hashlib.new(name, secret).hexdigest().encode()

    return found


def readings(trail: Path) -> Iterator[tuple[str, bytes]]:
    """Yield all files of a trail but its key: as they are, and each cell decoded."""
    for path in sorted(trail.rglob("*")):
        if path.is_file() and path.name != ".key":
            stored = _DRAWN.sub(b"(drawn)", _without_zeros(path.read_bytes()))
            yield path.name, stored
            decoded = _decoded(stored)
            yield f"{path.parent.name}, decoded", decoded
            for cell in re.findall(rb"\t([A-Za-z0-9+/]{8,}={0,2})\t", stored):
                if len(cell) % 4 == 0:
                    yield f"{path.parent.name}, from base64", b64decode(cell)


def _without_zeros(stored: bytes) -> bytes:
    # Of a journal's megabytes nearly all are zeros, which dozens of searches would read.
    return _ZEROS.join(filter(None, stored.split(_ZEROS)))


def _decoded(stored: bytes) -> bytes:
    plain = re.sub(rb'\\(["\\])', rb"\1", stored)

    return re.sub(rb"%([0-9A-F]{2})", lambda match: bytes([int(match[1], 16)]), plain)


def leaks(trail: Path, secret: bytes) -> list[str]:
    """Return where, and how spelt, `secret` or a good part of it is in a trail."""
    return leaks_in(readings(trail), secret)


def leaks_in(read: Iterable[tuple[str, bytes]], secret: bytes) -> list[str]:
    """Return the same, where the files of a trail are read already."""
    known = spellings(secret)
    found = []
    for place, reading in read:
        lower = reading.lower()
        found += [f"{place}: {name}" for name, it in known.items() if it in reading]
        found += [
            f"{place}: {name}, in another case"
            for name in ("raw", "hex", "percent", "each byte percent")
            if known[name].lower() in lower
        ]
        if len(secret) >= _WINDOW + 4:
            found += [
                f"{place}: {part!r}" for part in _parts(secret) if part in reading
            ]

    return found


@cache
def _parts(secret: bytes) -> list[bytes]:
    return [
        secret[at : at + _WINDOW]
        for at in range(len(secret) - _WINDOW + 1)
        # The armour of a key tells that there was one, and no more.
        if b"PRIVATE" not in secret or b"\n" in secret[:at]
    ]
