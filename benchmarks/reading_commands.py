# What is asked of a trail, each as a user would type it, and the same by hand.
#
# What is looked for is taken from the trail itself: a record from the middle of its
# last day, with a user and a param `q`, as `make_trail` makes them.
#
# Rule 1: each names the bytes that it is about: all lines of the streams and days that
#         can hold the answer, not compressed. Who skips some of them is the faster.
# Rule 2: by hand means without what is ours: DuckDB with the columns' types, grep and
#         ripgrep with the text as it stands in a record. None of them looks at a check.
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from audit_mw.event import STREAMS, Event
from audit_mw.query.columns import Portion, read_lines
from audit_mw.trail.archive import open_segment
from audit_mw.trail.encoding import encode_time
from audit_mw.trail.index import read_index
from audit_mw.trail.names import SegmentName
from audit_mw.trail.reader import segments
from audit_mw.trail.record import VALUES, decode_line

__all__ = ["Asked", "Sought", "commands", "size_of", "sought"]

_DAY = 86_400_000_000
_LONGEST = 17 << 20
_CLI = "from audit_mw.cli import main; main()"
_BY_HAND = "import duckdb, sys; print(duckdb.sql(sys.argv[1]).fetchall())"
_AGGREGATE = "SELECT status, count(*), avg(micros) FROM {of} GROUP BY status"
_FILTER = "SELECT count(*) FROM {of} WHERE \"user\" = '{user}'"
_PARAMS = "SELECT source, name, count(*) FROM params GROUP BY ALL"


class Asked(NamedTuple):
    """
    One question.

    Args:
        name: what the table calls it.
        command: the program and its arguments.
        size: bytes of the lines that it is about; 0 if it is about none.
        given: what comes on standard input.
    """

    name: str
    command: Sequence[str]
    size: int
    given: bytes = b""


class Sought(NamedTuple):
    """What is looked for: values of one record, and the day that it is of."""

    event: str
    user: str
    param: str
    day: int


