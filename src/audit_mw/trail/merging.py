# Several streams of several trails, read as one.
#
#     reader = TrailReader([Path("/var/log/shop")], ["request", "security"])
#     for item in reader.read():
#         if isinstance(item, Damage): ...      a line that is not what a writer wrote
#         else: item.record.event               and where it stands
#
# Rule 1: `read` gives records by their time. A record is appended when its request has
#         ended, so one that took long stands among later ones: 8 MiB of lines of each
#         stream that are wanted are held and sorted. One that comes later than that is
#         given all the same, and says of itself that it is late. Where fewer bytes are
#         wanted in all, nothing is late.
# Rule 2: `read_appended` gives them as they were appended, stream by stream. There a
#         checkpoint is right after each record, so that reading can be broken off
#         anywhere and gone on with.
# Rule 3: a line that is there again, equal, is given once; of the last 65,536 only,
#         since memory is flat.
from collections import OrderedDict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from heapq import heappop, heappush, merge
from operator import itemgetter
from pathlib import Path
from typing import Any, NamedTuple

from audit_mw.errors import DamagedRecord
from audit_mw.event import STREAMS
from audit_mw.trail.follow import Follower, Placed
from audit_mw.trail.reader import Damage, Wanted
from audit_mw.trail.record import Record, decode_line
from audit_mw.trail.span import Span, time_of

__all__ = ["Found", "TrailReader"]

FORMAT = 1
_HELD_BYTES = 8 << 20
_REMEMBERED = 1 << 16
_STREAM = 3


class Found(NamedTuple):
    """
    A record of a trail.

    Args:
        trail: the one of those given in which it is.
        path, line, offset: where it stands: segment, number of the line from 1, bytes.
        text: the line as it stands there, with its LF.
        decoded: what it means; None: nobody has looked yet.
        is_late: one that is younger was given before.
    """

    trail: Path
    path: Path
    line: int
    offset: int
    text: bytes
    decoded: Record | None
    is_late: bool

    @property
    def record(self) -> Record:
        """What it means; where the reader was told what is sound, decoded each time."""
        return self.decoded or decode_line(self.text)


