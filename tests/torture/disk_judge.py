# What is asked of a trail whose disk was harmed, in the words of the tests; how files
# are read and lines checked, the judge of all torture knows.
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
from tests.torture.disk_client import Load
from tests.torture.disk_serving import Server
from tests.torture.judge import Line, Trail, verify

__all__ = ["Found", "assert_whole", "details", "find", "flaws"]


@dataclass(frozen=True)
class Found:
    """
    What is on record in one trail, or in several directories of what was one.

    Args:
        trails: each of them.
    """

    trails: tuple[Trail, ...]

    @property
    def torn(self) -> list[str]:
        """Each line that is none."""
        return [wrong for trail in self.trails for wrong in trail.wrong]

    @property
    def lines(self) -> list[Line]:
        """All records."""
        return [line for trail in self.trails for line in trail.lines]

    def of_type(self, name: str) -> list[Line]:
        """Return the records of a type."""
        return [line for line in self.lines if line["type"] == name]

    def words(self) -> Counter[str]:
        """Return how often each request is on record."""
        return Counter(line.word for line in self.lines if line.word)

    def lost(self, words: Iterable[str]) -> list[str]:
        """Return those that are not on record."""
        return sorted(set(words) - self.words().keys())

    def twice(self) -> list[str]:
        """Return those that are on record more than once."""
        return sorted(word for word, count in self.words().items() if count > 1)

    def gaps(self) -> dict[tuple[str, str], list[int]]:
        """Return each seq that is missing or repeated, by (instance, stream)."""
        seqs: dict[tuple[str, str], Counter[int]] = {}
        for line in self.lines:
            whose = line["instance"], line["stream"]
            seqs.setdefault(whose, Counter())[int(line["seq"])] += 1
        wrong = {
            whose: [seq for seq in range(1, max(counts) + 1) if counts[seq] != 1]
            for whose, counts in seqs.items()
        }

        return {whose: numbers for whose, numbers in wrong.items() if numbers}

    def refused(self) -> int:
        """Return how many requests the trail says were refused."""
        return sum(details(line)["count"] for line in self.of_type("log_refused"))


def find(*directories: Path) -> Found:
    """Return what is on record in these directories."""
    return Found(tuple(Trail(directory) for directory in directories))


def details(line: Line) -> dict[str, Any]:
    """Return what a record says beside its columns."""
    told: dict[str, Any] = orjson.loads(line["details"].encode())

    return told


def flaws(found: Found, answered: Iterable[str], called: Iterable[str]) -> list[str]:
    """
    Return all that is wrong: none may be torn, lost, there twice, or out of number.

    Args:
        found: what is on record.
        answered: the requests that a client saw answered by the application.
        called: those that the application was called for.
    """
    return [
        *(f"torn: {wrong}" for wrong in found.torn),
        *(f"answered, and lost: {word}" for word in found.lost(answered)),
        *(f"begun, and lost: {word}" for word in found.lost(called)),
        *(f"there twice: {word}" for word in found.twice()),
        *(f"seq {seqs[:9]} of {whose}" for whose, seqs in found.gaps().items()),
    ]


def assert_whole(
    server: Server, load: Load, found: Found | None = None, *, run: bool = False
) -> None:
    """
    Judge what clients saw, the application was called for, and the trail says.

    Args:
        server: it has ended.
        load: so has this.
        found: what is on record, where that is not what lies in the trail; else the
            trail is to be without fault to `audit-mw verify` as well.
        run: a request may have failed after it ran, as one does whose value cannot be
            kept; it is on record like any other, and counts as no refusal.
    """
    whole = [] if found else verify(server.trail)
    found = found or find(server.trail)
    called = server.called().keys()
    refused, broken = load.answered(503), load.answered(0)
    sure, most = len(refused - called), len(refused - called) + len(broken)
    wrong = whole + flaws(found, load.answered(200), called)
    if refused & called and not run:
        wrong.append(f"refused, and run: {sorted(refused & called)[:9]}")
    if not sure <= found.refused() <= most:
        wrong.append(f"{found.refused()} refusals on record of {sure} to {most}")

    # (pytest shows no values of what is compared outside of a test's own module.)
    assert not wrong, wrong[:20]