def sought(trail: Path) -> Sought:
    """Return what a record from the middle of the last day has; ValueError if none."""
    path = segments(trail, "request")[-1]
    with open_segment(path) as file:
        file.seek(size_of(path) // 2)
        file.readline()  # the rest of a line
        for line in file:
            event = decode_line(line).event
            day = event.time // _DAY * _DAY
            for user, search in _names(event):
                return Sought(event.event, user, search, day)

    raise ValueError(f"no record with a user and a param q in {path}")


def _names(event: Event) -> Iterator[tuple[str, str]]:
    user = event.user
    if not isinstance(user, bytes) or not user.isalnum():
        return
    for param in event.params:
        if param.name == b"q" and isinstance(param.value, bytes):
            yield user.decode(), param.value.decode()


def size_of(path: Path) -> int:
    """Return the bytes of a segment's lines: what it has when it is not compressed."""
    index = read_index(path) if SegmentName(path.name).is_packed else None

    return index.facts.bytes if index else path.stat().st_size


def commands(trail: Path, checkpoint: Path) -> Iterator[Asked]:
    """
    Yield what is asked, in the order in which to ask it.

    Args:
        trail: the directory.
        checkpoint: file that the first verify makes, and the second goes on from.
    """
    requests = segments(trail, "request")
    records = list(chain(*(segments(trail, stream) for stream in STREAMS)))
    yield Asked("start: --version", _ours(trail, "--version", trails=False), 0)
    yield from _finding(trail, records, requests)
    yield from _asking(trail, requests)
    yield from _taking_out(trail, records, checkpoint)


def _finding(
    trail: Path, records: Sequence[Path], requests: Sequence[Path]
) -> Iterator[Asked]:
    wanted, size = sought(trail), _sum(records)
    day = encode_time(wanted.day).decode()
    last = [path for path in records if path.name.startswith(day[:10])]
    ours = ("find", "--count")
    yield Asked("find --event", _ours(trail, *ours, "--event", wanted.event), size)
    yield from _texts("event", wanted.event, records)
    where = f"event = '{wanted.event}'"
    yield _hand("event", requests, f"SELECT count(*) FROM {{of}} WHERE {where}")
    of_user = ("--user", wanted.user, "--since", day)
    yield Asked("find --user --since", _ours(trail, *ours, *of_user), _sum(last))
    yield from _texts("user, last day", f"\t{wanted.user}\t", last)
    asked = _FILTER.replace("{user}", wanted.user)
    yield _hand("user, last day", requests[-1:], asked)
    param = f"q={wanted.param}"
    yield Asked("find --param", _ours(trail, *ours, "--param", param), size)
    yield from _texts("param", f'["query","q","{wanted.param}"]', records)
    secret = _ours(trail, *ours, "--secret-stdin")
    yield Asked("find --secret-stdin", secret, size, b"a token that nobody used")


def _asking(trail: Path, requests: Sequence[Path]) -> Iterator[Asked]:
    size, user = _sum(requests), sought(trail).user
    asked = _FILTER.replace("{user}", user)

    def ours(*words: str) -> Sequence[str]:
        return _ours(trail, "query", *words)

    yield Asked("query, aggregate", ours(_AGGREGATE.format(of="request")), size)
    yield _hand("aggregate", requests, _AGGREGATE)
    yield Asked("query, filter", ours(asked.format(of="request")), size)
    verified = ours("--verify", asked.format(of="request"))
    yield Asked("query --verify, filter", verified, size)
    yield _hand("filter", requests, asked)
    yield from _texts("filter", f"\t{user}\t", requests)
    yield Asked("query, all params", ours(_PARAMS), size)
    yield Asked("query top-clients", ours("top-clients"), size)
    sessions = _sum(segments(trail, "session"))
    yield Asked("query brute-force", ours("brute-force"), sessions)


def _taking_out(
    trail: Path, records: Sequence[Path], checkpoint: Path
) -> Iterator[Asked]:
    wanted, values = sought(trail), segments(trail, VALUES)
    begin, end = (encode_time(at).decode() for at in (wanted.day, wanted.day + _DAY))
    last = [path for path in records if path.name.startswith(begin[:10])]
    day = ("export", "--to", "jsonl", "--since", begin, "--until", end)
    whole = _sum((*records, *values))
    verify = _ours(trail, "verify", "--checkpoint", str(checkpoint))
    yield Asked("export --to jsonl, a day", _ours(trail, *day), _sum(last))
    yield Asked("show", _ours(trail, "show", wanted.event), whole)
    yield Asked("replay", _ours(trail, "replay", wanted.event), whole)
    yield Asked("verify, making a checkpoint", verify, whole)
    yield Asked("verify, going on from it", verify, whole)


def _sum(paths: Sequence[Path]) -> int:
    return sum(map(size_of, paths))


def _ours(trail: Path, command: str, *words: str, trails: bool = True) -> Sequence[str]:
    of = ("--trail", str(trail)) if trails else ()

    return [sys.executable, "-c", _CLI, command, *of, *words]


def _hand(name: str, paths: Sequence[Path], asked: str) -> Asked:
    # By the names of the files, DuckDB's `auto` tells what they are compressed with.
    of = read_lines("request", Portion("auto", tuple(paths), _LONGEST))
    command = [sys.executable, "-c", _BY_HAND, asked.format(of=of)]

    return Asked(f"DuckDB by hand, {name}", command, _sum(paths))


# --- the same by text


def _texts(name: str, text: str, paths: Sequence[Path]) -> Iterator[Asked]:
    tools: Sequence[tuple[str, Callable[[str, Sequence[Path]], Sequence[str]]]] = (
        ("grep", _grep),
        ("rg", _ripgrep),
    )
    for tool, command in tools:
        if shutil.which(tool):
            yield Asked(f"{tool} -c, {name}", command(text, paths), _sum(paths))


def _grep(text: str, paths: Sequence[Path]) -> Sequence[str]:
    packed = [str(path) for path in paths if SegmentName(path.name).is_packed]
    plain = [str(path) for path in paths if str(path) not in packed]
    grep = f"grep -cF -e {shlex.quote(text)}"
    steps = [f"{grep} -- {shlex.join(plain)}"] if plain else []
    if packed:
        steps.insert(0, f"zstd -dcq -- {shlex.join(packed)} | {grep}")

    return ["sh", "-c", "; ".join(steps)]


def _ripgrep(text: str, paths: Sequence[Path]) -> Sequence[str]:
    return ["rg", "-z", "-c", "-F", "-e", text, "--", *map(str, paths)]
