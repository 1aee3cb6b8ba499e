# A trail of any length, made at once: what the readers are measured over.
#
#     python -m benchmarks.make_trail DIRECTORY RECORDS [--days 7] [--closed 1]
#
# Ten million records are about 7 GB, and take a few minutes. Each line is whole, each
# instance counts its records, and what is spilled is in the values stream. What a
# record says is drawn from some thousands of events, made by the coder itself; event
# id, time and number are its own.
import argparse
import hashlib
import random
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, NamedTuple

from audit_mw.event import (
    STREAMS,
    Draft,
    Event,
    JsonText,
    Param,
    Redacted,
    Spill,
    Spilled,
    Upload,
)
from audit_mw.trail.closing import Closed, close_segment
from audit_mw.trail.encoding import encode_time
from audit_mw.trail.reader import segments
from audit_mw.trail.record import (
    VALUES,
    draft_event,
    encode_value_line,
    finish_line,
    header_line,
)

__all__ = ["main", "make"]

_DAY = 86_400_000_000
_LAST_DAY = int(datetime(2026, 11, 20, tzinfo=UTC).timestamp()) * 1_000_000
_KINDS = 4096  # different events
_INSTANCES = tuple(f"web{n % 3 + 1}:{4000 + n}:{n * 7919:08x}" for n in range(12))
_BATCH = 4096  # lines that are written at once
_USERS = (*(b"user%d" % n for n in range(997)), "Zoë".encode(), b"o'neill")
_PATHS = (
    "/",
    "/accounts/%d",
    "/search",
    "/static/app.%d.js",
    "/transfer",
    "/api/v1/orders/%d/items",
    "/profile",
    "/reports/2026/%d",
)
_AGENTS = (
    b"Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    b"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/141.0.0.0",
    b"Googlebot/2.1 (+http://www.google.com/bot.html)",
    b"curl/8.14.1",
)
_STATUS = (200,) * 14 + (204, 302, 304, 400, 401, 403, 404, 404, 422, 500)
_OF_STREAM = ("request",) * 94 + ("session",) * 3 + ("security", "error", "fault")


class _Kind(NamedTuple):
    stream: str
    after: bytes
    instance: str
    spills: tuple[Spill, ...]


def make(
    trail: Path, records: int, days: int = 7, seed: int = 1, closed: int = 0
) -> int:
    """
    Make a trail; return the bytes of its lines.

    Args:
        trail: the directory, which is made.
        records: how many, of all streams but that of values.
        days: over how many days; the last is 2026-11-20.
        seed: the same gives the same trail.
        closed: how many of the days are compressed, the oldest first.
    """
    dice = random.Random(seed)
    kinds = [_kind(dice) for _ in range(min(_KINDS, max(records, 1)))]
    seqs: dict[tuple[str, str], int] = defaultdict(int)
    size = 0
    for stream in (*STREAMS, VALUES):
        (trail / stream).mkdir(parents=True, mode=0o750)
    for day in range(days):
        count = records * (day + 1) // days - records * day // days
        start = _LAST_DAY - (days - 1 - day) * _DAY
        size += _day(trail, start, _drawn(dice, kinds, start, count), seqs)
    for stream in (*STREAMS, VALUES):
        for path in segments(trail, stream)[:closed]:
            close_segment(path, _tell_nobody)

    return size


def _tell_nobody(_closed: Closed) -> None:
    # The record of it would have the time of today, which is not in the trail.
    pass


class _Drawn(NamedTuple):
    time: int
    event: str
    kind: _Kind


