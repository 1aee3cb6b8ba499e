# A trail against what its clients and its application know.
#
# It trusts no reader of ours: it takes the files apart itself, by their LFs and the
# names in their first lines, and computes each check. What it says, in words:
#
# Rule 1: every line is whole: columns, length, check, printable bytes, LF at the end.
# Rule 2: seq of each (instance, stream) is complete from 1, without a gap or a repeat,
#         and rises with the position in a file.
# Rule 3: what was answered whole has exactly one record, with the status answered.
# Rule 4: what began has exactly one record; and no word has two.
# Rule 5: an instance begins with `sys_startup`; no journal is left behind.
# Rule 6: a value that a record names is stored, unless the record is of a request
#         that died with its process before it was answered.
# Rule 7: what the application said, and went on after, has exactly one record; each is
#         of the request that said it.
import fcntl
import os
import re
import struct
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import xxhash
from click.testing import CliRunner, Result

from audit_mw.cli import main

__all__ = ["Line", "Trail", "complaints", "orphans", "recover", "verify"]

_SAID = re.compile(rb'"word":"([0-9a-z-]+)"')
_FORMAT = b"#audit_mw/1 "
_LINE = re.compile(rb"[\x20-\x7e\t]*\n")
_WORD = re.compile(rb'\["query","n","([0-9a-z-]+)"\]')
_SPILLED = re.compile(rb'\{"len":\d+,"sha256":"([0-9a-f]{64})"\}')
_FLOCK = "hhqqi"  # struct flock of Linux, where long is 64 bits
_SHOWN = 30  # complaints; there may be very many


@dataclass(frozen=True, slots=True)
class Line:
    """One record, and the names of its cells in the first line of its segment."""

    path: Path
    names: tuple[str, ...]
    text: bytes

    @property
    def cells(self) -> dict[str, bytes]:
        """The cells by name; made anew each time, for there may be very many lines."""
        return dict(zip(self.names, self.text[:-1].split(b"\t"), strict=True))

    def __getitem__(self, name: str) -> str:
        return self.text[:-1].split(b"\t")[self.names.index(name)].decode()

    @property
    def word(self) -> str | None:
        """The word of the request, if it carried one."""
        found = _WORD.search(self.text)

        return found[1].decode() if found else None

    @property
    def died(self) -> bool:
        """Whether the record says that its process died."""
        return b'"reason":"process_died"' in self.text


@dataclass
class Trail:
    """
    All that stands in a trail, read as it is.

    Args:
        directory: the trail.
    """

    directory: Path
    wrong: list[str] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    stored: set[bytes] = field(default_factory=set)

    def __post_init__(self) -> None:
        for path in sorted(self.directory.glob("[a-z]*/*")):
            self._read(path)

    def _read(self, path: Path) -> None:
        text = path.read_bytes()
        first, *lines = text.splitlines(keepends=True) or [b""]
        if not first.startswith(_FORMAT):
            if text:  # one that was made by a process killed before its first append
                self.wrong.append(f"{path}: begins with {first[:60]!r}")
            return
        names = tuple(first.partition(b" ")[2].partition(b" ")[2].decode().split())
        for number, line in enumerate(lines, 2):
            if wrong := _torn(line, names):
                self.wrong.append(f"{path}:{number}: {wrong}: {line[:99]!r}")
                continue
            if "sha256" in names:
                self.stored.add(Line(path, names, line).cells["sha256"])
            else:
                self.lines.append(Line(path, names, line))

    def of(self, stream: str) -> list[Line]:
        """Return the records of a stream."""
        return [line for line in self.lines if line["stream"] == stream]

    def of_type(self, name: str) -> list[Line]:
        """Return the records of a type."""
        return [line for line in self.lines if line["type"] == name]

    def by_word(self) -> dict[str, list[Line]]:
        """Return the records of requests by the word of each."""
        found: dict[str, list[Line]] = defaultdict(list)
        for line in self.of("request"):
            found[line.word or "without-a-word"].append(line)

        return dict(found)

    @staticmethod
    def journals(directory: Path) -> list[Path]:
        """Return the journals of a trail."""
        return sorted((directory / ".journal").glob("*.journal"))


def _torn(line: bytes, names: Sequence[str]) -> str:
    if not _LINE.fullmatch(line):
        return "a byte that may not stand here, or no LF"
    cells = line[:-1].split(b"\t")
    if len(cells) != len(names):
        return f"{len(cells)} columns"
    if cells[0] != b"%d" % len(line):
        return f"{len(line)} bytes, but it says {cells[0]!r}"
    check = xxhash.xxh3_64_hexdigest(line[: -len(cells[-1]) - 1])

    return "" if check.encode() == cells[-1] else "the check does not fit"


