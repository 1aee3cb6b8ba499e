# Segments -> what DuckDB may read of them, and what is wrong with the others.
#
# DuckDB's CSV reader passes over an empty line, takes a line without its LF, reads an
# archive that was cut as a shorter one, and gives up a whole scan at a CR. So it is
# asked first for the sum of column `len`: where that and the header are not all bytes
# of a segment, or it reads none of it, our own reader takes the segment, names its
# damage, and writes its whole lines to a temporary file.
#
# Rule 1: a line is a record of a view, or it is named as damage.
# Rule 2: DuckDB is given links in a directory of ours: names of segments may hold what
#         it would expand, and whatever a question could open, it cannot name a segment.
# Rule 3: without `verify` a line is believed that has its columns and its length; with
#         it, each check is counted again.
#
# (Longer than 250 lines, since what is believed and what is not is one decision.)
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from audit_mw.query.columns import MAY_HAVE_REST, Portion, read_lines
from audit_mw.query.duck import failures
from audit_mw.query.repeats import MAY_BE_RECOVERED
from audit_mw.query.rewriting import Tell, is_sound, rewrite
from audit_mw.query.segments import chosen, index_of
from audit_mw.trail.archive import UNREADABLE
from audit_mw.trail.reader import NO_FILE, Damage, Unreadable, strangers
from audit_mw.trail.record import VALUES, header_line
from audit_mw.trail.seen import Seen, look, open_seen
from audit_mw.trail.span import Span

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

__all__ = ["Sources", "find_sources", "size_of"]

_MAGIC = {b"\x28\xb5\x2f\xfd": "zstd", b"\x1f\x8b": "gzip"}
_STEP = 4 << 20
# DuckDB takes its buffers by the longest line, and small ones are read by all threads.
# So the longest that most segments have is tried first. A line that is longer than any
# of these is left to our own reader.
_LONGEST = (1 << 20, 17 << 20)
_SHORTEST = 1 << 16
_JSON = {"params", "details"}  # to look at it as JSON takes time


# Stream, packing, and whether lines are long.
_Alike = tuple[str, str, bool]


class Readable(NamedTuple):
    """A file that DuckDB reads, and the bytes of its longest line at most."""

    path: Path
    longest: int


class Source(NamedTuple):
    """
    A segment that DuckDB may be able to read.

    Args:
        seen: the segment.
        link: where DuckDB finds it.
        packing: what it is compressed with.
        least: bytes of its lines at least; more, if a writer goes on meanwhile.
        longest: bytes of the longest line that is looked for.
    """

    seen: Seen
    link: Path
    packing: str
    least: int
    longest: int = _LONGEST[0]

    @property
    def readable(self) -> Readable:
        """What DuckDB is told of it; no line is longer than all of them."""
        return Readable(self.link, min(self.least, self.longest))


@dataclass
class Sources:
    """
    What a question is put to.

    Args:
        portions: of each stream, where its lines are.
        damages: what was found on the way.
        names: which segment is behind a link.
        recovered: streams that have records which may be there twice.
        has_rests: whether a record may have params that are spilled, if that was asked.
    """

    portions: dict[str, list[Portion]] = field(default_factory=dict)
    damages: list[Damage] = field(default_factory=list)
    names: dict[str, Path] = field(default_factory=dict)
    recovered: set[str] = field(default_factory=set)
    has_rests: bool = False

    def paths(self) -> list[Path]:
        """Return all files that DuckDB is to open."""
        return [
            path
            for portions in self.portions.values()
            for portion in portions
            for path in portion.paths
        ]


def size_of(trails: Iterable[Path], streams: Sequence[str], span: Span) -> int:
    """Return how many bytes the files have in which a question will look."""
    return sum(
        seen.size
        for trail in trails
        for stream in (streams[:1] if trail.is_file() else streams)
        for seen in chosen(trail, stream, span)
    )


def find_sources(  # noqa: PLR0913, PLR0917 - each is a part of the question
    connection: "DuckDBPyConnection",
    trails: Iterable[Path],
    streams: Sequence[str],
    span: Span,
    directory: Path,
    tell: Tell,
    *,
    verify: bool,
    rests: bool,
) -> Sources:
    """
    Look at the segments that a question needs.

    Args:
        connection: not locked yet.
        trails: directories, or captured consoles.
        streams: those that are needed.
        span: no segment is looked at that cannot have records of it.
        directory: temporary; for links, and for lines of damaged segments.
        tell: is told of bytes that were read.
        verify: the check of each line is to be looked at.
        rests: it is to be told whether records have params that are spilled.

    Raises:
        OSError: a segment cannot be read.
        MissingExtra: it is closed, and there is no zstd.
    """
    finder = _Finder(connection, directory, tell, verify=verify, rests=rests)
    for trail in trails:
        if trail.is_file() and streams:
            finder.rewrite(look(trail, streams[0])[0], streams)
        elif not trail.is_file():
            for stream in streams:
                finder.tell_strangers(strangers(trail, stream))
                finder.look(stream, chosen(trail, stream, span))

    return finder.sources()