class TrailReader:
    """
    Reads what is in trails, and what was appended since the last time.

    Args:
        trails: directories, or captured consoles.
        streams: names of STREAMS.
        span: only records of this time; segments that have none are not opened.
        wanted: says of the bytes of a line whether its record is; without decoding it,
            where that can be. None: all are.
        checkpoint: what `checkpoint` of an earlier reader gave.
        is_sound: says of the bytes of a line that it can be decoded, where that can be
            told at less cost; for who needs the bytes alone. None: each is decoded.
        opened: segments that have nothing of this time are not opened, though of those
            that are each line is given; None: that of `span`.

    Raises:
        ValueError: it is no checkpoint of these trails.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - each says what need not be read
        self,
        trails: Sequence[Path],
        streams: Collection[str] = STREAMS,
        span: Span | None = None,
        wanted: Wanted | None = None,
        checkpoint: Mapping[str, Any] | None = None,
        is_sound: Wanted | None = None,
        opened: Span | None = None,
    ) -> None:
        span = span or Span()
        opened = opened or span
        self._is_sound = is_sound
        self._wanted = {
            True: _wanted(streams, span, wanted),
            False: _wanted((), span, wanted),
        }
        self._is_at_end = True
        self._known: OrderedDict[int, None] = OrderedDict()
        said = {} if checkpoint is None else _checked(checkpoint)
        self._followers = {
            (trail, stream): Follower(
                trail, stream, opened, said.get(f"{trail}/{stream}", ())
            )
            for trail in dict.fromkeys(trails)
            # A console has all streams, and is read once.
            for stream in ([""] if trail.is_file() else dict.fromkeys(streams))
        }

    @property
    def skipped(self) -> int:
        """How many lines of captured consoles were none of ours."""
        return sum(each.skipped for each in self._followers.values())

    def part(self) -> float:
        """Return how much of what is due was read, from 0 to 1; negative: unknown."""
        size = sum(each.size for each in self._followers.values())
        done = sum(each.done for each in self._followers.values())

        return done / size if size else -1.0

    def read(self, *, ends: bool = True) -> Iterator[Found | Damage]:
        """
        Yield what is new, by time; damage as soon as it is met.

        Args:
            ends: nobody will ask again, so half a line that no writer is at is damage.

        Raises:
            MissingExtra: a segment is closed, and there is no zstd.
        """
        self._is_at_end = False
        lanes = [_in_order(trail, lane) for trail, lane in self._lanes(ends=ends)]
        last = b""
        for time, trail, placed in merge(*lanes, key=itemgetter(0)):
            yield from self._found(trail, placed, is_late=b"" < time < last)
            last = max(last, time)
        self._is_at_end = True

    def read_appended(self, *, ends: bool = True) -> Iterator[Found | Damage]:
        """Yield the same, stream by stream, in the order in which it was appended."""
        for trail, lane in self._lanes(ends=ends):
            for placed in lane:
                yield from self._found(trail, placed, is_late=False)

    def checkpoint(self) -> dict[str, Any]:
        """
        Return how far it is, as JSON takes it.

        Raises:
            ValueError: in the midst of `read`, where records are held back.
        """
        if not self._is_at_end:
            raise ValueError("a checkpoint is to be had when all was read")
        followers = self._followers.items()
        read = {f"{key[0]}/{key[1]}": each.checkpoint() for key, each in followers}

        return {"format": FORMAT, "read": read}

    def _lanes(self, *, ends: bool) -> Iterator[tuple[Path, Iterator[Placed]]]:
        for (trail, stream), follower in self._followers.items():
            wanted = self._wanted[not stream]
            for lane in follower.lanes(wanted, raw=True, ends=ends):
                yield trail, lane

    def _found(
        self, trail: Path, placed: Placed, *, is_late: bool
    ) -> Iterator[Found | Damage]:
        path, (number, offset, text, item) = placed
        if isinstance(item, Damage):
            yield item
        elif not self._is_again(text):
            try:
                record = self._decoded(text)
            except DamagedRecord as error:
                yield Damage(path, number, offset, error.reason)
            else:
                yield Found(trail, path, number, offset, text, record, is_late)

    def _decoded(self, text: bytes) -> Record | None:
        if self._is_sound is not None and self._is_sound(text):
            return None

        return decode_line(text)

    def _is_again(self, text: bytes) -> bool:
        # Equal in (instance, stream, seq, check) is not enough: whoever could write to
        # a segment could have made another line with that check, to hide one.
        digest = hash(text)  # keyed anew in each process, so nobody can aim at it
        is_known = digest in self._known
        self._known[digest] = None
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

        return is_known


def _in_order(
    trail: Path, lane: Iterable[Placed]
) -> Iterator[tuple[bytes, Path, Placed]]:
    held = 0
    heap: list[tuple[bytes, int, Placed]] = []
    for number, placed in enumerate(lane):
        if isinstance(placed.line.item, Damage):
            yield b"", trail, placed
            continue
        heappush(heap, (time_of(placed.line.text), number, placed))
        held += len(placed.line.text)
        while held > _HELD_BYTES:
            time, _, first = heappop(heap)
            held -= len(first.line.text)
            yield time, trail, first
    while heap:
        time, _, first = heappop(heap)
        yield time, trail, first


def _wanted(
    streams: Collection[str], span: Span, wanted: Wanted | None
) -> Wanted | None:
    """Return the test of a line: what is wanted, its time, and its stream, if any."""
    tests = [] if wanted is None else [wanted]
    if not span.is_all:
        tests.append(_span_test(span))
    if streams:
        tests.append(_stream_test(streams))

    return reduce(_both, tests) if tests else None


def _both(first: Wanted, second: Wanted) -> Wanted:
    return lambda text: first(text) and second(text)


def _stream_test(streams: Collection[str]) -> Wanted:
    names = {stream.encode() for stream in streams}

    return lambda text: text.split(b"\t", _STREAM + 1)[_STREAM] in names


def _span_test(span: Span) -> Wanted:
    since, until = span.cells

    return lambda text: since <= time_of(text) < until


def _checked(checkpoint: Mapping[str, Any]) -> Mapping[str, Any]:
    read = checkpoint.get("read")
    if checkpoint.get("format") != FORMAT or not isinstance(read, Mapping):
        raise ValueError("no checkpoint of a format that this reader knows")

    return read