def complaints(
    directory: Path,
    answered: Mapping[str, int | None],
    began: Collection[str],
    said: Collection[str] = (),
) -> list[str]:
    """
    Return all that is wrong with a trail, or the first of it.

    Args:
        directory: the trail; nobody writes to it any more.
        answered: the words that clients sent, and of what was answered whole the status.
        began: the words of the requests that reached the application.
        said: the words of those that said something, and noted that they had.
    """
    trail = Trail(directory)
    found = [
        *trail.wrong,
        *_unnumbered(trail),
        *_unrecorded(trail, answered, began),
        *_unsaid(trail, said),
        *_unstarted(trail),
        *_unstored(trail),
        *(f"{path.name} is left" for path in trail.journals(directory)),
    ]

    return [*found[:_SHOWN], f"and {len(found) - _SHOWN} more"][
        : min(len(found), _SHOWN + 1)
    ]


def _unnumbered(trail: Trail) -> Iterator[str]:
    numbers: dict[tuple[str, str], list[int]] = defaultdict(list)
    last: Counter[tuple[Path, str, str]] = Counter()
    for line in trail.lines:
        whose = line["instance"], line["stream"]
        seq = int(line["seq"])
        numbers[whose].append(seq)
        if seq <= last[line.path, *whose]:
            yield f"{line.path}: {whose}: seq {seq} behind {last[line.path, *whose]}"
        last[line.path, *whose] = seq
    for whose, seqs in numbers.items():
        counts = Counter(seqs)
        twice = [seq for seq, count in counts.items() if count > 1]
        missing = sorted(set(range(1, max(seqs) + 1)) - counts.keys())
        if twice or missing:
            yield f"{whose}: seq {missing[:9]} missing, {twice[:9]} repeated"


def _unrecorded(
    trail: Trail, answered: Mapping[str, int | None], began: Collection[str]
) -> Iterator[str]:
    records = trail.by_word()
    for word, lines in records.items():
        if len(lines) > 1:
            yield f"{word} has {len(lines)} records: {[line.cells for line in lines]}"
        if word not in answered and word not in began:
            yield f"{word} has a record, and nobody sent it"
    for word, count in Counter(began).items():
        if word not in records:
            yield f"{word} began, was answered {answered.get(word)}: no record"
        if count > 1:
            yield f"{word} began {count} times"
    for word, status in answered.items():
        if status is not None:
            yield from _misrecorded(word, status, records.get(word, []))


def _misrecorded(word: str, status: int, lines: list[Line]) -> Iterator[str]:
    # Refusals are counted, in records of their own.
    if status == 503:
        yield from (f"{word} was refused, and recorded: {it.cells}" for it in lines)
        return
    if not lines:
        yield f"{word} was answered {status}: no record"
    for line in lines:
        if line["status"] != str(status) or line.died:
            yield f"{word} was answered {status}, recorded as {line.cells}"


def _unsaid(trail: Trail, said: Collection[str]) -> Iterator[str]:
    requests = {line.word: line["event"] for line in trail.of("request")}
    found: dict[str, list[str]] = defaultdict(list)
    for line in trail.of("error"):
        if word := _SAID.search(line.text):
            found[word[1].decode()].append(line["event"])
    for name, events in found.items():
        if events != [requests.get(name)]:
            yield f"{name} of {requests.get(name)} is said in {events}"
    yield from (f"{name} was said: no record" for name in said if name not in found)


def _unstarted(trail: Trail) -> Iterator[str]:
    started = {
        line["instance"] for line in trail.of_type("sys_startup") if line["seq"] == "1"
    }
    instances = {line["instance"] for line in trail.lines}
    yield from (f"{name} has no sys_startup" for name in instances - started)


def _unstored(trail: Trail) -> Iterator[str]:
    for line in trail.lines:
        if not line.died:
            named = set(_SPILLED.findall(line.text))
            yield from (
                f"{line.word}: value {digest.decode()[:9]} is not stored"
                for digest in named - trail.stored
            )


def orphans(directory: Path) -> list[Path]:
    """Return the journals of a trail whose process is dead: nobody has their lock."""
    return [path for path in Trail.journals(directory) if not _is_locked(path)]


def _is_locked(path: Path) -> bool:
    # Asked for, not taken: an adopter may come just now.
    asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
    try:
        with path.open("rb") as file:
            said = fcntl.fcntl(file, fcntl.F_GETLK, asked)
    except FileNotFoundError:
        return True  # it is adopted

    return bool(struct.unpack(_FLOCK, said)[0] != fcntl.F_UNLCK)


def recover(directory: Path) -> str:
    """Let `audit-mw recover` adopt what dead processes left; return what it says."""
    done = _run("recover", directory)
    assert not done.exit_code, done.output

    return done.output


def verify(directory: Path) -> list[str]:
    """Return what `audit-mw verify` complains of."""
    done = _run("verify", directory)
    if done.exit_code:
        return [f"audit-mw verify says {done.exit_code}: {done.output[:2000]}"]

    return []


def _run(command: str, directory: Path) -> Result:
    # In this process: another one would take longer than what most trails are judged in.
    words = [command, "--trail", str(directory)]

    return CliRunner().invoke(main, words, catch_exceptions=False)