def _drawn(
    dice: random.Random, kinds: Sequence[_Kind], start: int, count: int
) -> Iterator[_Drawn]:
    for at in range(count):
        time = start + _DAY * at // count
        low = dice.getrandbits(76)
        high = (time // 1000) << 16 | 0x7000 | low >> 64
        text = f"{high:016x}{1 << 63 | low & (1 << 62) - 1:016x}"
        event = f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
        yield _Drawn(time, event, kinds[int(dice.random() * len(kinds))])


def _day(
    trail: Path,
    start: int,
    drawn: Iterator[_Drawn],
    seqs: dict[tuple[str, str], int],
) -> int:
    name = f"{encode_time(start)[:10].decode()}.log"
    files = {
        stream: (trail / stream / name).open("xb") for stream in (*STREAMS, VALUES)
    }
    lines: dict[str, list[bytes]] = {
        stream: [header_line(stream)] for stream in (*STREAMS, VALUES)
    }
    stored: set[str] = set()
    for time, event, kind in drawn:
        for spill in kind.spills:
            if spill.sha256 not in stored:
                stored.add(spill.sha256)
                lines[VALUES].append(encode_value_line(time, event, spill))
        key = kind.instance, kind.stream
        seqs[key] += 1
        before = b"%s\t%s\t%s" % (
            encode_time(time),
            event.encode(),
            kind.stream.encode(),
        )
        draft = Draft(kind.stream, before, kind.after)
        lines[kind.stream].append(finish_line(draft, seqs[key]))
        if len(lines[kind.stream]) >= _BATCH:
            _write(files, lines)
    _write(files, lines)

    return sum(_closed(file) for file in files.values())


def _write(files: Mapping[str, BinaryIO], lines: dict[str, list[bytes]]) -> None:
    for stream, waiting in lines.items():
        files[stream].write(b"".join(waiting))
        waiting.clear()


def _closed(file: BinaryIO) -> int:
    with file:
        return file.tell()


# --- what the records say


def _kind(dice: random.Random) -> _Kind:
    stream = dice.choice(_OF_STREAM)
    make_event = {"session": _login, "security": _finding}.get(stream, _request)
    spills: tuple[Spill, ...] = ()
    if stream == "request" and dice.random() < 0.02:
        value = dice.randbytes(150).hex().encode() * dice.randint(1, 8)
        spills = (Spill(hashlib.sha256(value).hexdigest(), value),)
    event = make_event(dice, stream, spills)

    return _Kind(stream, draft_event(event).after, event.instance, spills)


def _request(dice: random.Random, stream: str, spills: tuple[Spill, ...]) -> Event:
    path = dice.choice(_PATHS)
    path = path % dice.randint(1, 9999) if "%d" in path else path
    status = dice.choice(_STATUS) if stream == "request" else 500
    user, session, client = _who(dice)
    outcome = "SUCCESS" if status < 400 else "FAILURE" if status < 500 else "ERROR"
    details: dict[str, object] = {
        "via": b"direct",
        "delivery": b"taken",
        "scheme": b"https",
        "http_version": b"1.1",
    }
    if stream == "fault":
        details["traceback"] = b'Traceback:\n  File "app.py", line 17\nKeyError: 17'

    return Event(
        time=0,
        event="",
        stream=stream,
        type="error" if stream == "error" else "request",
        outcome=outcome,
        service=b"shop",
        instance=dice.choice(_INSTANCES),
        client=client,
        peer=client + b":%d" % dice.randint(1024, 65535),
        user=user,
        session=session,
        method=dice.choice((b"GET", b"GET", b"GET", b"POST")),
        path=path.encode(),
        action=b"shop.views." + path.split("/")[1].encode(),
        status=status,
        sent=dice.randint(0, 60_000),
        micros=int(dice.lognormvariate(9, 1)),
        params=tuple(_params(dice, session, spills)),
        details=details,
    )


def _params(
    dice: random.Random, session: str | None, spills: tuple[Spill, ...]
) -> Iterator[Param]:
    yield Param("query", b"q", b"shoes # %d" % dice.randint(1, 10**6))
    yield Param("query", b"page", b"%d" % dice.randint(1, 40))
    if dice.random() < 0.3:
        yield Param("form", b"amount", b"%d.00" % dice.randint(1, 10**4))
        yield Param("form", b"password", Redacted(dice.randint(6, 20), "password"))
        yield Param("form", b"note", "Grüße\r\n\tfrom = here".encode())
    if dice.random() < 0.1:
        yield Param("json", b"/items/0/count", JsonText(b"%d" % dice.randint(1, 9)))
    if dice.random() < 0.02:
        digest = dice.randbytes(32).hex()
        yield Param("file", b"doc", Upload(b"a.pdf", b"application/pdf", 999, digest))
    for spill in spills:
        yield Param("form", b"text", Spilled(len(spill.value), spill.sha256))
    if session:
        yield Param("cookie", b"sessionid", Redacted(32, "token", session))
    yield Param("header", b"host", b"shop.example")
    yield Param("header", b"user-agent", dice.choice(_AGENTS))


def _login(dice: random.Random, stream: str, _spills: tuple[Spill, ...]) -> Event:
    fails = dice.random() < 0.2
    user, session, client = _who(dice)

    return Event(
        time=0,
        event="",
        stream=stream,
        type="authn_login_fail" if fails else "authn_login_success",
        outcome="FAILURE" if fails else "SUCCESS",
        service=b"shop",
        instance=dice.choice(_INSTANCES),
        client=client,
        user=user or b"user1",
        session=session,
        details={"method": b"password"},
    )


def _finding(dice: random.Random, stream: str, _spills: tuple[Spill, ...]) -> Event:
    _user, session, client = _who(dice)

    return Event(
        time=0,
        event="",
        stream=stream,
        type=dice.choice(("param_mismatch", "malformed_input", "authz_fail")),
        outcome="FAILURE",
        service=b"shop",
        instance=dice.choice(_INSTANCES),
        client=client,
        session=session,
        details={"reason": b"different values in two sources"},
    )


def _who(dice: random.Random) -> tuple[bytes | None, str | None, bytes]:
    client = b"203.0.%d.%d" % (dice.randint(0, 15), dice.randint(1, 254))
    if dice.random() < 0.4:
        return None, None, client
    digest = f"1c2d3e4f.{dice.getrandbits(128):032x}"

    return dice.choice(_USERS), digest, client


def main() -> None:
    """Make the trail that the arguments name."""
    parser = argparse.ArgumentParser(description="make a trail of any length")
    parser.add_argument("directory", type=Path)
    parser.add_argument("records", type=int)
    parser.add_argument("--days", type=int, default=7)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--closed", type=int, default=0)
    given = parser.parse_args()
    size = make(given.directory, given.records, given.days, given.seed, given.closed)
    print(f"{given.directory}: {given.records} records, {size} bytes")


if __name__ == "__main__":
    main()