class _Finder:
    def __init__(
        self,
        connection: "DuckDBPyConnection",
        directory: Path,
        tell: Tell,
        *,
        verify: bool,
        rests: bool,
    ) -> None:
        self._connection = connection
        self._directory = directory
        self._tell = tell
        self._verify, self._rests = verify, rests
        self._numbers = count(1)
        self._found = Sources()
        self._by: defaultdict[_Alike, list[Readable]] = defaultdict(list)

    def sources(self) -> Sources:
        for (stream, packing, _), files in sorted(self._by.items()):
            portion = _portion(packing, files)
            self._found.portions.setdefault(stream, []).append(portion)

        return self._found

    def tell_strangers(self, paths: Iterable[Path]) -> None:
        """Name what stands in the place of a segment."""
        self._found.damages += [Unreadable(path, 0, 0, NO_FILE) for path in paths]

    def look(self, stream: str, segments: Sequence[Seen]) -> None:
        """Take what DuckDB reads to its end; rewrite the others."""
        filled = [seen for seen in segments if seen.size]
        sources = [it for it in (self._source(stream, it) for it in filled) if it]
        sound = {it.seen: it for it in self._sound(stream, sources)}
        for seen in filled:
            if seen not in sound:
                self.rewrite(seen, stream)
        for source in sound.values():
            self._add(stream, source.packing, source.readable)
            self._found.names[str(source.link)] = source.seen.path

    def rewrite(self, seen: Seen, streams: Sequence[str] | str) -> None:
        target = self._directory / f"{next(self._numbers)}"
        rewritten = rewrite(seen, streams, target, self._tell)
        self._found.damages += rewritten.damages
        self._found.recovered |= rewritten.recovered
        self._found.has_rests |= self._rests
        for stream, written in rewritten.paths.items():
            self._add(stream, "none", Readable(written, rewritten.longest))
            self._found.names[str(written)] = seen.path

    def _add(self, stream: str, packing: str, file: Readable) -> None:
        # One with long lines must not take the small buffers from all.
        self._by[stream, packing, file.longest > _LONGEST[0]].append(file)

    def _source(self, stream: str, seen: Seen) -> Source | None:
        """Return a segment that begins as one; None: it does not."""
        with open_seen(seen) as (path, file):
            packing = _packing(path)
            try:
                header = file.readline(1 << 12)
                least = seen.size if packing == "none" else _unpacked_size(seen)
            except UNREADABLE:
                return None
            if header != header_line(stream):
                return None
            link = self._link(path.absolute())

        return Source(seen, link, packing, least)

    def _link(self, path: Path) -> Path:
        link = self._directory / f"{next(self._numbers)}.log"
        link.symlink_to(path)

        return link

    def _sound(self, stream: str, sources: Sequence[Source]) -> Iterator[Source]:
        """Yield those that DuckDB reads to their end, with lines of any length."""
        left = list(sources)
        for longest in _LONGEST:
            tried = [self._again(it, longest) for it in left]
            lengths = self._all_lengths(stream, tried)
            left = []
            for source in tried:
                length = lengths.get(str(source.link), 0) + len(header_line(stream))
                if _is_all(source, length):
                    if not self._verify or is_sound(source.seen, stream, self._tell):
                        yield source
                # Of what a writer appended to meanwhile there is more, not less.
                elif length < source.least > longest:
                    left.append(source)

    def _again(self, source: Source, longest: int) -> Source:
        if source.longest == longest:
            return source
        # By another name: what was said of the last try is not of this one.
        link = self._link(source.link.readlink())

        return source._replace(link=link, longest=longest)

    def _all_lengths(self, stream: str, sources: Sequence[Source]) -> dict[str, int]:
        found: dict[str, int] = {}
        for packing in sorted({it.packing for it in sources}):
            alike = [it for it in sources if it.packing == packing]
            found |= self._lengths(stream, packing, alike)

        return found

    def _lengths(
        self, stream: str, packing: str, sources: Sequence[Source]
    ) -> dict[str, int]:
        """Return the sum of column `len` for each link."""
        portion = _portion(packing, [it.readable for it in sources])
        lines = read_lines(stream, portion, _JSON)
        recovered = "false" if stream == VALUES else MAY_BE_RECOVERED
        rest = MAY_HAVE_REST if self._rests and stream != VALUES else "false"
        sql = (
            "SELECT filename, sum(len), "  # noqa: S608 - ours
            f"bool_or({recovered}), bool_or({rest}) FROM {lines} GROUP BY 1"
        )
        try:
            rows = self._connection.execute(sql).fetchall()
        except failures():
            if len(sources) == 1:
                return {}
            return {  # one of them it does not read, and all are given up
                link: length
                for source in sources
                for link, length in self._lengths(stream, packing, [source]).items()
            }
        for source in sources:
            self._tell(source.seen.size)

        if any(row[2] for row in rows):
            self._found.recovered.add(stream)
        self._found.has_rests |= any(row[3] for row in rows)

        return {row[0]: int(row[1] or 0) for row in rows}


def _portion(packing: str, files: Sequence[Readable]) -> Portion:
    longest = max(_SHORTEST, *(each.longest for each in files))

    return Portion(packing, tuple(each.path for each in files), longest)


def _is_all(source: Source, length: int) -> bool:
    if source.packing != "none":
        return length == source.least

    return source.least <= length <= source.link.stat().st_size


def _packing(path: Path) -> str:
    with path.open("rb") as file:
        begin = file.read(4)

    return next((it for magic, it in _MAGIC.items() if begin.startswith(magic)), "none")


def _unpacked_size(seen: Seen) -> int:
    index = index_of(seen)
    if index is not None:
        return index.facts.bytes
    with open_seen(seen) as (_, file):
        size = 0
        while part := file.read(_STEP):
            size += len(part)

    return size
